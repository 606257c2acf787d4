"""How much feedback is new since a round: counted in the database, without reading a text or making a row.

A round decides what may be used (`data.datasets`), which takes seconds to minutes. This takes moments, since it looks
only at what came after the round and at what that round held back. It knows who consents, what came through Discord
without its permission, who may teach where, whose ratings an operator took out, and the daily quotas of ratings. It
knows nothing of duplicates, of unreliable raters and of who else is in a conversation. So it may be a little higher
than what a round finds.

A round notes in its manifest which feedback it has seen (`data.seen`). What it held back counts as new once it may be
used: after a permission was set, say, a server was allowed to teach, or a quota was raised.
"""

import json
import sqlite3
from bisect import bisect
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from data.bulk import reading, rows
from data.home import DATABASE
from data.limits import Limits, Spent, limits_set, over_quota
from data.seen import Ranges, Seen

_EVER = 1 << 62
# The newest rating, and the newest imported row, up to an id and a time.
_RATING = """
SELECT id, created_at FROM ratings WHERE id <= :most AND (:at IS NULL OR created_at <= :at) ORDER BY id DESC LIMIT 1
"""
_ROW = """
SELECT id, created_at FROM imported_rows WHERE id <= :most AND (:at IS NULL OR created_at <= :at)
ORDER BY id DESC LIMIT 1
"""
_TEACHES = "SELECT id FROM servers WHERE platform_id IN (SELECT value FROM json_each(:listed))"
_FIRST_TEACHES = "SELECT server_id FROM conversations WHERE server_id IS NOT NULL ORDER BY id LIMIT 1"
# A yes covers what is said after it, and a no takes back every yes before it (`data.consent`).
_RATINGS = """
SELECT r.id, r.rater_id, r.kind, r.generation_id, r.other_id, r.created_at, c.server_id,
    'discord' IN (r.platform, c.platform)
FROM json_each(:among) a
CROSS JOIN ratings r ON r.id BETWEEN json_extract(a.value, '$[0]') AND json_extract(a.value, '$[1]')
JOIN generations g ON g.id = r.generation_id
JOIN conversations c ON c.id = g.conversation_id
LEFT JOIN servers s ON s.id = c.server_id
WHERE r.kind IN ('vote', 'comparison', 'correction')
AND (:days IS NULL OR substr(r.created_at, 1, 10) IN (SELECT value FROM json_each(:days)))
AND (:permission OR 'discord' NOT IN (r.platform, c.platform))
AND EXISTS (
    SELECT 1 FROM consents y WHERE y.person_id = r.rater_id AND y.granted AND y.at <= r.created_at
    AND NOT EXISTS (SELECT 1 FROM consents n WHERE n.person_id = y.person_id AND NOT n.granted AND n.id > y.id)
)
AND NOT EXISTS (SELECT 1 FROM standings t WHERE t.person_id = r.rater_id AND t.voided_at IS NOT NULL)
AND (c.server_id IS NULL OR (s.may_teach AND c.server_id IN (SELECT value FROM json_each(:teaching))))
ORDER BY substr(r.created_at, 1, 10), r.id
"""
_ROWS = """
SELECT r.id FROM json_each(:among) a
CROSS JOIN imported_rows r ON r.id BETWEEN json_extract(a.value, '$[0]') AND json_extract(a.value, '$[1]')
WHERE r.consented AND (:permission OR r.platform <> 'discord')
"""
_ALL_RATINGS = "SELECT id FROM ratings WHERE kind IN ('vote', 'comparison', 'correction') ORDER BY id"
_ALL_ROWS = "SELECT id FROM imported_rows ORDER BY id"


def newest(home: Path) -> Seen:
    """Everything that there is now. Raises `StoreError`."""
    return seen_of(home, Seen(ratings=_EVER, rows=_EVER))


def newest_at(home: Path, at: str) -> Seen:
    """Everything that there was at a time (ISO 8601, in UTC). Raises `StoreError`."""
    stored = at.replace("T", " ").partition("+")[0]  # as the database holds times
    return seen_of(home, Seen(ratings=_EVER, rows=_EVER, ratings_at=stored, rows_at=stored))


def seen_of(home: Path, seen: Seen) -> Seen:
    """What a round has seen of the feedback that is in the database now. Raises `StoreError`.

    An id may mean other feedback by now: an older backup was restored, or the person who gave the newest ratings had
    everything of theirs forgotten, and then the next ratings got these ids. Its time tells.
    """
    with _database(home) as connection:
        return seen.up_to(_last(connection, seen)) if connection else Seen()


def _last(connection: sqlite3.Connection, seen: Seen) -> Seen:
    """The newest of the feedback that was seen, by id and time."""
    ratings = connection.execute(_RATING, {"most": seen.ratings, "at": seen.ratings_at}).fetchone()
    imported = connection.execute(_ROW, {"most": seen.rows, "at": seen.rows_at}).fetchone()
    (rating, rating_at), (row, row_at) = ratings or (0, None), imported or (0, None)
    return Seen(ratings=rating, ratings_at=rating_at, rows=row, rows_at=row_at)


def seen_now(home: Path, *, permission: bool) -> Seen:
    """What a round that begins now sees. It reads all ratings' numbers.

    Raises `StoreError`, and `BadInput` for invalid quotas.

    `permission`: what came through Discord may train.
    """
    limits = limits_set()
    with _database(home) as connection:
        if connection is None:
            return Seen()
        last = _last(connection, Seen(ratings=_EVER, rows=_EVER))
        usable = {"ratings": bytearray(last.ratings + 1), "rows": bytearray(last.rows + 1)}
        for rating in _usable(connection, [(0, _EVER)], limits, permission=permission):
            usable["ratings"][rating.id] = 1
        for (row,) in rows(connection, _ROWS, {"among": _listed([(0, _EVER)]), "permission": permission}):
            usable["rows"][row] = 1
        return replace(
            last,
            held_ratings=_held((each for (each,) in rows(connection, _ALL_RATINGS)), usable["ratings"]),
            held_rows=_held((each for (each,) in rows(connection, _ALL_ROWS)), usable["rows"]),
        )


def fresh(home: Path, seen: Seen, *, permission: bool, trial: bool) -> int:
    """How many ratings and imported rows may be used now that had not been seen. Raises as `seen_now` does.

    Several clicks of a person on one answer in a day are one rating. `permission`: what came through Discord may
    train; `trial`: a release is on trial. Then comparisons from Discord count, which decide it with or without the
    permission.
    """
    limits = limits_set()
    since = [(seen.ratings + 1, _EVER)]
    with _database(home) as connection:
        if connection is None:
            return 0
        new = sorted([*seen.held_ratings, *since])
        ratings = _among(_usable(connection, new, limits, permission=permission), new)
        if trial and not permission:
            later = _usable(connection, since, Limits(0, 0, 0, limits.servers), permission=True)
            ratings += _among((each for each in later if each.kind == "comparison" and each.discord), since)
        among = {"among": _listed([*seen.held_rows, (seen.rows + 1, _EVER)]), "permission": permission}
        return ratings + sum(1 for _ in rows(connection, _ROWS, among))


class _Given(NamedTuple):
    """One rating that may be used, as far as its quota lets it."""

    id: int
    rater: int
    kind: str
    answer: int
    other: int | None
    at: str
    server: int | None
    discord: int

    @property
    def about(self) -> tuple[object, ...]:
        """What a later click says anew."""
        return self.rater, self.kind, self.answer, self.other


def _usable(
    connection: sqlite3.Connection, among: Sequence[tuple[int, int]], limits: Limits, *, permission: bool
) -> Iterator[_Given]:
    """The ratings with ids in these ranges that may be used, day by day."""
    query = _FIRST_TEACHES if limits.servers is None else _TEACHES
    teaching = connection.execute(query, {"listed": _listed(limits.servers or ())})
    values = {"permission": permission, "teaching": _listed([server for (server,) in teaching]), "days": None}
    days = {given.at[:10] for given in _given(connection, values, among)}
    if not days:
        return
    vouched = "SELECT person_id FROM standings WHERE vouched_at IS NOT NULL AND voided_at IS NULL"
    exempt = {person for (person,) in connection.execute(vouched)}
    # All ratings of a day use its quotas up.
    whole = _given(connection, {**values, "days": _listed(sorted(days))}, [(0, _EVER)])
    for _, day in groupby(whole, key=lambda given: given.at[:10]):
        given = list(day)
        over = _over(given, limits, exempt)
        yield from (each for each in given if each.about not in over)


def _given(
    connection: sqlite3.Connection, values: dict[str, Any], among: Sequence[tuple[int, int]]
) -> Iterator[_Given]:
    return (_Given(*row) for row in rows(connection, _RATINGS, {**values, "among": _listed(among)}))


def _over(given: Sequence[_Given], limits: Limits, exempt: Collection[int]) -> set[object]:
    """What those ratings of a day are about that came after its quotas were used up."""
    least = min((quota for quota in (limits.per_person, limits.per_server, limits.per_day) if quota), default=0)
    if not least or len(given) <= least:
        return set()
    newest_of = {each.about: each for each in given}
    spent = (
        Spent(about, each.rater, each.server, datetime.fromisoformat(f"{each.at}+00:00"))
        for about, each in newest_of.items()
    )
    return set(over_quota(spent, limits, exempt))


def _among(usable: Iterable[_Given], ranges: Sequence[tuple[int, int]]) -> int:
    """How many of the ratings are in the ranges, which are sorted; clicks of a day that say the same anew are one."""
    starts = [start for start, _ in ranges]
    found = 0
    for _, day in groupby(usable, key=lambda given: given.at[:10]):
        found += len({each.about for each in day if _within(each.id, starts, ranges)})
    return found


def _within(number: int, starts: Sequence[int], ranges: Sequence[tuple[int, int]]) -> bool:
    place = bisect(starts, number) - 1
    return place >= 0 and number <= ranges[place][1]


def _held(there: Iterable[int], usable: bytearray) -> Ranges:
    """The ranges of ids that are not usable, of all that there are, in order."""
    found: list[tuple[int, int]] = []
    joins = False
    for number in there:
        if usable[number]:
            joins = False
        else:
            found.append((found.pop()[0] if joins else number, number))
            joins = True
    return tuple(found)


def _listed(values: Sequence[object]) -> str:
    return json.dumps(values)


@contextmanager
def _database(home: Path) -> Iterator[sqlite3.Connection | None]:
    """A home's database; None before there is one, and while a bot that starts for the first time makes it."""
    if not (home / DATABASE).exists():
        yield None
        return
    with reading(home / DATABASE) as connection:
        made = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ratings'").fetchone()
        yield connection if made else None
