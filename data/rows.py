"""The rows that training reads: JSON lines in TRL's conversational formats, checked when they are read.

    demonstration         {"messages": [{"role": ..., "content": ...}, ...]}         every assistant turn is trained
                          {"prompt": [...], "completion": [one assistant message]}   the completion alone is trained
    preference            {"prompt": [...], "chosen": [one assistant message], "rejected": [one assistant message]}
    labelled completion   {"prompt": [...], "completion": [one assistant message], "label": true}
    prompt                {"prompt": [...]}

An assistant's turn in `messages` with `weight` 0 is read and not trained. `tools` holds the functions that the
assistant may call. Other keys are kept, and the trainers ignore them. `data.formats` turns other forms into these.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from data.chat import GENERIC_CONTROL, harmless_messages, harmless_value
from data.errors import BadInput
from data.home import write_atomic
from data.reading import records
from data.row import KINDS, PARTS, TOOLS, Row, content_id
from data.row_checks import parse_row

__all__ = [
    "EXPORTED",
    "KINDS",
    "PARTS",
    "Checked",
    "Row",
    "check_rows",
    "content_id",
    "for_others",
    "line",
    "parse_row",
    "read_rows",
    "write_rows",
]

# The kinds by the names under which people export them.
EXPORTED = {
    "demonstrations": "demonstration",
    "preferences": "preference",
    "labelled": "labelled",
    "prompts": "prompt",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """The rows of a file or data set, and a sentence for each row that cannot be used."""

    rows: list[Row]
    problems: list[str]


def check_rows(source: Path | str, kind: str | None = None, *, allow_download: bool = False) -> Checked:
    """Read and check all rows of a source (see `data.reading`). With `kind`, all rows must be of that kind.

    Raises `BadInput` when the source cannot be read or holds no rows. A wrong row is a sentence in `problems`; it
    names file, line and field, and what was expected there.
    """
    rows: list[Row] = []
    problems: list[str] = []
    for record in records(source, allow_download=allow_download):
        try:
            if record.problem:
                raise BadInput(record.problem)
            rows.append(parse_row(record.value, kind, record.number))
        except BadInput as error:
            problems.append(f"{record.place}{error}")
        except RecursionError:
            problems.append(f"{record.place}: nested too deeply to be a row.")
    if not rows and not problems:
        raise BadInput(f"{source} holds no rows; expected one JSON object a line.")
    return Checked(rows, problems)


def read_rows(source: Path | str, kind: str | None = None, *, allow_download: bool = False) -> list[Row]:
    """The rows of a source, all of which must be right. Raises `BadInput` with the first wrong row's sentence."""
    found = check_rows(source, kind, allow_download=allow_download)
    if found.problems:
        more = len(found.problems) - 1
        others = f" ({more} more of {more + 1 + len(found.rows)} rows cannot be used.)" if more else ""
        raise BadInput(found.problems[0] + others)
    return found.rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines in one step, private to the owner. One row at a time is in memory."""
    write_atomic(path, map(line, rows))


def line(row: Row) -> bytes:
    """A row as a line of JSON."""
    return f"{json.dumps({**row.data, **row.extra}, ensure_ascii=False)}\n".encode()


def for_others(row: Row) -> Row:
    """A row for other trainers, which may not know that people can type control tokens: those of every known family
    of chat models are made harmless, because nobody knows which base will read the file. A release's number is left
    out: it means another release elsewhere."""
    data = {part: harmless_messages(row.data[part], GENERIC_CONTROL) for part in row.parts}
    for part in row.parts:
        for message, before in zip(data[part], row.data[part], strict=True):
            if "weight" in before:
                message["weight"] = before["weight"]
    tools = {TOOLS: harmless_value(row.tools, GENERIC_CONTROL)} if row.tools else {}
    extra = {name: value for name, value in row.extra.items() if name != "release"}
    return replace(row, data={**row.data, **data, **tools}, extra=extra)
