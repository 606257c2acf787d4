"""Which feedback a round has seen, as its manifest says it. `data.fresh` counts what is new since then."""

from dataclasses import dataclass, replace

from data.manifests import Entries

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Seen(Entries):
    """The feedback that a round has seen: all ratings and imported rows up to these ids, without those in the ranges.

    The round could not use those in the ranges. A range is the first id and the last one.
    """

    ratings: int = 0
    rows: int = 0
    held_ratings: Ranges = ()
    held_rows: Ranges = ()

    def up_to(self, newest: "Seen") -> "Seen":
        """What of this is in the database now, where `newest` is the newest feedback.

        After a restore from a backup, the database holds less than a later round has seen, and gives the same ids to
        new feedback.
        """
        return replace(self, ratings=min(self.ratings, newest.ratings), rows=min(self.rows, newest.rows))
