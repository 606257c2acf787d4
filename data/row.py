"""One row: its kind, the parts that hold messages, and its id."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from data.chat import Message

# The parts of a row that hold messages, by kind. A demonstration has one of two forms.
PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "demonstration": (("messages",), ("prompt", "completion")),
    "preference": (("prompt", "chosen", "rejected"),),
    "labelled": (("prompt", "completion"),),
    "prompt": (("prompt",),),
}
KINDS: tuple[str, ...] = ("demonstration", "preference", "labelled", "prompt")
IMPORT = "import"  # the platform of rows that the operator brought as their own
TOOLS = "tools"  # the key of the functions that the assistant may call; any kind of row may have it


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `data` holds only TRL's keys, `extra` all other keys, `line` its line (or number) in the file."""

    kind: str
    data: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def messages(self) -> list[Message]:
        """A demonstration's conversation up to its last trained answer, in either form; the prompt of other rows."""
        if self.kind == "demonstration" and "messages" not in self.data:
            return [*self.data["prompt"], *self.data["completion"]]
        found: list[Message] = self.data["messages" if self.kind == "demonstration" else "prompt"]
        trained = trained_turns(found) if self.kind == "demonstration" else []
        return found[: trained[-1] + 1] if trained else found

    @property
    def tools(self) -> list[Any] | None:
        """The functions that the assistant may call, as the base's template takes them; None without any."""
        return self.data.get(TOOLS)

    @property
    def parts(self) -> tuple[str, ...]:
        """The keys of `data` that hold messages, in their order in the conversation."""
        return next(parts for parts in PARTS[self.kind] if parts[0] in self.data)

    @property
    def id(self) -> str:
        """The row's own id, or one made of its content."""
        return str(self.extra.get("id") or content_id(self.data))


def trained_turns(messages: Sequence[Message]) -> list[int]:
    """The places of the assistant's turns that are trained: those whose weight is not 0."""
    return [at for at, m in enumerate(messages) if m["role"] == "assistant" and m.get("weight") != 0]


def content_id(data: dict[str, Any]) -> str:
    """An id made of a row's content, the same for the same content."""
    canonical = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
