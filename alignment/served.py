"""Asks a model as the bot would: starts `python -m bot.engine` as a process and speaks HTTP with it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from data.bases import base_info
from data.chat import FREQUENCY_PENALTY, TEMPERATURE, TOP_P, Message, harmless_messages
from data.errors import ParleyError

# Serving's own sampling, but for the length: these answers are looked at side by side in a table.
SAMPLING: dict[str, Any] = {
    "temperature": TEMPERATURE,
    "top_p": TOP_P,
    "frequency_penalty": FREQUENCY_PENALTY,
    "max_tokens": 200,
}


class PromptRefused(ParleyError):
    """The engine will not answer this prompt, whatever is tried; others are fine."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, and why it stopped: `stop` (it was done) or `length` (it was cut off)."""

    text: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Served:
    """A running engine. `url` ends in `/v1`. `answered` is called after each answer, to show progress."""

    url: str
    control: tuple[str, ...]
    answered: Callable[[], None] | None = None

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON to a path below the server's root; the answer's JSON comes back."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            self.url.removesuffix("/v1") + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as response:  # noqa: S310 - our own loopback address
            return json.load(response)

    def get(self, path: str) -> Any:
        """The JSON at a path below the server's root."""
        address = self.url.removesuffix("/v1") + path
        with urllib.request.urlopen(address, timeout=60) as response:  # noqa: S310 - our own loopback address
            return json.load(response)

    def answer(self, messages: Sequence[Message], *, seed: int) -> str:
        """The text of the model's answer to a conversation, with serving's sampling and this seed."""
        return self.complete(messages, seed=seed, max_tokens=SAMPLING["max_tokens"]).text

    def complete(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Answer:
        """The model's answer to a conversation, with serving's sampling, this seed, and at most so many tokens.

        Raises `PromptRefused` when the engine will not take the prompt, `ParleyError` when it breaks off.
        """
        messages = harmless_messages(messages, self.control)
        body = {**SAMPLING, "max_tokens": max_tokens, "seed": seed, "messages": messages}
        try:
            choice = self.post("/v1/chat/completions", body)["choices"][0]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == HTTPStatus.BAD_REQUEST:
                raise PromptRefused("The engine does not take a prompt; it is longer than its context.") from None
            raise ParleyError(f"The engine at {self.url} failed with status {error.code} on a prompt.") from None
        except (OSError, HTTPException) as error:  # its text is the connection's, not the conversation's
            raise ParleyError(f"The engine at {self.url} broke off while it answered: {error}") from error
        if self.answered is not None:
            self.answered()
        return Answer(str(choice["message"]["content"] or "").strip(), str(choice["finish_reason"]))


@contextmanager
def serve(base: str, adapter_gguf: Path | None) -> Iterator[Served]:
    """Start an engine of its own for a base model, with an adapter or without; it ends with the block.

    Raises `ParleyError` with the engine's own sentence when it does not come up.
    """
    command = [sys.executable, "-m", "bot.engine", "--with-parent", "--port", "0", "--base", base]
    command += ["--adapter", str(adapter_gguf)] if adapter_gguf else ["--release", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            _, problem = process.communicate()
            raise ParleyError(problem.strip().removeprefix("parley: ") or "The engine did not start, without a word.")
        yield Served(json.loads(line)["url"], base_info(base).control)
    finally:
        process.terminate()
        process.communicate()
