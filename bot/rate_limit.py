"""How many answers there may be in an hour: sliding windows in memory, without tasks and texts.

The installation sets limits for each person, each channel and each server. A server's managers may set further ones,
which hold beside those: nothing that they say makes an installation's limit wider.
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
Counter = tuple[str, ...]


@dataclass(frozen=True)
class Cap:
    """At most `limit` answers an hour on one counter; `kind` is whose they are: person, channel or server."""

    kind: str
    counter: Counter
    limit: int


@dataclass(frozen=True)
class Taken:
    """An answer that is counted."""

    counters: tuple[Counter, ...]
    at: float


@dataclass(frozen=True)
class Spent:
    """There is no room under this cap until some seconds have passed."""

    cap: Cap
    seconds: float


@dataclass(frozen=True)
class Asker:
    """Who asks where; `channel` is the thread's channel where it is in a thread, so that threads make no room."""

    person: int
    channel: str
    server: str | None
    places: Sequence[Scope]  # from narrow to wide


def caps(asker: Asker, installation: Mapping[str, int], said: Mapping[Scope, Mapping[str, int]]) -> tuple[Cap, ...]:
    """What limits an answer: the installation's limits, and by kind those of the narrowest place that `said` one.

    What a place says about each person is counted in that place alone. A limit of 0 is none.
    """
    everywhere: dict[str, Counter] = {"person": ("person", str(asker.person)), "channel": ("channel", asker.channel)}
    if asker.server is not None:
        everywhere["server"] = ("server", asker.server)
    found = []
    for kind, counter in everywhere.items():
        found.append(Cap(kind, counter, installation.get(kind, 0)))
        limits = {place: said[place][kind] for place in said if said[place].get(kind)}
        if (decides := deciding_place(limits, asker.places)) is not None:
            found.append(Cap(kind, _counted(counter, decides), limits[decides]))
    return tuple(cap for cap in found if cap.limit)


def _counted(counter: Counter, place: Scope) -> Counter:
    """What a place's own limit counts: a person's answers there; else a channel's, or all that lies in the place."""
    if counter[0] == "person":
        return (*counter, *place)
    return counter if place[0] == "server" else place


class Hourly:
    """Counts answers. `clock` gives seconds that only go up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: dict[Counter, deque[float]] = {}
        self._tidy_at = 1000

    def take(self, caps: Sequence[Cap]) -> Taken | Spent:
        """Count one answer on each counter; where one has no room none is counted, and the longest wait is told."""
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
        """There was no answer: it is not counted after all."""
        for counter in taken.counters:
            answers = self._answers.get(counter)
            if answers is not None and taken.at in answers:  # else its hour is over
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
    """Which limit is reached, and when there is room again."""
    said = {"person": texts.hourly_person, "channel": texts.hourly_channel, "server": texts.hourly_server}
    return said[spent.cap.kind].format(limit=spent.cap.limit, minutes=math.ceil(spent.seconds / 60))
