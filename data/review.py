"""The review queue: what the next round would train on, newest first, with why each row counts as much as it does.

Here is what it looks like; `data.review_rows` finds the rows.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from data.errors import BadInput
from data.row import Row

PAGE = 50  # rows

# Why a row counts as much as it does.
FULL = "full"  # in full: nothing lowers or raises it
UNSURE = "unsure"  # somebody who backs it counts less than in full
DISPUTED = "disputed"  # people who count said the opposite, or neither
CAPPED = "capped"  # its people rated so much that one person's share limits each row
RAISED = "raised"  # its people rated so little that each row stands for more
FOLLOWED = "followed"  # made of a follow-up message
IMPORTED = "imported"  # from a file, with the weight that stands there
QUESTION = "question"  # a question alone, which nobody rates
REASONS = (FULL, UNSURE, DISPUTED, CAPPED, RAISED, FOLLOWED, IMPORTED, QUESTION)


class NoSuchPage(BadInput):
    """The queue has fewer pages."""


class NoSuchRow(BadInput):
    """The next round would not train on this row, or it is not made of rated answers."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows to show; an empty text lets all through. `rater` is a pseudonym, as in `python -m data raters`."""

    rater: str = ""
    word: str = ""
    kind: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A row of the queue.

    `raters` has everybody whose rating it is, with how much they count; `before` is its weight before the cap on each
    person's share. `decided` says that its conversation trains; otherwise a draw decides when a round begins.
    `voidable` says that it is made of ratings of answers.
    """

    row: Row
    at: datetime
    raters: tuple[tuple[str, float], ...]
    weight: float
    before: float
    reasons: tuple[str, ...]
    decided: bool
    voidable: bool

    @classmethod
    def read(cls, raw: dict[str, Any]) -> Queued:
        """The row that `Page.to_json` wrote."""
        raters = tuple((name, weight) for name, weight in raw["raters"])
        at, reasons = datetime.fromisoformat(raw["at"]), tuple(raw["reasons"])
        return cls(**{**raw, "row": Row(**raw["row"]), "at": at, "raters": raters, "reasons": reasons})


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the queue, counted from 1, and how many rows and pages the filters leave.

    `left_out` counts what is no row of the queue, by kind and reason, whatever the filters.
    """

    rows: tuple[Queued, ...]
    number: int
    pages: int
    total: int
    left_out: tuple[tuple[str, str, int], ...] = ()

    def to_json(self) -> str:
        """The page as a line of JSON."""
        return json.dumps(asdict(self), default=datetime.isoformat)

    @classmethod
    def from_json(cls, line: str) -> Page:
        """The page that `to_json` wrote."""
        raw = json.loads(line)
        return cls(
            **{
                **raw,
                "rows": tuple(Queued.read(each) for each in raw["rows"]),
                "left_out": tuple(map(tuple, raw["left_out"])),
            }
        )
