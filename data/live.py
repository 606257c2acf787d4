"""How a trial stands: which of two releases people preferred when they compared answers of both."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.bulk import reading, rows
from data.chat import BY_NAME
from data.errors import BadInput
from data.events import COMPARISON, Recorded, read_recorded, self_votes
from data.facts import Facts, Numbers
from data.home_base import mark_of
from data.releases import Releases
from data.trials import TrialSoFar

# A whole answer only: one that a person stopped, or an error, says nothing about its release.
# Release 0 is one base: answers of the base that it was before count for nothing.
# An answer that is sampled otherwise than the one beside it says nothing either: a program may choose how. The length
# that it may have depends on the engine's context, and matters only where it ended one of the two.
# Nor does an answer of a release that a program chose by its name: whoever votes may know which one it is.
_SIDES = """
SELECT id, release, finish_reason = 'length', json_remove(sampling, '$.seed', '$.max_tokens'),
    json_remove(sampling, '$.seed')
FROM generations WHERE release IN (:champion, :candidate) AND finish_reason IN ('stop', 'length')
AND json_extract(sampling, :by_name) IS NULL AND (release <> 0 OR :base IS NULL OR ifnull(model, :base) = :base)
"""
_WITHDRAWN = """
SELECT person_id FROM consents WHERE NOT granted AND id IN (SELECT max(id) FROM consents GROUP BY person_id)
"""
CHAMPION, CANDIDATE, _NEITHER = 1, 2, 4
_BOTH = CHAMPION + CANDIDATE


@dataclass(frozen=True, slots=True)
class Pair:
    """The numbers of the two releases of a trial, and the mark of the base that release 0 is (`data.home_base`)."""

    champion: int
    candidate: int
    base: str | None = None


def pair_on_trial(home: Path) -> Pair | None:
    """The champion and the release that is on trial now; None without one."""
    releases = Releases(home)
    candidate = releases.candidate()
    return None if candidate is None else Pair(releases.champion(), candidate, mark_of(home))


def trial_now(database: Path, pair: Pair) -> TrialSoFar:
    """The comparisons of two releases so far, without the rows: a fifth of the work. It blocks: call it in a thread.

    Raises `BadInput` when both are the same.
    """
    with reading(database) as connection:
        return trial_of(connection, read_recorded(connection, database), pair)


def trial_of(connection: sqlite3.Connection, recorded: Recorded, pair: Pair) -> TrialSoFar:
    """The same, from what was read already."""
    found = compared(connection, recorded, pair)
    # Every question counts once, by the mean over its comparisons.
    facts, events = recorded.facts, recorded.events
    _, prompt = np.unique(facts.rendered[events.answer[found.events]], return_inverse=True)
    means = np.bincount(prompt, found.values) / np.maximum(1, np.bincount(prompt))
    people = len(np.unique(events.rater[found.events]))
    return TrialSoFar(len(means), people, float(means.mean()) if len(means) else 0.5)


class Compared(NamedTuple):
    """The comparisons of two releases that count, in their order, and which of the two each answer is by.

    A value is 1 when the candidate's answer was preferred, 0 when the champion's was, 0.5 for a tie or both bad.
    """

    events: Numbers  # their places among the events
    values: NDArray[np.float64]
    release: Numbers  # of each answer: `CHAMPION`, `CANDIDATE` or neither


def compared(connection: sqlite3.Connection, recorded: Recorded, pair: Pair) -> Compared:
    """Which comparisons of two releases count. Raises `BadInput` when both are the same."""
    if pair.champion == pair.candidate:
        raise BadInput(f"Release {pair.champion} cannot be compared with itself.")
    known, facts, events, panel = recorded
    release, sampled = _sides(connection, facts, pair)
    weights = {person: panel.weight(known.names[person]) for person in np.unique(events.rater).tolist()}
    out = [person for person, weight in weights.items() if not weight]
    out += [person for (person,) in connection.execute(_WITHDRAWN)]
    one, other = events.answer, events.other
    counts = (events.kind == COMPARISON) & (other >= 0) & (release[one] + release[other] == _BOTH)
    counts &= sampled.alike(one, other)
    counts &= (facts.rendered[one] == facts.rendered[other]) & facts.teaches[one] & facts.teaches[other]
    counts &= ~(facts.erased[one] | facts.erased[other] | self_votes(events, facts) | np.isin(events.rater, out))
    preferred = events.preferred[counts]
    values = np.where(preferred < 0, 0.5, (release[preferred] == CANDIDATE).astype(np.float64))
    return Compared(np.flatnonzero(counts), values, release)


class _Sampled(NamedTuple):
    """How each answer was sampled, as numbers: without its longest length, and with it; and whether that ended it."""

    way: Numbers
    whole: Numbers
    cut: NDArray[np.bool_]

    def alike(self, one: Numbers, other: Numbers) -> NDArray[np.bool_]:
        """Which pairs of answers were sampled alike."""
        whole, way = self.whole[one] == self.whole[other], self.way[one] == self.way[other]
        alike: NDArray[np.bool_] = np.where(self.cut[one] | self.cut[other], whole, way)
        return alike


def _sides(connection: sqlite3.Connection, facts: Facts, pair: Pair) -> tuple[Numbers, _Sampled]:
    """Of which of the two releases each answer is, and how the answers of the two were sampled."""
    sides = {"champion": pair.champion, "candidate": pair.candidate, "base": pair.base, "by_name": f"$.{BY_NAME}"}
    ways: dict[str, int] = {}
    found = [
        (number, release == pair.candidate, cut, ways.setdefault(way, len(ways)), ways.setdefault(whole, len(ways)))
        for number, release, cut, way, whole in rows(connection, _SIDES, sides)
    ]
    number, candidate, cut, way, whole = np.array(found, dtype=np.int64).reshape(-1, 5).T
    count, place = len(facts.generation), facts.place(number)
    release = np.full(count, _NEITHER, dtype=np.int64)
    release[place] = np.where(candidate == 1, CANDIDATE, CHAMPION)
    sampled = _Sampled(np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count, np.bool_))
    sampled.way[place], sampled.whole[place], sampled.cut[place] = way, whole, cut == 1
    return release, sampled
