"""Asks a model as the bot would, by HTTP; `serve` starts `python -m bot.engine` as a process for that."""

import json
import math
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from data.bases import base_info
from data.chat import FREQUENCY_PENALTY, MAX_TOKENS, TEMPERATURE, TOP_P, Message, harmless_messages
from data.engine_environment import engine_environment
from data.errors import BadInput, ParleyError
from data.home import bases_dir, home, setting

# The bot's own sampling settings: their defaults and their limits.
_SAMPLING: dict[str, tuple[float, float, float]] = {
    "temperature": (TEMPERATURE, 0.0, 2.0),
    "top_p": (TOP_P, 1e-3, 1.0),
    "frequency_penalty": (FREQUENCY_PENALTY, -2.0, 2.0),
    "max_tokens": (MAX_TOKENS, 1, 32768),
}
# Requests go directly to this machine's own engine: a proxy would carry people's texts away.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def sampling() -> dict[str, Any]:
    """How the bot draws its answers, from the same settings (`PARLEY_TEMPERATURE` and so on) that it reads.

    Raises `BadInput` for a value that the bot would not take.
    """
    found: dict[str, Any] = {}
    for name, (usual, low, high) in _SAMPLING.items():
        variable = f"PARLEY_{name.upper()}"
        given = setting(variable)
        kind = int if name == "max_tokens" else float
        try:
            value = kind(usual if given is None else given)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise BadInput(f"{variable} must be a number from {low:g} to {high:g}, not {given!r}.")
        found[name] = value
    return found


class PromptRefused(ParleyError):
    """The engine cannot answer this prompt, however often it is asked; other prompts are fine."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer, and why it stopped: `stop` (it was done) or `length` (it was cut off)."""

    text: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """A running engine. `url` ends in `/v1`. `answered` is called after each answer, to show progress.

    `sampling` is how answers are drawn, as `sampling()` gives it. `model` names the one of several models that is
    asked; it is empty for a server with one. `extra` is merged into every request for an answer, where None takes a
    field out. `authorization` is sent in place of `api_key`; `shown` is the address without passwords.
    """

    url: str
    control: tuple[str, ...]
    sampling: Mapping[str, Any]
    answered: Callable[[], None] | None = None
    api_key: str = field(default="", repr=False)
    model: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    authorization: str | None = field(default=None, repr=False)
    shown: str = ""

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON to a path below the server's root, and return the answer's JSON, or its text if it has none."""
        with _OPENER.open(self._request(path, json.dumps(body).encode()), timeout=600) as response:
            raw = response.read()
        try:
            return json.loads(raw)
        except ValueError:
            return raw.decode(errors="replace")

    def get(self, path: str) -> Any:
        """The JSON at a path below the server's root."""
        with _OPENER.open(self._request(path), timeout=60) as response:
            return json.load(response)

    def _request(self, path: str, body: bytes | None = None) -> urllib.request.Request:
        allowed = self.authorization or f"Bearer {self.api_key}"
        headers = {"Content-Type": "application/json", "Authorization": allowed}
        return urllib.request.Request(  # noqa: S310 - our own address, or the operator's
            self.url.removesuffix("/v1") + path, body, headers
        )

    def complete(self, messages: Sequence[Message], *, seed: int, max_tokens: int | None = None) -> Completion:
        """The model's answer to a conversation, with serving's sampling and this seed.

        `max_tokens` is for questions that ask for less than serving's own limit.
        Raises `PromptRefused` when the engine will not take the prompt, `ParleyError` when it breaks off.
        """
        messages = harmless_messages(messages, self.control)
        body = {**self.sampling, "seed": seed, "messages": messages}
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if self.model:
            body["model"] = self.model
        body = {name: value for name, value in {**body, **self.extra}.items() if value is not None}
        at = self.shown or self.url
        try:
            choice = self.post("/v1/chat/completions", body)["choices"][0]
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == HTTPStatus.BAD_REQUEST:
                raise PromptRefused("The engine does not take a prompt; it is longer than its context.") from None
            raise ParleyError(f"The engine at {at} failed with status {error.code} on a prompt.") from None
        except (OSError, HTTPException) as error:  # its text is about the connection, not from the conversation
            raise ParleyError(f"The engine at {at} broke off while it answered: {error}") from error
        if self.answered is not None:
            self.answered()
        return Completion(str(choice["message"]["content"] or "").strip(), str(choice["finish_reason"]))


@contextmanager
def serve(base: str, adapter_gguf: Path | None, *, form: str | None = None) -> Iterator[RunningEngine]:
    """Start an engine for a base model, with an adapter or without; it ends with the block.

    `form` None serves an adapter as the bot does: by the merged file beside it, where the base is served so. "lora"
    and "merged" insist. Raises `ParleyError` with the engine's own message when it does not start.
    """
    drawn = sampling()
    command = [sys.executable, "-m", "bot.engine", "--with-parent", "--port", "0", "--base", base]
    command += ["--adapter", str(adapter_gguf)] if adapter_gguf else ["--release", "0"]
    command += ["--served", form] if form else []
    key = secrets.token_hex(32)
    process = subprocess.Popen(
        [*command, "--key-on-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it refused its files before it read the key, and says so below
            process.stdin.write(f"{key}\n")
            process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            _, problem = process.communicate()
            raise ParleyError(
                problem.strip().removeprefix("parley: ") or "The engine did not start, and did not say why."
            )
        yield RunningEngine(json.loads(line)["url"], base_info(base).control, drawn, api_key=key)
    finally:
        process.terminate()
        process.communicate()


def _environment() -> dict[str, str]:
    # `.env` may name the places; the engine reads the same file, but from its own point of view.
    return engine_environment(os.environ) | {"PARLEY_HOME": str(home()), "PARLEY_BASES": str(bases_dir())}
