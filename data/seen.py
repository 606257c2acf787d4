"""Which feedback a round has seen, as its manifest says it. `data.fresh` counts what is new since then."""

from dataclasses import dataclass, replace

from data.manifests import Entries

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Seen(Entries):
    """The feedback that a round has seen: all ratings and imported rows up to these ids, without those in the ranges.

    The round could not use those in the ranges. A range is the first id and the last one. `ratings_at` and `rows_at`
    are the times of the feedback with these ids, as the database holds them; earlier versions did not note them.
    """

    ratings: int = 0
    rows: int = 0
    held_ratings: Ranges = ()
    held_rows: Ranges = ()
    ratings_at: str | None = None
    rows_at: str | None = None

    def after(self, before: "Seen") -> "Seen":
        """Both together, where a round saw `before` and a later one this, which may be less."""
        found = self
        if before.ratings > self.ratings:
            held = (*self.held_ratings, *_above(before.held_ratings, self.ratings))
            found = replace(found, ratings=before.ratings, ratings_at=before.ratings_at, held_ratings=held)
        if before.rows > self.rows:
            held = (*self.held_rows, *_above(before.held_rows, self.rows))
            found = replace(found, rows=before.rows, rows_at=before.rows_at, held_rows=held)
        return found

    def up_to(self, newest: "Seen") -> "Seen":
        """The same where this is the newest feedback that was seen."""
        return replace(
            newest,
            held_ratings=_below(self.held_ratings, newest.ratings),
            held_rows=_below(self.held_rows, newest.rows),
        )


def _above(ranges: Ranges, most: int) -> Ranges:
    """The parts of ranges above an id."""
    return tuple((max(start, most + 1), end) for start, end in ranges if end > most)


def _below(ranges: Ranges, most: int) -> Ranges:
    """The parts of ranges up to an id."""
    return tuple((start, min(end, most)) for start, end in ranges if start <= most)
