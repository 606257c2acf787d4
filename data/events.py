"""All current ratings as arrays, with why some do not count, and the raters' weights."""

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.bulk import micros, rows
from data.candidates import ERASED, NO_CONSENT, OVER_QUOTA, SELF_VOTE, VOIDED
from data.facts import Facts, Numbers, plain, read_facts
from data.known import Known, read_known, within
from data.limits import Limits, Spent, over_quota
from data.raters import Panel, Ratings, Reliability, weigh_ratings

VOTE, CORRECTION, COMPARISON, REPORT = 0, 1, 2, 3  # they hold until the rater says something else
_VOID, _RETRACTION, _OTHER = 4, 5, 6
_KINDS = {"vote": 0, "correction": 1, "comparison": 2, "report": 3, "void": _VOID, "retraction": _RETRACTION}
NEITHER, UP, FIRST, SECOND = 0, 1, 2, 3
_VALUES = {"up": UP, "a": FIRST, "b": SECOND}
# Why a rating does not count, by number; 0 stands for none.
PROBLEMS: tuple[str | None, ...] = (None, NO_CONSENT, ERASED, SELF_VOTE, VOIDED, OVER_QUOTA)
_NUMBER = {problem: number for number, problem in enumerate(PROBLEMS)}

_NO_TEXT, _GONE, _TEXT = 0, 1, 2
_DAY = 86_400_000_000
_SERVERS = 1 << 31  # more than there are servers
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RATINGS = """
SELECT r.id, r.rater_id, r.kind, r.generation_id, r.other_id, r.value, r.created_at, r.text_version_id, v.id, v.text
FROM ratings r LEFT JOIN message_versions v ON v.id = r.text_version_id ORDER BY r.id
"""
_NAMED = "SELECT source_id, rater, created_at FROM imported_rows WHERE rater IS NOT NULL ORDER BY id"


@dataclass(frozen=True, slots=True)
class Events:
    """The current ratings in the order of recording, an array each; `answer` and `other` are places in the facts."""

    number: Numbers
    rater: Numbers  # the person
    kind: NDArray[np.uint8]
    answer: Numbers
    other: Numbers  # -1 for one answer alone
    value: NDArray[np.uint8]
    at: Numbers
    text: Numbers  # what the rating's own text says (see `Facts`)
    written: NDArray[np.uint8]  # whether it has one
    version: Numbers  # of that text
    problem: NDArray[np.uint8]

    @property
    def preferred(self) -> Numbers:
        """The answer that each comparison prefers; -1 for none."""
        found = np.where(self.value == FIRST, self.answer, np.where(self.value == SECOND, self.other, -1))
        return np.where(self.kind == COMPARISON, found, -1)

    def of(self, kind: int) -> Numbers:
        """The places of the events of one kind."""
        return np.flatnonzero(self.kind == kind)

    def lets_outside(self, event: int, known: Known) -> bool:
        """Whether the rater lets an outside judge read what they rated."""
        if self.written[event] == _GONE:
            return False
        return within(known.outside, int(self.rater[event]), int(self.at[event]))


class Recorded(NamedTuple):
    """All answers and ratings of one moment, and what is known of people and raters."""

    known: Known
    facts: Facts
    events: Events
    panel: Panel


def read_recorded(connection: sqlite3.Connection, database: Path) -> Recorded:
    """Read them from a database, through a connection to it that has just been opened. It blocks."""
    # This connection sees one moment, and what is known of people is read after that moment has begun.
    connection.execute("SELECT count(*) FROM standings").fetchone()
    known = read_known(database)
    facts = read_facts(connection, known)
    return Recorded(known, facts, *read_events(connection, facts, known))


def read_events(connection: sqlite3.Connection, facts: Facts, known: Known) -> tuple[Events, Panel]:
    """Read the ratings of a database, and weigh their raters."""
    events = _current(connection, facts)
    for number, (rater, at) in enumerate(zip(events.rater.tolist(), events.at.tolist(), strict=True)):
        if not known.covered(rater, at):
            events.problem[number] = _NUMBER[NO_CONSENT]
    open_ = events.problem == 0
    events.problem[open_ & (events.written == _GONE)] = _NUMBER[ERASED]
    _mark(events, self_votes(events, facts), SELF_VOTE)
    _mark(events, np.isin(events.rater, list(known.voided)), VOIDED)
    # Nothing is left of an answer that was erased: the store weighs its raters as if it had never been given.
    stands = ~facts.erased[events.answer] & ~np.where(events.other < 0, False, facts.erased[events.other])
    counted = (events.problem == 0) & stands
    over, refused = _over_quota(connection, events, np.flatnonzero(counted), facts, known)
    _mark(events, over, OVER_QUOTA)
    panel = _panel(events, counted & ~over, facts, known)
    out = {known.names[person]: _TAKEN_OUT for person in known.voided}
    return events, Panel({**panel.raters, **out}, panel.method, refused, _servers(events, facts, known))


_TAKEN_OUT = Reliability(0.0, 0, 0, "an operator took their ratings out")


def _mark(events: Events, these: NDArray[np.bool_], problem: str) -> None:
    events.problem[these & (events.problem == 0)] = _NUMBER[problem]


def _current(connection: sqlite3.Connection, facts: Facts) -> Events:
    """The current ones: a rater's newest rating of an answer or a pair, without what was taken back or voided."""
    numbers, small = array("q"), array("B")
    for number, rater, kind, answer, other, value, at, _, version, text in rows(connection, _RATINGS):
        said = 0 if text is None else hash(plain(text))
        numbers.extend((number, rater, answer, -1 if other is None else other, micros(at), said, version or -1))
        written = _NO_TEXT if version is None else _GONE if text is None else _TEXT
        # An empty correction says nothing by which a vote for it would be known.
        small.extend((_KINDS.get(kind, _OTHER), _VALUES.get(value or "", NEITHER), written, bool(text)))
    big = np.frombuffer(numbers, dtype=np.int64).reshape(-1, 7)
    little = np.frombuffer(small, dtype=np.uint8).reshape(-1, 4)
    kept = _kept(big, little[:, 0])
    number, rater, answer, other, at, text_, version_ = (np.ascontiguousarray(each) for each in big[kept].T)
    kinds, value_, written_, _ = (np.ascontiguousarray(each) for each in little[kept].T)
    return Events(
        number=number,
        rater=rater,
        kind=kinds,
        answer=facts.place(answer),
        other=np.where(other < 0, -1, facts.place(other)),
        value=value_,
        at=at,
        text=text_,
        written=written_,
        version=version_,
        problem=np.zeros(len(number), dtype=np.uint8),
    )


def _kept(big: Numbers, kind: NDArray[np.uint8]) -> Numbers:
    """The places of the current ones among all events."""
    number, rater, answer, other = (big[:, column] for column in range(4))
    places = np.flatnonzero(kind <= REPORT)
    low = np.minimum(answer, np.where(other < 0, answer, other))[places]
    high = np.maximum(answer, other)[places]
    order = np.lexsort((places, high, low, kind[places], rater[places]))
    keys = np.stack([rater[places], kind[places].astype(np.int64), low, high])[:, order]
    last = np.ones(len(order), dtype=bool)
    last[:-1] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    newest = np.sort(places[order[last]])
    voided = _last(answer[kind == _VOID], number[kind == _VOID])
    back = kind == _RETRACTION
    retracted = _last(_abouts(big[back]), number[back])
    if not voided and not retracted:
        return newest
    found = []
    for place in newest.tolist():
        mine, about = int(number[place]), int(answer[place])
        gone = max(voided.get(about, 0), voided.get(int(other[place]), 0))
        if kind[place] in (VOTE, COMPARISON):  # other ratings have texts, which are erased instead
            (taken,) = _abouts(big[place : place + 1])
            gone = max(gone, retracted.get(taken, 0))
        if gone < mine:
            found.append(place)
    return np.array(found, dtype=np.int64)


def _abouts(big: Numbers) -> list[tuple[int, int, int]]:
    """What some events are about: the answer, or the two in either order, and the rater."""
    return [(min(one, two), max(one, two), rater) for _, rater, one, two, *_ in big.tolist()]


def _last(keys: Iterable[Any], numbers: Numbers) -> dict[Any, int]:
    """The last event about each."""
    return dict(zip(keys, numbers.tolist(), strict=True))


def self_votes(events: Events, facts: Facts) -> NDArray[np.bool_]:
    """Which ratings are people's for their own texts.

    Everybody rates the answers to their own questions. A self-vote is a vote on, or a preference for, an answer that
    is word for word a correction by the same rater: the correction has said it already.
    """
    corrections = events.of(CORRECTION)
    theirs = corrections[events.written[corrections] == _TEXT]
    theirs = theirs[events.text[theirs] != facts.text[events.answer[theirs]]]
    written = set(zip(events.rater[theirs].tolist(), events.text[theirs].tolist(), strict=True))
    found = np.zeros(len(events.number), dtype=bool)
    if not written:
        return found
    judged = np.where(events.kind == VOTE, events.answer, events.preferred)
    some = np.flatnonzero((judged >= 0) & np.isin(events.rater, [rater for rater, _ in written]))
    for place in some.tolist():
        found[place] = (int(events.rater[place]), int(facts.text[judged[place]])) in written
    return found


def _over_quota(
    connection: sqlite3.Connection, events: Events, counted: Numbers, facts: Facts, known: Known
) -> tuple[NDArray[np.bool_], dict[str, str]]:
    """Which ratings came after a day's quota was used up, and the same of imported rows that name their rater."""
    vouched = {known.names[person] for person in known.vouched}
    out = {known.names[person] for person in known.voided}
    named: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for source, rater, at in rows(connection, _NAMED):
        named[micros(at) // _DAY].append((source, rater, micros(at)))
    days = events.at[counted] // _DAY
    order = np.argsort(days, kind="stable")
    over = np.zeros(len(events.number), dtype=bool)
    refused: dict[str, str] = {}
    edges = np.searchsorted(days[order], sorted({*np.unique(days).tolist(), *named}))
    for day, start, end in zip(sorted({*np.unique(days).tolist(), *named}), edges, [*edges[1:], len(order)]):  # noqa: B905 - one of each for a day
        imported = named.get(day, [])
        refused |= {source: VOIDED for source, rater, _ in imported if rater in out}
        if not _may_be_over(events.rater[counted[order[start:end]]], len(imported), known.limits):
            continue
        spent = [
            Spent(
                int(events.number[place]),
                known.names[int(events.rater[place])],
                None if facts.server[events.answer[place]] < 0 else int(facts.server[events.answer[place]]),
                _time(int(events.at[place])),
            )
            for place in counted[order[start:end]].tolist()
        ]
        spent += [Spent(source, rater, None, _time(at)) for source, rater, at in imported]
        found = over_quota(spent, known.limits, exempt=vouched)
        numbers = np.array([name for name in found if isinstance(name, int)], dtype=np.int64)
        over[np.searchsorted(events.number, numbers)] = True
        refused |= {source: OVER_QUOTA for source, *_ in imported if source in found and source not in refused}
    return over, refused


def _may_be_over(raters: Numbers, imported: int, limits: Limits) -> bool:
    """Whether a day's ratings, each by one of these raters, and imported rows are too many for any quota."""
    most = int(np.unique(raters, return_counts=True)[1].max(initial=0)) + imported
    total = len(raters) + imported
    quotas = ((most, limits.per_person), (total, limits.per_server), (total, limits.per_day))
    return any(limit and count > limit for count, limit in quotas)


def _time(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _servers(events: Events, facts: Facts, known: Known) -> dict[str, int]:
    """The server on which each rater rated most, by the ratings that count."""
    server = facts.server[events.answer]
    on = (server >= 0) & (events.problem == 0)
    place, count = np.unique(events.rater[on] * _SERVERS + server[on], return_counts=True)
    often = place[np.argsort(count, kind="stable")]  # the most frequent one comes last, and stays
    return {known.names[rater]: number for rater, number in (divmod(each, _SERVERS) for each in often.tolist())}


def _panel(events: Events, counted: NDArray[np.bool_], facts: Facts, known: Known) -> Panel:
    """Weigh the raters by their votes and comparisons. Ties do not show who tells good from bad.

    The same text answered to the same prompt is one item, however often it was generated and rated.
    """
    preferred = events.preferred
    mine, other = facts.item[events.answer], facts.item[events.other]
    vote, compared = events.kind == VOTE, (preferred >= 0) & (mine != other)
    low, high = np.minimum(mine, other), np.maximum(mine, other)
    with np.errstate(over="ignore"):
        pair = (low * np.uint64(0x9E3779B97F4A7C15)) ^ (high * np.uint64(0xC2B2AE3D27D4EB4F))
    item = np.where(vote, mine, pair)
    value = np.where(vote, events.value == UP, facts.item[preferred] == low)
    kept = counted & (vote | compared)
    people, rater = np.unique(events.rater[kept], return_inverse=True)
    names = [known.names[person] for person in people.tolist()]
    ratings = Ratings(names, rater.astype(np.int64), item[kept], value[kept], events.at[kept])
    everybody = np.unique(events.rater[counted & (events.kind != REPORT)]).tolist()
    vouched = {known.names[person] for person in known.vouched}
    return weigh_ratings(ratings, {known.names[person] for person in everybody}, vouched)
