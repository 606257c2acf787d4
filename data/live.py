"""How a trial stands, from what is read of all answers and ratings for rows anyway.

It finds what `data.comparisons.live` finds, which needs an object for every stored row and so many times the time and
memory.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.bulk import reading, rows
from data.errors import BadInput
from data.events import COMPARISON, Recorded, read_recorded, self_votes
from data.facts import Facts, Numbers
from data.home_base import mark_of
from data.releases import Releases
from data.trials import TrialSoFar

# A whole answer only: one that a person stopped, or an error, says nothing about its release.
# Release 0 is one base: answers of the base that it was before count for nothing.
_SIDES = """
SELECT id, release FROM generations WHERE release IN (:champion, :candidate) AND finish_reason IN ('stop', 'length')
AND (release <> 0 OR :base IS NULL OR ifnull(model, :base) = :base)
"""
_WITHDRAWN = """
SELECT person_id FROM consents WHERE NOT granted AND id IN (SELECT max(id) FROM consents GROUP BY person_id)
"""
_CHAMPION, _CANDIDATE, _NEITHER = 1, 2, 4
_BOTH = _CHAMPION + _CANDIDATE


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
    """The same, of what was read already."""
    known, facts, events, panel = recorded
    if pair.champion == pair.candidate:
        raise BadInput(f"Release {pair.champion} cannot be compared with itself.")
    release = _releases(connection, facts, pair)
    weights = {person: panel.weight(known.names[person]) for person in np.unique(events.rater).tolist()}
    out = [person for person, weight in weights.items() if not weight]
    out += [person for (person,) in connection.execute(_WITHDRAWN)]
    one, other = events.answer, events.other
    compared = (events.kind == COMPARISON) & (other >= 0) & (release[one] + release[other] == _BOTH)
    compared &= (facts.rendered[one] == facts.rendered[other]) & facts.teaches[one] & facts.teaches[other]
    compared &= ~(facts.erased[one] | facts.erased[other] | self_votes(events, facts) | np.isin(events.rater, out))
    preferred = events.preferred[compared]
    values = np.where(preferred < 0, 0.5, (release[preferred] == _CANDIDATE).astype(np.float64))
    # Every question counts once, by the mean over its comparisons.
    _, prompt = np.unique(facts.rendered[one[compared]], return_inverse=True)
    means = np.bincount(prompt, values) / np.maximum(1, np.bincount(prompt))
    people = len(np.unique(events.rater[compared]))
    return TrialSoFar(len(means), people, float(means.mean()) if len(means) else 0.5)


def _releases(connection: sqlite3.Connection, facts: Facts, pair: Pair) -> Numbers:
    """Of which of the two releases each answer is."""
    sides = {"champion": pair.champion, "candidate": pair.candidate, "base": pair.base}
    found = np.full(len(facts.generation), _NEITHER, dtype=np.int64)
    numbers = [(number, release == pair.candidate) for number, release in rows(connection, _SIDES, sides)]
    both = np.array(numbers, dtype=np.int64).reshape(-1, 2)
    found[facts.place(both[:, 0])] = np.where(both[:, 1] == 1, _CANDIDATE, _CHAMPION)
    return found
