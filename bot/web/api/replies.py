"""The bodies of responses: OpenAI's chat and text completions, whole and as chunks of a stream."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.answers import Answered

DONE = b"data: [DONE]\n\n"
# What a client is told of how an answer ended.
_FINISH = {"length": "length", "moderated": "content_filter", "filtered": "content_filter"}


def finish_reason(end: Answered) -> str:
    """How an answer ended, in OpenAI's words."""
    return _FINISH.get(end.finish_reason, "stop")


def event(body: Mapping[str, Any]) -> bytes:
    """A body as a server-sent event."""
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def usage(end: Answered) -> dict[str, int]:
    """The numbers of tokens; 0 where the engine gives none."""
    prompt, completion = end.prompt_tokens or 0, end.completion_tokens or 0
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@dataclass(frozen=True, slots=True)
class Reply:
    """A chat completion that is being answered. `model` is the name that was asked for: which release answers is told
    with the feedback, so that it cannot sway the rating.
    """

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, end: Answered) -> dict[str, Any]:
        """The response with the whole answer."""
        message = {"role": "assistant", "content": end.generation.text, "refusal": _refusal(end)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(end)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage(end), **_noted(end)}

    def begin(self) -> dict[str, Any]:
        """The first chunk."""
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> dict[str, Any]:
        """The next piece of the answer."""
        return self._chunk({"content": text})

    def thought(self, text: str) -> dict[str, Any]:
        """The next piece of what the model thinks, where people may see it."""
        return self._chunk({"reasoning_content": text})

    def taken_back(self) -> dict[str, Any]:
        """All pieces so far were thoughts."""
        return {**self._chunk({}), "parley": {"taken_back": True}}

    def end(self, end: Answered) -> dict[str, Any]:
        """The last chunk of the answer."""
        refusal = {"refusal": said} if (said := _refusal(end)) else {}
        return {**self._chunk(refusal, finish_reason(end)), **_noted(end)}

    def counted(self, end: Answered) -> dict[str, Any]:
        """The chunk with the numbers of tokens."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage(end)}

    def _chunk(self, delta: Mapping[str, str], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _head(self, what: str) -> dict[str, Any]:
        return {"id": self.id, "object": what, "created": self.created, "model": self.model}


@dataclass(frozen=True, slots=True)
class TextReply:
    """A text completion that is being answered; see `Reply`."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, end: Answered) -> dict[str, Any]:
        """The response with the whole answer."""
        return {**self._chunk(end.generation.text, finish_reason(end)), "usage": usage(end), **_noted(end)}

    def begin(self) -> None:
        """A text completion's stream begins with its text."""
        return

    def piece(self, text: str) -> dict[str, Any]:
        """The next piece of the answer."""
        return self._chunk(text)

    def thought(self, _text: str) -> None:
        """Thoughts are no part of a text completion."""
        return

    def taken_back(self) -> dict[str, Any]:
        """All pieces so far were thoughts."""
        return {**self._chunk(""), "parley": {"taken_back": True}}

    def end(self, end: Answered) -> dict[str, Any]:
        """The last chunk of the answer."""
        return {**self._chunk("", finish_reason(end)), **_noted(end)}

    def counted(self, end: Answered) -> dict[str, Any]:
        """The chunk with the numbers of tokens."""
        return {**self._head(), "choices": [], "usage": usage(end)}

    def _chunk(self, text: str, finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return {**self._head(), "choices": [choice]}

    def _head(self) -> dict[str, Any]:
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}


def _refusal(end: Answered) -> str | None:
    """Why there is nothing to read, where moderation or the engine's filter took it."""
    return end.note if finish_reason(end) == "content_filter" and not end.generation.text else None


def _noted(end: Answered) -> dict[str, Any]:
    """The sentence that other platforms show below the answer."""
    return {"parley": {"note": end.note}} if end.note else {}
