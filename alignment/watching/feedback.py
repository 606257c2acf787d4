"""How much feedback has come that no round has seen: counted, without reading a text.

A round decides what may be used (`data.datasets`), which takes seconds to minutes. This count takes an index: it
leaves out people who do not consent and, without Discord's permission, what came through Discord, and knows nothing
of duplicates and unreliable raters. So it may be a little higher than what a round finds.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from data.bulk import reading
from data.home import DATABASE

_NEWEST = "SELECT ifnull((SELECT max(id) FROM ratings), 0), ifnull((SELECT max(id) FROM imported_rows), 0)"
_AT = """
SELECT ifnull((SELECT max(id) FROM ratings WHERE created_at <= :at), 0),
    ifnull((SELECT max(id) FROM imported_rows WHERE created_at <= :at), 0)
"""
# Two clicks on one answer are one rating. Comparisons of a trial from Discord decide about it, permission or not.
_RATINGS = """
SELECT count(*) FROM (
    SELECT DISTINCT r.rater_id, r.kind, r.generation_id, r.other_id FROM ratings r
    WHERE r.id > :ratings AND r.kind IN ('vote', 'comparison', 'correction')
    AND (:permission OR r.platform <> 'discord' OR (:trial AND r.kind = 'comparison'))
    AND (SELECT c.granted FROM consents c WHERE c.person_id = r.rater_id ORDER BY c.id DESC LIMIT 1)
)
"""
_ROWS = """
SELECT count(*) FROM imported_rows WHERE id > :rows AND consented AND (:permission OR platform <> 'discord')
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest rating and the newest imported row up to which feedback is known, by their ids."""

    ratings: int = 0
    rows: int = 0


def newest(home: Path) -> Mark:
    """Up to where there is feedback now. Raises `StoreError`."""
    return _mark(home, _NEWEST, {})


def newest_at(home: Path, at: str) -> Mark:
    """Up to where there was feedback at a time (ISO 8601, in UTC). Raises `StoreError`."""
    stored = at.replace("T", " ").partition("+")[0]  # as the database holds times
    return _mark(home, _AT, {"at": stored})


def _mark(home: Path, query: str, values: dict[str, object]) -> Mark:
    with _database(home) as connection:
        return Mark(*connection.execute(query, values).fetchone()) if connection else Mark()


def fresh(home: Path, seen: Mark, *, permission: bool, trial: bool) -> int:
    """How many ratings and imported rows came after a mark. Raises `StoreError`.

    `permission`: what came through Discord may train; `trial`: a release is on trial.
    """
    values = {"ratings": seen.ratings, "rows": seen.rows, "permission": permission, "trial": trial}
    with _database(home) as connection:
        if connection is None:
            return 0
        (ratings,) = connection.execute(_RATINGS, values).fetchone()
        (rows,) = connection.execute(_ROWS, values).fetchone()
    return int(ratings) + int(rows)


@contextmanager
def _database(home: Path) -> Iterator[sqlite3.Connection | None]:
    """A home's database; None before there is one, and while a bot that starts for the first time makes it."""
    if not (home / DATABASE).exists():
        yield None
        return
    with reading(home / DATABASE) as connection:
        made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ratings'").fetchone()
        yield connection if made else None
