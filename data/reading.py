"""Reads rows from what people have: JSON lines, a JSON array, CSV, Parquet, Arrow, packed or not; a data set folder;
a data set in the Hugging Face cache.

JSON and CSV are read here, so that an error can name the line, nothing is guessed (the text "NA" stays a text), and
no copy of people's texts is left in a cache. The library `datasets` finds the files of a data set, and reads tables.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadInput, nearest

_PACKED: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ\x00", lzma.decompress),
)
_UNREADABLE = {
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"SQLite format 3": "is a database; export it as JSON lines first",
}
_TABLES = {b"PAR1": "parquet", b"ARROW1": "arrow"}
_NAMES_A_FILE = re.compile(r"\.(jsonl?|ndjson|csv|tsv|parquet|arrow|txt|gz|bz2|xz|zst|zip)$", re.IGNORECASE)
_DATA_FILES = ("*.jsonl*", "*.json", "*.json.gz", "*.csv*", "*.tsv*", "*.parquet", "*.arrow", "README.md")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
# The keys whose cells are not texts in a CSV file.
_FLAGS = ("label", "kto_tag", "consent", "tie", "outside_judge")
_NUMBERS = ("weight", "margin")


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it was read: `value`, or the `problem` that continues `place` (the source, and a line or row)."""

    place: str
    number: int
    value: Any = None
    problem: str = ""


def records(source: Path | str, *, allow_download: bool = False) -> Iterator[Record]:
    """The rows of a file, a data set folder, or a data set by its Hugging Face id.

    `SOURCE#SPLIT` and `SOURCE#CONFIG/SPLIT` choose a part of a data set; otherwise it is `train`, or the only one.
    Nothing is fetched without `allow_download`. Raises `BadInput`, which says what to do, when it cannot be read.
    """
    name, part = str(source), ""
    if not Path(name).exists() and "#" in name:
        name, _, part = name.rpartition("#")
    path = Path(name)
    if path.is_file():
        return _file(path)
    if path.is_dir():
        return _folder(path, name, part)
    if _HUB_ID.fullmatch(name) and not _NAMES_A_FILE.search(name) and not path.parent.is_dir():
        return _folder(_fetched(name, allow_download=allow_download), name, part)
    if path.parent.exists() and not path.parent.is_dir():
        raise BadInput(f"{name} cannot be read: {path.parent} is not a folder.")
    raise BadInput(f"There is no file {name}.")


def _file(path: Path) -> Iterator[Record]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None
    for magic, unpack in _PACKED:
        if content.startswith(magic):
            try:
                content = unpack(content)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise BadInput(f"{path} is compressed, and damaged: {error}.") from None
    for magic, sentence in _UNREADABLE.items():
        if content.startswith(magic):
            raise BadInput(f"{path} {sentence}.")
    for magic, builder in _TABLES.items():
        if content.startswith(magic):
            return _table(path, builder)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & {".csv", ".tsv"}:
        return _csv(path, text, "\t" if ".tsv" in suffixes else ",")
    return _json(path, text)


def _json(path: Path, text: str) -> Iterator[Record]:
    """JSON lines, or one JSON value: an array of rows, an object that holds one array, or a single row."""
    start = text.lstrip()[:1]
    first = text.lstrip().partition("\n")[0]
    if start == "[" or (start == "{" and not _is_json(first)):
        try:
            whole = json.loads(text)
        except (ValueError, RecursionError):
            whole = None
        if isinstance(whole, dict):
            only = next(iter(whole.values())) if len(whole) == 1 else None
            messages = isinstance(only, list) and any(
                isinstance(each, dict) and {"role", "from"} & each.keys() for each in only
            )
            whole = only if isinstance(only, list) and not messages else [whole]
        if isinstance(whole, list) and (start == "{" or all(isinstance(row, dict) for row in whole)):
            for number, value in enumerate(whole, 1):
                yield Record(f"{path}, row {number}", number, value)
            return
    # Not splitlines(): it also splits at the line separators that a JSON string may contain.
    for number, line in enumerate(text.split("\n"), 1):
        # Files that were joined with `cat` have a byte order mark where the next one begins.
        line = line.lstrip("\ufeff")
        if line.strip():
            yield _line(f"{path}, line {number}", number, line)


def _line(place: str, number: int, line: str) -> Record:
    try:
        return Record(place, number, json.loads(line))
    except json.JSONDecodeError as error:
        return Record(place, number, problem=f": not JSON ({error.msg} at column {error.colno}).")
    except (RecursionError, ValueError):  # nested a thousand times, a number of thousands of digits
        return Record(place, number, problem=": not JSON that can be a row.")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _csv(path: Path, text: str, separator: str) -> Iterator[Record]:
    csv.field_size_limit(2**31 - 1)
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for number, row in enumerate(lines, 1):
            place = f"{path}, row {number} (line {lines.line_num})"
            if None in row or None in row.values():
                yield Record(
                    place, number, problem=f": expected {len(lines.fieldnames or ())} cells, one for each name."
                )
            else:
                yield Record(place, number, {key: _cell(key, cell) for key, cell in row.items() if cell != ""})
    except csv.Error as error:
        raise BadInput(f"{path}, line {lines.line_num}: not CSV ({error}).") from None


def _cell(key: str, cell: str) -> Any:
    if key in _FLAGS and cell.strip().lower() in ("true", "false"):
        return cell.strip().lower() == "true"
    if key in _NUMBERS:
        try:
            return float(cell)
        except ValueError:
            return cell
    return cell


def _table(path: Path, builder: str) -> Iterator[Record]:
    load = _library(path).load_dataset
    # Streamed, because a data set that is loaded is copied into a cache.
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            rows = load(builder, data_files=str(path.absolute()), split="train", streaming=True, cache_dir=nowhere)
            for number, value in enumerate(rows, 1):
                yield Record(f"{path}, row {number}", number, _filled(value))
        except Exception as error:  # the library and Arrow raise many kinds
            raise BadInput(f"{path} cannot be read as {builder.title()}: {_first_line(error)}") from error


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    """A table's row without the keys that only other rows have."""
    return {key: value for key, value in row.items() if value is not None}


def _folder(folder: Path, name: str, part: str) -> Iterator[Record]:
    """The rows of one part of a data set: the folder of `Dataset.save_to_disk`, or one with data files."""
    library = _library(name)
    if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        saved = library.load_from_disk(str(folder))
        if isinstance(saved, dict):
            saved = saved[_chosen(name, part, list(map(str, saved)))]
        return (Record(f"{name}, row {number}", number, _filled(value)) for number, value in enumerate(saved, 1))
    config, _, split = part.rpartition("/")
    with tempfile.TemporaryDirectory() as nowhere:
        try:
            found = (
                library.load_dataset_builder(str(folder), config or None, cache_dir=nowhere).config.data_files or {}
            )
        except Exception as error:
            raise BadInput(f"{name} is a folder without a data set: {_first_line(error)}") from error
    files_of = {str(each): files for each, files in found.items()}
    files = files_of[_chosen(name, split, list(files_of))]
    return (record for file in files for record in _file(Path(file)))


def _chosen(name: str, wanted: str, parts: list[str]) -> str:
    """The part of a data set to read."""
    known = ", ".join(parts)
    if wanted and wanted not in parts:
        raise BadInput(f"{name} has no part {wanted!r}; it has {known}.{nearest(wanted, parts)}")
    if wanted or len(parts) == 1 or "train" in parts:
        return wanted or ("train" if "train" in parts else parts[0])
    raise BadInput(f"{name} has several parts ({known}); name one of them, as in {name}#{parts[0]}.")


def _fetched(name: str, *, allow_download: bool) -> Path:
    """The folder in the Hugging Face cache that holds a data set."""
    from huggingface_hub import snapshot_download  # not installed with the bot alone, and slow

    try:
        return Path(
            snapshot_download(
                name, repo_type="dataset", local_files_only=not allow_download, allow_patterns=list(_DATA_FILES)
            )
        )
    except Exception as error:
        if allow_download:
            raise BadInput(f"The data set {name} cannot be fetched: {_first_line(error)}") from error
        raise BadInput(
            f"There is no file or folder {name}, and no data set of that name in the Hugging Face cache. To fetch "
            "it, add --allow_download."
        ) from None


def _library(name: Path | str) -> Any:
    try:
        import datasets  # slow, and not installed with the bot alone; JSON and CSV need nothing
    except ImportError:
        raise BadInput(
            f"{name} needs the package datasets: pip install datasets. Or convert it to JSON lines."
        ) from None
    datasets.disable_progress_bars()
    return datasets


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
