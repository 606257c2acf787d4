"""How many answers are allowed in an hour: sliding windows in memory, without tasks.

The installation sets limits for each person, each channel and each server. A server's managers may add their own
limits. Both apply, so a manager can never widen the installation's limits.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.scopes import deciding_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bot.texts import Texts
    from data.scopes import Scope

HOUR = 3600.0  # seconds
KINDS = ("person", "channel", "server")
CounterKey = tuple[str, ...]


@dataclass(frozen=True)
class Cap:
    """At most `limit` answers per hour on one counter; `kind` says whom it limits: person, channel, server or key."""

    kind: str
    counter: CounterKey
    limit: int


@dataclass(frozen=True)
class Taken:
    """An answer that was counted, on these counters at this time."""

    counters: tuple[CounterKey, ...]
    at: float


@dataclass(frozen=True)
class Spent:
    """This cap is reached; there is room again after some seconds."""

    cap: Cap
    seconds: float


@dataclass(frozen=True)
class Asker:
    """A person who asks, and where. In a thread, `channel` is the thread's channel, so threads do not add room."""

    person: int
    channel: str
    server: str | None
    places: Sequence[Scope]  # from narrow to wide


def caps(asker: Asker, installation: Mapping[str, int], said: Mapping[Scope, Mapping[str, int]]) -> tuple[Cap, ...]:
    """The caps on an answer: the installation's, and for each kind that of the most specific place with a limit.

    `said` holds the limits that managers set, by place. A place's limit for each person counts only answers in that
    place. A limit of 0 means no limit.
    """
    everywhere: dict[str, CounterKey] = {
        "person": ("person", str(asker.person)),
        "channel": ("channel", asker.channel),
    }
    if asker.server is not None:
        everywhere["server"] = ("server", asker.server)
    found = []
    for kind, counter in everywhere.items():
        found.append(Cap(kind, counter, installation.get(kind, 0)))
        limits = {place: said[place][kind] for place in said if said[place].get(kind)}
        if (decides := deciding_place(limits, asker.places)) is not None:
            found.append(Cap(kind, _counted(counter, decides), limits[decides]))
    return tuple(cap for cap in found if cap.limit)


def _counted(counter: CounterKey, place: Scope) -> CounterKey:
    """What a place's own limit counts: a person's answers there, a channel's answers, or all answers in the place."""
    if counter[0] == "person":
        return (*counter, *place)
    return counter if place[0] == "server" else place


class RateLimiter:
    """Counts answers. `clock` returns seconds that never go back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[CounterKey, deque[float]] = {}
        self._tidy_at = 1000

    def take(self, caps: Sequence[Cap]) -> Taken | Spent:
        """Count one answer on each counter. If a cap is reached, count nothing and return the longest wait."""
        now = self._clock()
        if len(self._answers) > self._tidy_at:
            self._tidy(now)
        full = [spent for cap in caps if (spent := self._spent(cap, now))]
        if full:
            return max(full, key=lambda spent: spent.seconds)
        taken = Taken(tuple({cap.counter: None for cap in caps}), now)
        for counter in taken.counters:
            self._answers.setdefault(counter, deque()).append(now)
        return taken

    def give_back(self, taken: Taken) -> None:
        """Undo `take`, because there was no answer."""
        for counter in taken.counters:
            answers = self._answers.get(counter)
            if answers is not None and taken.at in answers:  # otherwise its hour is over
                answers.remove(taken.at)

    def _spent(self, cap: Cap, now: float) -> Spent | None:
        answers = self._answers.get(cap.counter, deque())
        while answers and answers[0] <= now - HOUR:
            answers.popleft()
        return Spent(cap, answers[-cap.limit] + HOUR - now) if len(answers) >= cap.limit else None

    def _tidy(self, now: float) -> None:
        self._answers = {name: times for name, times in self._answers.items() if times and times[-1] > now - HOUR}
        self._tidy_at = max(1000, 2 * len(self._answers))


def sentence(texts: Texts, spent: Spent) -> str:
    """The sentence that says which limit is reached, and when there is room again."""
    said = {
        "person": texts.hourly_person,
        "channel": texts.hourly_channel,
        "server": texts.hourly_server,
        "key": texts.hourly_key,
    }
    return said[spent.cap.kind].format(limit=spent.cap.limit, minutes=math.ceil(spent.seconds / 60))
