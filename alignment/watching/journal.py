"""What a watch remembers in its home, so that a killed one goes on: marks, failures, and its last decisions.

`watch.json` holds times, counts and the watch's own sentences, and no texts of people. It is private to its owner.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from data.errors import BadInput
from data.manifests import Damaged, Entries, Manifest
from data.seen import Ranges, Seen

NAME = "watch.json"
KEPT = 100  # sentences


@dataclass(frozen=True, kw_only=True)
class Said(Entries):
    """A sentence of a watch, and when it was said (ISO 8601, UTC)."""

    at: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Journal(Manifest):
    """`ratings` and `rows` are the ids up to which a round has seen the feedback, but for what it held back (see
    `data.seen.Seen` for these and their times), `round` the last decided round that this takes into account.

    Times of day up to `handled` are done with. `failures` rounds in a row failed, the last one at `failed_at`.
    `interrupted`: the watch ended its round early. `process` is that of the watch.
    """

    round: int = 0
    ratings: int = 0
    rows: int = 0
    held_ratings: Ranges = ()
    held_rows: Ranges = ()
    ratings_at: str | None = None
    rows_at: str | None = None
    handled: str = ""
    failures: int = 0
    failed_at: str | None = None
    interrupted: bool = False
    process: int = 0
    said: tuple[Said, ...] = ()

    @property
    def seen(self) -> Seen:
        """The feedback that a round has seen."""
        return Seen(
            ratings=self.ratings,
            rows=self.rows,
            held_ratings=self.held_ratings,
            held_rows=self.held_rows,
            ratings_at=self.ratings_at,
            rows_at=self.rows_at,
        )

    def having(self, seen: Seen) -> Self:
        """This journal where a round has seen this feedback."""
        return replace(
            self,
            ratings=seen.ratings,
            rows=seen.rows,
            held_ratings=seen.held_ratings,
            held_rows=seen.held_rows,
            ratings_at=seen.ratings_at,
            rows_at=seen.rows_at,
        )

    @classmethod
    def of(cls, home: Path) -> Self | None:
        """The journal of a home; None before a watch ran there. Raises `BadInput` for a damaged one."""
        path = home / NAME
        try:
            found = cls.load(path)
            for time in (found.handled, found.failed_at, *(each.at for each in found.said)):
                if time is not None:
                    moment(time)
        except FileNotFoundError:
            return None
        except (Damaged, ValueError) as error:
            problem = error.problem if isinstance(error, Damaged) else "a time in it is none"
            raise BadInput(f"{path} is damaged: {problem}. Remove it; the watch then begins without it.") from None
        return found


def moment(text: str) -> datetime:
    """A time as a journal holds it. Raises `ValueError` for anything else."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has no zone")
    return found


def written(time: datetime) -> str:
    """A time as a journal holds it."""
    return time.astimezone(UTC).isoformat(timespec="seconds")
