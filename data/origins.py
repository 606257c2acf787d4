"""Of which answers rows are made, and how old they are: noted while rows are collected, where somebody asks."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from data.bulk import micros, rows
from data.candidates import Candidate
from data.events import Events
from data.facts import Facts

_IMPORTED = "SELECT source_id, created_at FROM imported_rows"
_ANSWERED = "SELECT id, created_at FROM generations"


@dataclass(slots=True)
class Origins:
    """The answers and times of rows, by the rows' ids; times are in microseconds.

    Several candidates may make one row: the same was said of the same answer in two conversations. A row's answers
    are those of all of them, also of candidates that may not be used now.
    """

    disputed: set[str] = field(default_factory=set)
    imported: dict[str, int] = field(default_factory=dict)  # when, by the id under which it is stored
    _places: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _alike: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    _at: dict[int, int] = field(default_factory=dict)

    def note(self, row: str, candidate: Candidate) -> None:
        """Remember of which places in the facts a row is made."""
        self._places[row].update(candidate.answers)
        if candidate.disputed:
            self.disputed.add(row)

    def settle(self, connection: sqlite3.Connection, facts: Facts, events: Events) -> None:
        """Turn places into the answers' numbers, and find out when they were given and last rated."""
        self.imported = {source: micros(at) for source, at in rows(connection, _IMPORTED)}
        given = {number: micros(at) for number, at in rows(connection, _ANSWERED)}
        rated = np.zeros(len(facts.generation), dtype=np.int64)
        counts = events.problem == 0
        np.maximum.at(rated, events.answer[counts], events.at[counts])
        both = counts & (events.other >= 0)
        np.maximum.at(rated, events.other[both], events.at[both])
        numbers, same = facts.generation.tolist(), facts.same.tolist()
        first = dict(enumerate(same))
        for number, represents, at in zip(numbers, same, rated.tolist(), strict=True):
            self._alike[represents].append(number)
            self._at[number] = at or given[number]
        self._places = defaultdict(set, {row: {first[at] for at in some} for row, some in self._places.items()})

    def answers(self, row: str) -> list[int]:
        """The numbers of all answers behind a row: those that say the same to the same prompt are one answer."""
        return sorted(number for place in self._places.get(row, ()) for number in self._alike[place])

    def at(self, row: str) -> int:
        """When something about a row's answers was last said; 0 for a row that no answer made."""
        return max((self._at[number] for number in self.answers(row)), default=0)
