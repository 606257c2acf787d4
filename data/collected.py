"""The rows that may be used now, as those who train, judge or count them see them."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from data.candidates import FOLLOWUP
from data.prompts import prompts_of
from data.raters import Panel
from data.row import KINDS, Row, content_id
from data.shelved import TIE, Shelf, Use
from data.trials import TrialSoFar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """A row with its fold (which says whether it trains or judges), its platform and its raters."""

    row: Row
    fold: str
    platform: str
    raters: tuple[str, ...] = ()


class _Lazy(Sequence[_T], Generic[_T]):
    """Some rows of a shelf, each read when it is looked at, and again when it is looked at again."""

    def __init__(self, shelf: Shelf, numbers: NDArray[np.int64]) -> None:
        self.shelf, self._numbers = shelf, numbers

    def _read(self, number: int) -> _T:
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[_T]:
        return (self._read(number) for number in self._numbers.tolist())

    @overload
    def __getitem__(self, at: int) -> _T: ...
    @overload
    def __getitem__(self, at: slice) -> "_Lazy[_T]": ...
    def __getitem__(self, at: int | slice) -> "_T | _Lazy[_T]":
        if isinstance(at, slice):
            return type(self)(self.shelf, self._numbers[at])
        return self._read(int(self._numbers[at]))

    def only(self, kept: Callable[[_T], bool]) -> "_Lazy[_T]":
        """Those of the rows for which `kept` holds."""
        return type(self)(self.shelf, self._numbers[np.fromiter(map(kept, self), bool, len(self))])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it is equal to lists


class _Rows(_Lazy[Row]):
    def _read(self, number: int) -> Row:
        return self.shelf.row(number)


class _Prompts(_Lazy[Row]):
    def _read(self, number: int) -> Row:
        return prompts_of([self.shelf.row(number)])[0]


class Shelved(_Lazy[FeedbackRow]):
    """Rows of a shelf with their folds, platforms and raters."""

    @property
    def numbers(self) -> list[int]:
        """Their numbers on the shelf."""
        found: list[int] = self._numbers.tolist()
        return found

    def _read(self, number: int) -> FeedbackRow:
        shelf = self.shelf
        return FeedbackRow(shelf.row(number), shelf.fold(number), shelf.platform(number), shelf.raters_of(number))


@dataclass(slots=True)
class Collected:
    """The rows that may be used now, and why others may not: `dropped` counts them by kind and reason.

    `tied` holds the comparisons that ended in a tie or both bad, as rows of kind `preference` with the extra
    `tie: true`, the earlier answer first. They are kept apart, so that nothing trains on them as preferences. `panel`
    says how much each rater counts, `shares` which share of the weight of a kind and fold each of them holds, without
    rows of follow-ups, `trial` how two releases compare, if `collect` was asked for it. `followups` counts the
    follow-up messages that teach, by kind; it is None where the operator does not let them. `mended` counts the
    preferences of an answer after a complaint over the one before it.

    The rows of an installation are `Shelved`: they and the parts that the methods return are read from a file each
    time they are looked at, because they may be more than fit into memory.
    """

    rows: Sequence[FeedbackRow] = field(default_factory=list)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    tied: Sequence[FeedbackRow] = field(default_factory=list)
    panel: Panel = field(default_factory=lambda: Panel({}, ""))
    shares: dict[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    trial: TrialSoFar | None = None
    followups: Counter[str] | None = None
    mended: int = 0

    def of(self, kind: str, fold: str | None = None) -> Sequence[Row]:
        """The rows of one kind (and fold), ordered by a hash of their content."""
        if isinstance(self.rows, Shelved):
            return _Rows(self.rows.shelf, self.rows.shelf.ordered(KINDS.index(kind), fold))
        return _ordered(f.row for f in self.rows if f.row.kind == kind and fold in (None, f.fold))

    @property
    def ties(self) -> Sequence[Row]:
        """The ties of all folds, ordered by a hash of their content."""
        return self.ties_of()

    def ties_of(self, fold: str | None = None) -> Sequence[Row]:
        """The ties of one fold, or all of them."""
        if isinstance(self.tied, Shelved):
            return _Rows(self.tied.shelf, self.tied.shelf.ordered(TIE, fold))
        return _ordered(f.row for f in self.tied if fold in (None, f.fold))

    def prompts(self, fold: str | None = None) -> Sequence[Row]:
        """Every prompt of a fold, once: the questions that were asked, and the prompts of all other rows."""
        if isinstance(self.rows, Shelved):
            return _Prompts(self.rows.shelf, self.rows.shelf.prompts(fold))
        kinds = ("prompt", *(kind for kind in KINDS if kind != "prompt"))
        return _ordered(prompts_of(row for kind in kinds for row in self.of(kind, fold)))

    def raters(self, *, ties: bool = True, weak: bool = True) -> set[str]:
        """The pseudonyms of the people who made the rows; without `ties` or `weak`, such rows are left out.

        Weak rows are those that follow-up messages made.
        """
        if isinstance(self.rows, Shelved):
            return self.rows.shelf.names(ties=ties, weak=weak)
        found = (row for rows in (self.rows, self.tied if ties else ()) for row in rows)
        return {rater for each in found if weak or each.row.extra.get("source") != FOLLOWUP for rater in each.raters}

    def people(self, fold: str) -> dict[str, tuple[str, ...]]:
        """The raters of each row of a fold that has any, by the row's id."""
        if isinstance(self.rows, Shelved):
            found: Iterable[FeedbackRow] = Shelved(self.rows.shelf, self.rows.shelf.ordered(None, fold))
        else:
            found = self.rows
        return {each.row.id: each.raters for each in found if each.fold == fold and each.raters}

    def counts(self) -> Counter[Use]:
        """How many rows there are of each use."""
        if isinstance(self.rows, Shelved):
            return self.rows.shelf.counts()
        return Counter(
            Use(f.row.kind, f.fold, f.row.extra.get("persona"), f.row.extra.get("language")) for f in self.rows
        )

    def dropped_counts(self) -> dict[str, dict[str, int]]:
        """The counts of dropped rows, sorted, as a manifest holds them."""
        return {kind: dict(sorted(reasons.items())) for kind, reasons in sorted(self.dropped.items())}


def only(rows: Sequence[Row], kept: Callable[[Row], bool]) -> Sequence[Row]:
    """Those of the rows for which `kept` holds; rows that are in a file stay there."""
    return rows.only(kept) if isinstance(rows, _Lazy) else list(filter(kept, rows))


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: content_id(row.data))
