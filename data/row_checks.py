"""Checks one row and says its kind. The message of every `BadInput` here continues a place: `, field 'x': ...`."""

import json
import re
from typing import Any

from data.errors import BadInput, nearest
from data.formats import converted
from data.platforms import platform_name
from data.row import PARTS, TOOLS, Row
from data.row_messages import HALF_A_PAIR, given, read_messages, shown, storable

# A weight is how often a row is drawn in an epoch, so a larger one would let a single row train for ever.
MOST_WEIGHT = 100
MOST_MARGIN = 1000
# Keys that make a row something else than a demonstration or a prompt, and what to do with such a row.
_VERDICTS = {
    "label": "a row with a verdict is not a {kind}; train it with KTO, or remove the key",
    "chosen": "a {kind} has no better and worse answer; train it with DPO, or remove the key",
    "completion": "a {kind} of messages has no completion; keep one of them",
}
_VERDICT = re.compile(r"^(labels?|kto_.*|completion|.*(chosen|reject|prefer|desirable).*)$")
_SCORE = re.compile(r"^(score|rating|reward|feedback|votes?|thumbs?|liked|is_good|is_bad|correct)$")
# Keys of a whole row that say how to train or render it.
_REFUSED = {
    **dict.fromkeys(
        ("train", "training", "trainable", "loss", "loss_mask", "train_on_input", "mask"),
        "Parley trains the assistant's turns; give a message weight 0 if it should only be read, and remove the key",
    ),
    **dict.fromkeys(
        ("chat_template_kwargs", "documents"),
        "Parley gives a template nothing but messages and tools; remove the key",
    ),
    **dict.fromkeys(
        ("images", "image", "audios", "audio", "videos", "video"), "Parley trains texts only; leave the row out"
    ),
}


def parse_row(entry: object, wanted: str | None = None, line: int = 0) -> Row:
    """Check one row, in our form or another that `data.formats` knows. With `wanted`, it must be of that kind."""
    if not isinstance(entry, dict):
        raise BadInput(f": expected a JSON object, found {shown(entry)}.")
    if not storable(json.dumps(entry, ensure_ascii=False, default=str)):
        _find_half_a_pair(entry)
    entry = converted(entry)
    kind = wanted or _recognised(entry)
    if kind is None:
        found = ", ".join(map(repr, entry)) or "nothing"
        raise BadInput(
            ": expected the keys of a demonstration (messages), preference (prompt, chosen, rejected), labelled "
            f"completion (prompt, completion, label) or prompt (prompt); found {found}.{_hint(entry)}"
        )
    _check_keys(kind, entry)
    parts = _parts(kind, entry)
    data: dict[str, Any] = {}
    for part in parts:
        if part not in entry:
            raise BadInput(f", field {part!r}: missing in a {kind} row.{nearest(part, entry)}")
        data[part] = read_messages(part, entry[part])
    _check_turns(kind, parts, data)
    if kind == "labelled":
        data["label"] = _label(entry)
    if TOOLS in entry:
        data[TOOLS] = entry[TOOLS]
    extra = {key: value for key, value in entry.items() if key not in data}
    if isinstance(extra.get("id"), int | float) and not isinstance(extra["id"], bool):
        extra["id"] = str(extra["id"])
    _check_extra(extra)
    return Row(kind, data, extra, line)


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


def _check_keys(kind: str, entry: dict[str, Any]) -> None:
    """Raise `BadInput` for a key that says that the row is something else than its kind."""
    for key, value in entry.items():
        if key in _REFUSED and given(value):
            raise BadInput(f", field {key!r}: {_REFUSED[key]}.")
    known = set(_parts(kind, entry))
    if kind in ("demonstration", "prompt"):
        for key in entry:
            if key not in known and _VERDICT.match(key):
                sentence = next((text for name, text in _VERDICTS.items() if name in key), _VERDICTS["chosen"])
                raise BadInput(f", field {key!r}: {sentence.format(kind=kind)}.")
            if _SCORE.match(key) and given(entry[key]):
                raise BadInput(
                    f", field {key!r}: it may say that the answer is bad; leave such rows out, and remove the key "
                    "from the others."
                )
        return
    forms = {"messages", "completion", "chosen", "rejected", "label", "rejected_response", "rejected_messages"}
    for key in sorted(forms - known - {"label" if kind == "labelled" else ""}):
        if key in entry and (all(part in entry for part in known) or (key == "messages" and known & entry.keys())):
            raise BadInput(f", field {key!r}: a {kind} row has no such part; keep the keys of one kind of row.")


def _hint(entry: dict[str, Any]) -> str:
    if any(sign in key for key in entry for sign in ";\t"):
        return " Its columns are not separated by commas; save the file with commas."
    if "text" in entry:
        return " Running text has no turns; write it as messages."
    known = {part for forms in PARTS.values() for parts in forms for part in parts} | {"conversations"}
    hints = (nearest(key, known) for key in entry if key not in known)
    return next((hint for hint in hints if hint), "")


def _check_turns(kind: str, parts: tuple[str, ...], data: dict[str, Any]) -> None:
    if parts == ("messages",):
        messages = data["messages"]
        if messages[-1]["role"] != "assistant":
            raise BadInput(", field 'messages': the last message must be the assistant's, it is what is learnt.")
        if all(message["role"] != "user" for message in messages):
            raise BadInput(", field 'messages': expected a user's message before the assistant's.")
        if all(message.get("weight") == 0 for message in messages if message["role"] == "assistant"):
            raise BadInput(", field 'messages': every answer has weight 0, so there is nothing to train.")
        return
    if data["prompt"][-1]["role"] not in ("user", "tool"):
        raise BadInput(", field 'prompt': the last message must be the user's, it is what is answered.")
    for part in parts[1:]:
        if len(data[part]) != 1 or data[part][0]["role"] != "assistant":
            raise BadInput(f", field {part!r}: expected exactly one assistant message.")
    if kind == "preference" and data["chosen"] == data["rejected"]:
        raise BadInput(", field 'rejected': the same text as 'chosen'; a preference needs two answers.")


def _label(entry: dict[str, Any]) -> bool:
    if "label" not in entry:
        raise BadInput(f", field 'label': missing; true is a thumb up, false one down.{nearest('label', entry)}")
    label = entry["label"]
    if not isinstance(label, bool):
        raise BadInput(f", field 'label': expected true or false, found {shown(label)}.")
    return label


def _check_extra(extra: dict[str, Any]) -> None:
    def check(key: str, fits: bool, expected: str) -> None:
        if not fits:
            raise BadInput(f", field {key!r}: expected {expected}, found {shown(extra[key])}.")

    for key in ("persona", "language", "source", "id", "platform", "rater"):
        expected = "a text or a number" if key == "id" else "a text"
        check(key, extra.get(key) is None or isinstance(extra[key], str), expected)
    for key in ("consent", "tie", "outside_judge"):
        check(key, extra.get(key) is None or isinstance(extra[key], bool), "true or false")
    check("weight", _number(extra.get("weight", 1.0), MOST_WEIGHT), f"a number from 0 to {MOST_WEIGHT}")
    margin = extra.get("margin")
    check("margin", margin is None or _number(margin, MOST_MARGIN), f"a number from 0 to {MOST_MARGIN}")
    if extra.get("platform"):
        platform_name(extra["platform"])


def _number(value: object, most: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _find_half_a_pair(entry: dict[str, Any]) -> None:
    """Name the message or the field that holds half of a surrogate pair."""
    for part, value in entry.items():
        for at, message in enumerate(value if isinstance(value, list) else ()):
            if isinstance(message, dict):
                for key in ("content", "value"):
                    if isinstance(message.get(key), str) and not storable(message[key]):
                        raise BadInput(f", field '{part}[{at}].{key}': {HALF_A_PAIR}")
        if isinstance(value, str) and not storable(value):
            raise BadInput(f", field {part!r}: {HALF_A_PAIR}")
    raise BadInput(f": {HALF_A_PAIR}")
