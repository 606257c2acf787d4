"""Reads the files that suites are made of: the product's own prompts, and local copies of public data sets."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from data.errors import BadInput

Item = TypeVar("Item")
PROMPTS = Path(__file__).with_name("prompts")


def find(path: Path, names: Sequence[str]) -> Path:
    """The file that `path` means: itself or, for a folder, the file below it with the first of these names."""
    if path.is_file():
        return path
    if not path.exists():
        raise BadInput(f"There is no file or folder {path}.")
    for name in names:
        for found in sorted(path.rglob(name), key=lambda file: (len(file.parts), file)):
            return found
    raise BadInput(f"{path} holds no {' or '.join(names)}; name the file itself.")


def paths_of(given: Sequence[str], flag: str) -> dict[str, Path]:
    """What `--path SUITE=FILE` means. Raises `BadInput` for anything else."""
    paths = {}
    for entry in given:
        name, equals, path = entry.partition("=")
        if not equals or not path:
            raise BadInput(f"{flag} {entry}: expected SUITE=FILE, for example truthfulness=TruthfulQA.csv.")
        paths[name] = Path(path)
    return paths


def read_text(path: Path) -> str:
    """A file's text, with or without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None


def read_objects(path: Path, kinds: Mapping[str, type]) -> list[dict[str, Any]]:
    """The JSON objects of a file of JSON lines; each must have these fields with values of these types."""
    objects = []
    # Not splitlines(): it also splits at the line separators that a JSON string may contain.
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"{path}, line {number}: not JSON.") from None
        if not isinstance(entry, dict):
            raise BadInput(f"{path}, line {number}: expected a JSON object.")
        for name, kind in kinds.items():
            if not isinstance(entry.get(name), kind):
                raise BadInput(f"{path}, line {number}, field {name!r}: expected {_WORDS[kind]}.")
        objects.append(entry)
    if not objects:
        raise BadInput(f"{path} holds no items; expected one JSON object a line.")
    return objects


def read_items(path: Path, kind: type[Item]) -> tuple[Item, ...]:
    """The JSON objects of a file of JSON lines as data classes whose fields are strings."""
    names = list(kind.__annotations__)
    entries = read_objects(path, dict.fromkeys(names, str))
    return tuple(kind(**{name: entry[name] for name in names}) for entry in entries)


def read_table(path: Path, columns: Sequence[str], *, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV or TSV file with a header, which must name these columns."""
    lines = csv.DictReader(read_text(path).splitlines(keepends=True), delimiter=delimiter)
    missing = [name for name in columns if name not in (lines.fieldnames or [])]
    if missing:
        raise BadInput(f"{path} has no column {missing[0]!r}; its first line must name {', '.join(columns)}.")
    rows = []
    for row in lines:
        if any(row[name] is None for name in columns):
            raise BadInput(f"{path}, line {lines.line_num}: too few columns.")
        rows.append(row)
    if not rows:
        raise BadInput(f"{path} holds a header and no rows.")
    return rows


_WORDS: dict[type, str] = {str: "a string", list: "a list", dict: "an object", bool: "true or false", int: "a number"}
