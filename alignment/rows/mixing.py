"""Several files of rows as one: their rows in order, with each file's weight on its rows."""

import dataclasses
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.home import rows_sha256
from data.rows import Row, content_id, read_rows


@dataclass(frozen=True)
class RowFile:
    """One of several files that are trained together. `weight` multiplies the weights of its rows."""

    path: str
    weight: float
    rows: int
    duplicates: int
    sha256: str

    def facts(self) -> dict[str, Any]:
        """For the manifest. Paths are left out: the same rows elsewhere are the same run."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name != "path"}


def mix(kind: str, names: Sequence[str], *, allow_download: bool = False) -> tuple[list[Row], list[RowFile]]:
    """Read files of rows or data sets (see `data.reading`), each named as `PATH` or `PATH=WEIGHT`.

    The weight of a file multiplies those of its rows. A file whose name contains `=` is found by its whole name. Rows
    that are also in an earlier file are counted and kept.
    """
    rows: list[Row] = []
    files: list[RowFile] = []
    known: set[str] = set()
    for name in names:
        path, weight = _file(name)
        found = read_rows(path, kind, allow_download=allow_download)
        if weight != 1:
            weighed = ({**row.extra, "weight": weight_of(row) * weight} for row in found)
            found = [dataclasses.replace(row, extra=extra) for row, extra in zip(found, weighed, strict=True)]
        contents = {content_id(row.data) for row in found}
        duplicates = sum(content_id(row.data) in known for row in found)
        known |= contents
        rows += found
        files.append(RowFile(path, weight, len(found), duplicates, source_sha256(path, found)))
    return rows, files


def source_sha256(source: str, rows: Sequence[Row]) -> str:
    """The hash of a file, or of the rows of a data set, which has many files."""
    if Path(source).is_file():
        return rows_sha256(Path(source))
    return hashlib.sha256(" ".join(content_id({**row.data, **row.extra}) for row in rows).encode()).hexdigest()


def _file(name: str) -> tuple[str, float]:
    path, equals, weight = name.rpartition("=")
    if not equals or Path(name).exists():
        return name, 1.0
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", weight) or float(weight) <= 0:
        raise BadInput(
            f"dataset_name: there is no file {name}, and {weight!r} is not a weight for {path}; expected a number "
            f"above 0, as in {Path(path).name}=0.5."
        )
    return path, float(weight)


def weight_of(row: Row) -> float:
    """How often a row is drawn in an epoch (see `order.Draws`)."""
    return float(row.extra.get("weight", 1.0))
