"""The follow-ups of all answers, found anew each time rows are collected: nothing about them is stored.

A follow-up is the first message that answers an answer, by the person whose question it answered, within an hour. Its
newest text counts, so an edit changes what it says, and an erased one says nothing; there is no second copy of it.

| who said something about the answer before               | what becomes of the follow-up              |
|----------------------------------------------------------|--------------------------------------------|
| the same person rated, corrected or reported it          | it is not looked at, even after a          |
|                                                          | retraction                                 |
| anybody whose rating counts                              | the rating decides                         |
| a moderator voided its ratings                           | it is not looked at                        |
"""

import sqlite3
from array import array
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.bulk import micros, rows
from data.candidates import NO_CONSENT, NO_PERMISSION, OVER_QUOTA, RATED, SELF_VOTE, VOIDED
from data.events import CORRECTION, Events
from data.facts import PROBLEMS as ANSWER_PROBLEMS
from data.facts import Facts, Numbers
from data.followups import GOOD, KINDS, signals
from data.known import Known, within

# Why a follow-up does not count, by number; 0 stands for none.
_OWN = (NO_CONSENT, VOIDED, RATED, SELF_VOTE, NO_PERMISSION, OVER_QUOTA)
PROBLEMS: tuple[str | None, ...] = tuple(dict.fromkeys((None, *_OWN, *ANSWER_PROBLEMS)))
_NUMBER = {problem: number for number, problem in enumerate(PROBLEMS)}
_HOUR, _DAY = 3_600_000_000, 86_400_000_000  # microseconds

# Each answer with the messages below it by the person who asked, the oldest first.
_FOLLOWUPS = """
SELECT g.id, c.author_id, v.author_id, a.created_at, c.created_at, v.created_at, qv.text, av.text, v.text,
       k.platform
FROM generations g
JOIN conversations k ON k.id = g.conversation_id
JOIN messages a ON a.id = g.message_id
JOIN messages q ON q.id = a.parent_id
JOIN messages c ON c.parent_id = a.id AND c.role = 'user' AND c.author_id = q.author_id
JOIN message_versions v ON v.id = (SELECT max(id) FROM message_versions WHERE message_id = c.id)
JOIN message_versions qv ON qv.id = (SELECT max(id) FROM message_versions WHERE message_id = q.id)
JOIN message_versions av ON av.id = g.version_id
WHERE NOT EXISTS (
    SELECT 1 FROM ratings r WHERE r.generation_id = g.id AND (r.rater_id = c.author_id OR r.kind = 'void')
) AND NOT EXISTS (
    SELECT 1 FROM ratings r WHERE r.other_id = g.id AND (r.rater_id = c.author_id OR r.kind = 'void')
)
ORDER BY g.id, c.id
"""


@dataclass(frozen=True, slots=True)
class Followups:
    """The follow-ups in the order of their answers, an array each; `answer` holds places in the facts."""

    answer: Numbers
    rater: Numbers  # the person
    at: Numbers
    kind: NDArray[np.uint8]  # its place in `KINDS`
    certainty: NDArray[np.float64]
    problem: NDArray[np.uint8]
    discord: NDArray[np.bool_]  # whether it was said on Discord

    @property
    def good(self) -> NDArray[np.bool_]:
        """Which ones say that the answer was good."""
        return np.array([GOOD[kind] for kind in KINDS])[self.kind]

    def counts(self) -> Counter[str]:
        """How many of each kind count."""
        found = np.bincount(self.kind[self.problem == 0], minlength=len(KINDS)).tolist()
        return Counter({kind: count for kind, count in zip(KINDS, found, strict=True) if count})


def read_followups(
    connection: sqlite3.Connection, facts: Facts, events: Events, known: Known, permission: str | None
) -> Followups:
    """Read the follow-ups of a database, where the operator lets them teach; else there are none.

    A copy of the answer may have been given elsewhere, and the row is made of that one. So what keeps rows of the
    answer out counts here, too: what was said where nobody may teach, or on Discord without its `permission`, says
    nothing about the copy either.
    """
    found = _read(connection, facts) if known.limits.followups else _none()
    _mark(found, ~_covered(found, known), NO_CONSENT)
    _mark(found, np.isin(found.rater, list(known.voided)), VOIDED)
    _mark(found, rated(found.answer, found.rater, facts, events), RATED)
    _mark(found, own_words(found.answer, found.rater, facts, events), SELF_VOTE)
    _mark(found, found.discord & (not permission), NO_PERMISSION)
    for number, problem in enumerate(ANSWER_PROBLEMS):
        if problem is not None:
            _mark(found, facts.problem[found.answer] == number, problem)
    _mark(found, _over_quota(found, facts, events, known), OVER_QUOTA)
    return found


def _none() -> Followups:
    empty = np.empty(0, dtype=np.int64)
    small = np.empty(0, dtype=np.uint8)
    return Followups(empty, empty, empty, small, np.empty(0, dtype=np.float64), small, np.empty(0, dtype=np.bool_))


def _read(connection: sqlite3.Connection, facts: Facts) -> Followups:
    numbers, kinds, certain, discord = array("q"), array("B"), array("d"), array("B")
    last = None
    for generation, sender, author, answered, sent, at, question, answer, said, platform in rows(
        connection, _FOLLOWUPS
    ):
        if generation == last:
            continue  # a later message may be about what came in between
        last = generation
        late = micros(sent) - micros(answered) > _HOUR
        if late or author != sender or None in (question, answer, said) or not said.strip():
            continue
        first = signals(question, answer, said)[0]
        numbers.extend((generation, sender, micros(at)))
        kinds.append(KINDS.index(first.kind))
        certain.append(first.certainty)
        discord.append(platform == "discord")
    generation, rater, at = (
        np.ascontiguousarray(each) for each in np.array(numbers, dtype=np.int64).reshape(-1, 3).T
    )
    kind, certainty = np.array(kinds, dtype=np.uint8), np.array(certain, dtype=np.float64)
    none, there = np.zeros(len(kind), dtype=np.uint8), np.array(discord, dtype=np.bool_)
    return Followups(facts.place(generation), rater, at, kind, certainty, none, there)


def _mark(found: Followups, these: NDArray[np.bool_], problem: str) -> None:
    found.problem[these & (found.problem == 0)] = _NUMBER[problem]


def _covered(found: Followups, known: Known) -> NDArray[np.bool_]:
    """Which ones were said after a yes to a consent text that names follow-ups."""
    pairs = zip(found.rater.tolist(), found.at.tolist(), strict=True)
    return np.fromiter((within(known.followups, rater, at) for rater, at in pairs), bool, len(found.rater))


def rated(answers: Numbers, people: Numbers, facts: Facts, events: Events) -> NDArray[np.bool_]:
    """Which answers (places in the facts), or the same texts in reply to the same prompts, were rated.

    The ratings that count are looked at, and of the person who stands beside an answer in `people`, all.
    """
    targets = np.concatenate([events.answer, events.other])
    counts, raters = np.tile(events.problem == 0, 2), np.tile(events.rater, 2)
    there = targets >= 0
    same, counts, raters = facts.same[targets[there]], counts[there], raters[there]
    mine = facts.same[answers]
    by_anybody = np.isin(mine, same[counts])
    both = set(zip(same.tolist(), raters.tolist(), strict=True)) if len(mine) else set()
    pairs = zip(mine.tolist(), people.tolist(), strict=True)
    either: NDArray[np.bool_] = by_anybody | np.fromiter((pair in both for pair in pairs), bool, len(mine))
    return either


def own_words(answers: Numbers, people: Numbers, facts: Facts, events: Events) -> NDArray[np.bool_]:
    """Which answers are word for word a correction by the person who stands beside them in `people`."""
    corrections = events.of(CORRECTION)
    written = set(zip(events.rater[corrections].tolist(), events.text[corrections].tolist(), strict=True))
    pairs = zip(people.tolist(), facts.text[answers].tolist(), strict=True)
    return np.fromiter((pair in written for pair in pairs), bool, len(answers))


def _over_quota(found: Followups, facts: Facts, events: Events, known: Known) -> NDArray[np.bool_]:
    """Which ones are beyond what the ratings of their day left of a quota (see `data.limits`).

    Everybody's first of the day comes before anybody's second. Ratings are counted without follow-ups, which so never
    use up what is there for them.
    """
    limits, over = known.limits, np.zeros(len(found.rater), dtype=bool)
    days, server = found.at // _DAY, facts.server[found.answer]
    used: Counter[tuple[str, int, int]] = Counter()
    rated = np.flatnonzero((events.problem == 0) & np.isin(events.at // _DAY, days))
    for place in rated.tolist():
        where = int(facts.server[events.answer[place]])
        used.update(_quotas(int(events.at[place]) // _DAY, int(events.rater[place]), where))
    turns: Counter[tuple[int, int]] = Counter()
    waiting: list[tuple[int, int, int]] = []
    for place in np.lexsort((found.at,)).tolist():
        if found.problem[place] == 0 and found.rater[place] not in known.vouched:
            mine = int(days[place]), int(found.rater[place])
            turns[mine] += 1
            waiting.append((turns[mine], len(waiting), place))
    most = {"person": limits.per_person, "server": limits.per_server, "day": limits.per_day}
    for *_, place in sorted(waiting):
        mine_too = _quotas(int(days[place]), int(found.rater[place]), int(server[place]))
        over[place] = any(most[name] and used[name, day, who] >= most[name] for name, day, who in mine_too)
        if not over[place]:
            used.update(mine_too)
    return over


def _quotas(day: int, rater: int, server: int) -> list[tuple[str, int, int]]:
    """The quotas that a rating uses; without a server (-1) only two."""
    return [("person", day, rater), ("day", day, 0), *([("server", day, server)] if server >= 0 else [])]
