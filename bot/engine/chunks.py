"""What one event of an answer says, whichever way its server says it: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Other servers' words for the reasons why an answer ends.
_REASONS = {
    "stop": (
        "stop",
        "end_turn",
        "eos",
        "eos_token",
        "stop_sequence",
        "stop_token",
        "complete",
        "end",
        "done",
        "finish",
    ),
    "length": ("length", "max_tokens", "model_length", "max_length", "max_new_tokens", "max_output_tokens"),
    "filtered": (
        "content_filter",
        "content_filtered",
        "safety",
        "sensitive",
        "refusal",
        "prohibited_content",
        "recitation",
        "blocklist",
        "spii",
        "guardrail_intervened",
        "violation",
    ),
    "tool": ("tool_calls", "function_call", "tool_use"),
}


@dataclass(frozen=True)
class Chunk:
    """One event. `error` is the body of an error; `damaged` says that the event could not be read."""

    text: str = ""
    thought: str = ""
    reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: Any = None
    damaged: bool = False
    done: bool = False
    whole: bool = False  # the text is that of a whole message, which may repeat what was streamed

    @property
    def progress(self) -> bool:
        """Whether the model got further with it."""
        return bool(self.text or self.thought or self.reason or self.done)


def read(value: Any, name: str = "") -> Chunk:
    """Reads the JSON value of an event with this name."""
    if not isinstance(value, dict):
        return Chunk(damaged=value is not None)
    if (error := _error(value, name)) is not None:
        return Chunk(error=error)
    usage = value.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    choice = _first(value.get("choices"))
    said = _said(choice)
    text, thought = _texts(said.get("content"))
    text += _plain(said.get("refusal"))
    if not text and isinstance(choice.get("text"), str):
        text = choice["text"]
    return Chunk(
        text=text,
        thought=_field_thought(said) + thought,
        reason=_reason(choice.get("finish_reason")),
        prompt_tokens=_number(usage.get("prompt_tokens")),
        completion_tokens=_number(usage.get("completion_tokens")),
        whole="message" in choice and not choice.get("delta"),
    )


def _error(value: dict[str, Any], name: str) -> Any:
    result = value.get("base_resp")  # MiniMax's; 0 stands for success
    if isinstance(result, dict) and result.get("status_code") not in (None, 0):
        return result
    error = value.get("error")
    if isinstance(error, dict) and str(error.get("code")).lower() in ("0", "ok", "success"):
        error = None  # some servers send it with every chunk
    if error and not _said(_first(value.get("choices"))).get("content"):
        return error
    if name == "error" or value.get("object") == "error":
        return value
    wrong = "choices" not in value and any(key in value for key in ("detail", "message", "error_msg", "errors"))
    return value if wrong else None


def _first(choices: Any) -> dict[str, Any]:
    """The first choice; others are other answers, which nobody asked for."""
    if not isinstance(choices, list):
        return choices if isinstance(choices, dict) else {}
    return next(
        (choice for choice in choices if isinstance(choice, dict) and choice.get("index") in (None, 0, "0")), {}
    )


def _said(choice: dict[str, Any]) -> dict[str, Any]:
    for key in ("delta", "message"):
        said = choice.get(key)
        if isinstance(said, dict):
            return said
        if isinstance(said, str):
            return {"content": said}
        if isinstance(said, list):
            return next((part for part in said if isinstance(part, dict)), {})
    return {}


def _field_thought(said: dict[str, Any]) -> str:
    for key in ("reasoning_content", "reasoning", "thinking", "thought", "reasoning_text"):
        if found := "".join(_texts(said.get(key))):
            return found
    return ""


def _texts(content: Any) -> tuple[str, str]:
    """The text and the thoughts in a content, which may be a list of parts."""
    if isinstance(content, str):
        return content, ""
    if isinstance(content, int | float) and not isinstance(content, bool):
        return str(content), ""  # a server that reads its model's output as JSON
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return "", ""
    text, thought = "", ""
    for part in content:
        if isinstance(part, str):
            text += part
        elif isinstance(part, dict):
            kind = str(part.get("type", "text"))
            inner = part.get("text") or part.get("content") or part.get("thinking") or part.get("reasoning") or ""
            found = inner if isinstance(inner, str) else "".join(_texts(inner))
            if "think" in kind or "reason" in kind:
                thought += found
            elif "text" in kind or kind == "refusal":
                text += found
    return text, thought


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _reason(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason") or value.get("name")
    if not value:
        return None
    word = str(value).lower().removeprefix("finish_reason_")
    return next((reason for reason, words in _REASONS.items() if word in words), "error")
