"""Reads a FAQ: CSV, JSON lines, or Markdown whose headings are the questions."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from data.errors import BadInput, nearest
from data.row_messages import HALF_A_PAIR, storable

LONGEST = 4000  # characters of a question or an answer; longer ones would never fit into a prompt
_NAME = 80  # characters of a file's name that are kept
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*")
_FENCE = re.compile(r"\s*(```|~~~)")
_KEYS = ("question", "answer")


class Entry(NamedTuple):
    """One entry of a FAQ; `place` names its file and where it stands there."""

    question: str
    answer: str
    place: str


def read_faq(path: Path) -> list[Entry]:
    """The entries of a FAQ. Raises `BadInput` with the place of the first entry that cannot be used."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from None
    return entries_of(path, data)


def entries_of(path: PurePath, data: bytes) -> list[Entry]:
    """The entries of a FAQ that was read or sent, by its name; raises `BadInput` as `read_faq` does."""
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text; save it as UTF-8.") from None
    readers = {".csv": _csv, ".jsonl": _json_lines, ".md": _markdown, ".markdown": _markdown}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path} cannot be read as a FAQ: its name must end in one of {', '.join(readers)}.")
    entries = [_checked(path, *each) for each in reader(path, text)]
    if not entries:
        hint = " A question is a heading with #, its answer the text below it." if reader is _markdown else ""
        raise BadInput(f"{path} holds no questions with answers.{hint}")
    return entries


def _checked(path: PurePath, place: str, question: object, answer: object) -> Entry:
    for name, said in zip(_KEYS, (question, answer), strict=True):
        if not isinstance(said, str) or not said.strip():
            raise BadInput(f"{path}, {place}: the {name} is missing, empty or not a text.")
        if len(said) > LONGEST:
            raise BadInput(f"{path}, {place}: the {name} has more than {LONGEST} characters; divide the entry.")
        if not storable(said):
            raise BadInput(f"{path}, {place}: the {name} {HALF_A_PAIR}")
    return Entry(str(question).strip(), str(answer).strip(), f"{path.stem[:_NAME]}{path.suffix}, {place}"[:120])


def _csv(path: PurePath, text: str) -> Iterator[tuple[str, object, object]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
        for key in _KEYS:
            if key not in names:
                raise BadInput(
                    f"{path}, line 1: a column {key!r} is missing.{nearest(key, list(names))} The first line names "
                    "the columns, with commas between them."
                )
        for row in rows:
            if any(each.strip() for each in row.get(None, ())):
                raise BadInput(
                    f"{path}, line {rows.line_num}: there are more columns than line 1 names. Put a text that has a "
                    "comma in it between quotation marks."
                )
            yield f"line {rows.line_num}", row[names["question"]], row[names["answer"]]
    except csv.Error as error:
        raise BadInput(f"{path}, line {rows.reader.line_num}: {error}.") from None


def _json_lines(path: PurePath, text: str) -> Iterator[tuple[str, object, object]]:
    # Not splitlines(): it also splits at the line separators that a JSON string may contain.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"{path}, line {number}: this is not JSON; each line is an object of its own.") from None
        if not isinstance(row, dict):
            raise BadInput(f"{path}, line {number}: expected an object with a question and an answer.")
        yield f"line {number}", row.get("question"), row.get("answer")


def _markdown(_path: PurePath, text: str) -> Iterator[tuple[str, object, object]]:
    """A heading with text below it is an entry; one with only other headings below it is a chapter."""
    heading, lines, fence = "", list[str](), ""
    for line in [*text.split("\n"), "# "]:
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence == mark[1] else fence or mark[1]
        found = None if fence else _HEADING.fullmatch(line)
        if found is None and line != "# ":
            lines.append(line)
            continue
        if heading and any(each.strip() for each in lines):
            yield heading, heading, "\n".join(lines)
        heading, lines = found[2] if found else "", []
