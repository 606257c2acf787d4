"""The rows that training reads: JSON lines in TRL's conversational formats, checked when they are read.

    demonstration         {"messages": [{"role": ..., "content": ...}, ...]}         every assistant turn is trained
                          {"prompt": [...], "completion": [one assistant message]}   the completion alone is trained
    preference            {"prompt": [...], "chosen": [one assistant message], "rejected": [one assistant message]}
    labelled completion   {"prompt": [...], "completion": [one assistant message], "label": true}
    prompt                {"prompt": [...]}

Extra keys are kept, and the trainers ignore them.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.chat import Message
from data.errors import BadInput, nearest
from data.home import write_atomic

# The parts of a row that hold messages, by kind. A demonstration has one of two forms.
PARTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "demonstration": (("messages",), ("prompt", "completion")),
    "preference": (("prompt", "chosen", "rejected"),),
    "labelled": (("prompt", "completion"),),
    "prompt": (("prompt",),),
}
KINDS: tuple[str, ...] = ("demonstration", "preference", "labelled", "prompt")
ROLES = ("system", "user", "assistant")
_HALF_A_PAIR = "holds half of a surrogate pair, which is not a character; repair the text."


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `data` holds only TRL's keys, `extra` all other keys, `line` its line in the file."""

    kind: str
    data: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict)
    line: int = 0

    @property
    def messages(self) -> list[Message]:
        """A demonstration's whole conversation, in either form; the prompt of any other row."""
        found: list[Message] = self.data.get("messages") or self.data["prompt"]
        return (
            [*found, *self.data["completion"]]
            if self.kind == "demonstration" and "messages" not in self.data
            else found
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """The keys of `data` that hold messages, in their order in the conversation."""
        return next(parts for parts in PARTS[self.kind] if parts[0] in self.data)

    @property
    def id(self) -> str:
        """The row's own id, or one made of its content."""
        return str(self.extra.get("id") or content_id(self.data))


def content_id(data: dict[str, Any]) -> str:
    """An id made of a row's content, the same for the same content."""
    canonical = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def read_rows(path: Path, kind: str | None = None) -> list[Row]:
    """Read and check a file of rows. With `kind`, all rows must be of that kind.

    Raises `BadInput` at the first wrong row; it names file, line and field, and what was expected there.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise BadInput(f"{path} is a folder; name a file of JSON lines.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    # Not splitlines(): it also splits at the line separators that a JSON string may contain.
    lines = text.split("\n")
    rows = [_row(path, number, line, kind) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise BadInput(f"{path} holds no rows; expected one JSON object a line.")
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines in one step, private to the owner."""
    write_atomic(path, "".join(json.dumps({**row.data, **row.extra}, ensure_ascii=False) + "\n" for row in rows))


def _row(path: Path, number: int, line: str, wanted: str | None) -> Row:
    try:
        return parse_row(json.loads(line), wanted, number)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {number}: not JSON ({error.msg} at column {error.colno}).") from None
    except (RecursionError, ValueError):  # nested a thousand times, a number of thousands of digits
        raise BadInput(f"{path}, line {number}: not JSON that can be a row.") from None
    except BadInput as error:
        raise BadInput(f"{path}, line {number}{error}") from None


def parse_row(entry: object, wanted: str | None = None, line: int = 0) -> Row:
    """Check one row. The message of the `BadInput` that it raises continues a place: `, field 'x': ...`."""
    if not isinstance(entry, dict):
        raise BadInput(f": expected a JSON object, found {type(entry).__name__}.")
    kind = wanted or _recognised(entry)
    if kind is None:
        found = ", ".join(map(repr, entry)) or "nothing"
        raise BadInput(
            ": expected the keys of a demonstration (messages), preference (prompt, chosen, rejected), labelled "
            f"completion (prompt, completion, label) or prompt (prompt); found {found}.{_hint(entry)}"
        )
    if kind == "demonstration" and "label" in entry:
        raise BadInput(", field 'label': a row with a verdict is not a demonstration; train it with KTO.")
    parts = _parts(kind, entry)
    for part in parts:
        if part not in entry:
            raise BadInput(f", field {part!r}: missing in a {kind} row.{nearest(part, entry)}")
        _check_messages(part, entry[part])
    _check_turns(kind, parts, entry)
    keys = (*parts, "label") if kind == "labelled" else parts
    _check_extra(entry)
    return Row(
        kind,
        {key: _clean(entry[key]) for key in keys},
        {key: value for key, value in entry.items() if key not in keys},
        line,
    )


def _recognised(entry: dict[str, Any]) -> str | None:
    """The kind that a row's keys say, the most specific first: a row that lacks a part must not pass for another."""
    if "chosen" in entry or "rejected" in entry:
        return "preference"
    if "label" in entry:
        return "labelled"
    if "messages" in entry or "completion" in entry:
        return "demonstration"
    return "prompt" if "prompt" in entry else None


def _parts(kind: str, entry: dict[str, Any]) -> tuple[str, ...]:
    """The form of a row of this kind: the one whose first part is there, else the first."""
    if kind == "demonstration" and "messages" not in entry and "completion" in entry:
        return PARTS[kind][1]
    return PARTS[kind][0]


def _clean(value: Any) -> Any:
    # Only known keys reach a trainer; a stray key in a message would change the output of some templates.
    if isinstance(value, list):
        return [{"role": message["role"], "content": message["content"]} for message in value]
    return value


def _hint(entry: dict[str, Any]) -> str:
    known = {part for forms in PARTS.values() for parts in forms for part in parts}
    hints = (nearest(key, known) for key in entry if key not in known)
    return next((hint for hint in hints if hint), "")


def _check_messages(part: str, messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        found = "an empty one" if messages == [] else _shown(messages)
        raise BadInput(f", field {part!r}: expected a list of messages, found {found}.")
    for position, message in enumerate(messages):
        where = f", field '{part}[{position}]"
        if not isinstance(message, dict):
            raise BadInput(f"{where}': expected a message with role and content, found {_shown(message)}.")
        for key in ("role", "content"):
            if key not in message:
                raise BadInput(f"{where}.{key}': missing.{nearest(key, message)}")
        if message["role"] not in ROLES:
            raise BadInput(f"{where}.role': expected system, user or assistant, found {_shown(message['role'])}.")
        if not isinstance(message["content"], str):
            raise BadInput(f"{where}.content': expected a text, found {_shown(message['content'])}.")
        if not _storable(message["content"]):
            raise BadInput(f"{where}.content': {_HALF_A_PAIR}")
        if message["role"] == "system" and (position or part not in ("messages", "prompt")):
            raise BadInput(f"{where}.role': a system message can only be the first one.")
        if message["role"] != "system" and not message["content"].strip():
            raise BadInput(f"{where}.content': empty.")


def _check_turns(kind: str, parts: tuple[str, ...], entry: dict[str, Any]) -> None:
    if parts == ("messages",):
        if entry["messages"][-1]["role"] != "assistant":
            raise BadInput(", field 'messages': the last message must be the assistant's, it is what is learnt.")
        if all(message["role"] != "user" for message in entry["messages"]):
            raise BadInput(", field 'messages': expected a user's message before the assistant's.")
        return
    if entry["prompt"][-1]["role"] != "user":
        raise BadInput(", field 'prompt': the last message must be the user's, it is what is answered.")
    for part in parts[1:]:
        if len(entry[part]) != 1 or entry[part][0]["role"] != "assistant":
            raise BadInput(f", field {part!r}: expected exactly one assistant message.")
    if kind == "preference" and entry["chosen"][0]["content"] == entry["rejected"][0]["content"]:
        raise BadInput(", field 'rejected': the same text as 'chosen'; a preference needs two answers.")
    if kind == "labelled":
        if "label" not in entry:
            raise BadInput(f", field 'label': missing; true is a thumb up, false one down.{nearest('label', entry)}")
        if not isinstance(entry["label"], bool):
            raise BadInput(f", field 'label': expected true or false, found {_shown(entry['label'])}.")


def _check_extra(entry: dict[str, Any]) -> None:
    def check(key: str, fits: bool, expected: str) -> None:
        if not fits:
            raise BadInput(f", field {key!r}: expected {expected}, found {_shown(entry[key])}.")

    for key in ("persona", "language", "source", "id", "platform", "rater"):
        check(key, entry.get(key) is None or isinstance(entry[key], str), "a text")
    if not _storable(json.dumps(entry, ensure_ascii=False)):
        raise BadInput(f": {_HALF_A_PAIR}")
    for key in ("consent", "tie", "outside_judge"):
        check(key, entry.get(key) is None or isinstance(entry[key], bool), "true or false")
    check("weight", _number(entry.get("weight", 1.0)), "a number of at least 0")
    check("margin", entry.get("margin") is None or _number(entry["margin"]), "a number of at least 0")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: object) -> str:
    # Rows hold people's texts: an error names the type of what it found, and quotes only short, simple values.
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    return f"{value!r}" if isinstance(value, str) and len(value) <= 20 else type(value).__name__
