"""The answers that came after a complaint and mend it, found anew each time rows are collected.

The bot answers a complaint anyway, and the person reads that answer, so no other is generated: it is the one that the
model gives when it is told the complaint. Because it is in the store, edits, erasure, consent and lineage reach it as
they reach every answer.

| what is there                                                 | what becomes of the pair                     |
|---------------------------------------------------------------|----------------------------------------------|
| several answers to the complaint (↻, ⚖)                       | none: the first one did not satisfy          |
| the answer was given something else too, or another persona   | none: it answers more than the question      |
| anybody complains about the new answer, or asks again         | none                                         |
| a rating of either answer, as for follow-ups                  | none: the rating says more                   |
| a complaint after a yes to a text that names follow-ups alone | none: the person agreed to a rating          |
| rules find that it does not mend the complaint                | none (`data.hindsight`)                      |
"""

import sqlite3
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.bulk import rows
from data.candidates import NO_CONSENT, NOT_MENDED, RATED, SELF_VOTE
from data.database import chunks, listed
from data.events import Events
from data.facts import Facts, Numbers
from data.followup_events import Followups, own_words, rated
from data.followup_words import LIKELY
from data.followups import COMPLAINT, GOOD, KINDS, signals
from data.hindsight import mended
from data.known import Known, within

# Why no pair may be made, by number; 0 stands for none.
PROBLEMS: tuple[str | None, ...] = (None, NOT_MENDED, RATED, SELF_VOTE, NO_CONSENT)

# Each answer with the first message below it by the person who asked, and the only answer to that. The last columns
# say whether the new answer was rated by that person, voided, or given more than the old one, the old answer and the
# complaint.
_AFTER = """
SELECT g.id, c.author_id, b.id, b.message_id, qv.text, av.text, v.text, bv.text,
       EXISTS (
           SELECT 1 FROM ratings r WHERE r.generation_id = b.id AND (r.rater_id = c.author_id OR r.kind = 'void')
       ) OR EXISTS (
           SELECT 1 FROM ratings r WHERE r.other_id = b.id AND (r.rater_id = c.author_id OR r.kind = 'void')
       ),
       b.system_prompt_id != g.system_prompt_id OR EXISTS (
           SELECT 1 FROM generation_context x
           WHERE x.generation_id = b.id AND x.version_id NOT IN (g.version_id, v.id)
           AND x.version_id NOT IN (SELECT version_id FROM generation_context WHERE generation_id = g.id)
       )
FROM json_each(?) wanted
CROSS JOIN generations g ON g.id = wanted.value
JOIN messages a ON a.id = g.message_id
JOIN messages q ON q.id = a.parent_id
JOIN messages c ON c.id = (
    SELECT min(id) FROM messages WHERE parent_id = a.id AND role = 'user' AND author_id = q.author_id
)
JOIN messages n ON n.parent_id = c.id AND n.role = 'assistant'
JOIN generations b ON b.message_id = n.id
JOIN message_versions qv ON qv.id = (SELECT max(id) FROM message_versions WHERE message_id = q.id)
JOIN message_versions av ON av.id = g.version_id
JOIN message_versions v ON v.id = (SELECT max(id) FROM message_versions WHERE message_id = c.id)
JOIN message_versions bv ON bv.id = b.version_id
WHERE (SELECT count(*) FROM messages WHERE parent_id = c.id AND role = 'assistant') = 1
"""
# What people said below an answer.
_BELOW = """
SELECT v.text FROM messages m
JOIN message_versions v ON v.id = (SELECT max(id) FROM message_versions WHERE message_id = m.id)
WHERE m.parent_id = ? AND m.role = 'user' AND v.text IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Hindsight:
    """Answers after a complaint, an array each. `share` is how much of the follow-up's weight the pair has."""

    followup: Numbers  # the place of the complaint among the follow-ups
    better: Numbers  # the place of the new answer in the facts
    share: NDArray[np.float64]
    problem: NDArray[np.uint8]

    def places(self) -> dict[int, int]:
        """The places here by the place of the complaint."""
        return {followup: at for at, followup in enumerate(self.followup.tolist())}


def read_hindsight(
    connection: sqlite3.Connection, facts: Facts, events: Events, followups: Followups, known: Known
) -> Hindsight:
    """Read what followed the complaints that count. Unsure complaints are left out."""
    complaints = (followups.kind == KINDS.index(COMPLAINT)) & (followups.problem == 0)
    places = np.flatnonzero(complaints & (followups.certainty >= LIKELY))
    place = dict(zip(facts.generation[followups.answer[places]].tolist(), places.tolist(), strict=True))
    numbers, share, spoilt = array("q"), array("d"), array("B")
    for some in chunks(place):
        for worse, author, better, message, *texts, was_rated, given_more in rows(
            connection, _AFTER, (listed(some),)
        ):
            if None in texts:
                continue
            question, answer, said, newer = texts
            numbers.extend((place[worse], author, better))
            spoilt.append(was_rated)
            lost = given_more or _unhappy(connection, message, question, said, newer)
            share.append(0.0 if lost else mended(question, answer, said, newer))
    followup, rater, generation = (
        np.ascontiguousarray(each) for each in np.array(numbers, dtype=np.int64).reshape(-1, 3).T
    )
    better_, shares = facts.place(generation), np.array(share, dtype=np.float64)
    problem = np.zeros(len(followup), dtype=np.uint8)
    problem[own_words(better_, rater, facts, events)] = PROBLEMS.index(SELF_VOTE)
    by_people = rated(better_, rater, facts, events) | np.array(spoilt, dtype=np.bool_)
    problem[by_people] = PROBLEMS.index(RATED)
    problem[shares == 0] = PROBLEMS.index(NOT_MENDED)
    said = zip(rater.tolist(), followups.at[followup].tolist(), strict=True)
    agreed = np.fromiter((within(known.hindsight, *each) for each in said), bool, len(rater))
    problem[~agreed] = PROBLEMS.index(NO_CONSENT)
    return Hindsight(followup, better_, shares, problem)


def _unhappy(connection: sqlite3.Connection, message: int, question: str, said: str, newer: str) -> bool:
    """Whether anybody complains below the new answer, puts the question again, or tells the bot to stop."""
    below = [text for (text,) in rows(connection, _BELOW, (message,))]
    return any(not GOOD[signals(asked, newer, text)[0].kind] for text in below for asked in (said, question))
