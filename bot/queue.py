"""Which questions are answered now and which wait: a pure state machine without clocks and tasks.

A person gets one answer at a time in a channel, and at most `slots` answers run in all; other questions wait in a
bounded line. Of the questions that could start, the one whose author has the fewest answers running comes first, so
that one person in many channels does not keep the others waiting.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Full(Enum):
    """Why a question may not wait."""

    EVERYONE = "the line is full"
    PERSON = "this person has enough questions waiting here"


@dataclass(frozen=True)
class ChannelMember:
    """A person in a channel."""

    person: int
    channel: str


@dataclass
class AnswerQueue:
    """The answers that run and the line of questions that wait, by ticket number."""

    slots: int
    waiting: int
    waiting_per_person: int
    _running: dict[int, ChannelMember] = field(default_factory=dict)
    _line: dict[int, ChannelMember] = field(default_factory=dict)  # in order of arrival

    @property
    def load(self) -> tuple[int, int]:
        """How many answers run, and how many questions wait."""
        return len(self._running), len(self._line)

    def enter(self, ticket: int, member: ChannelMember) -> int | Full:
        """Take a place: 0 starts at once, n is the n-th place in the line, `Full` takes no place at all."""
        if self._free(member):
            self._running[ticket] = member
            return 0
        if sum(other == member for other in self._line.values()) >= self.waiting_per_person:
            return Full.PERSON
        if len(self._line) >= self.waiting:
            return Full.EVERYONE
        self._line[ticket] = member
        return len(self._line)

    def leave(self, ticket: int) -> list[int]:
        """Give up a place, running or waiting; returns the tickets that start now. Unknown tickets are ignored."""
        self._line.pop(ticket, None)
        self._running.pop(ticket, None)
        started = []
        while (chosen := self._next()) is not None:
            self._running[chosen] = self._line.pop(chosen)
            started.append(chosen)
        return started

    def _free(self, member: ChannelMember) -> bool:
        return len(self._running) < self.slots and member not in self._running.values()

    def _next(self) -> int | None:
        load = Counter(member.person for member in self._running.values())
        free = [ticket for ticket, member in self._line.items() if self._free(member)]
        return min(free, key=lambda ticket: load[self._line[ticket].person], default=None)
