"""A watch's world for tests: a played clock, machine and rounds."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alignment.watching.decision import Wish
from alignment.watching.journal import Journal
from alignment.watching.loop import Watch
from alignment.watching.machine import Need
from data.home import private_dir

NOON = datetime(2026, 5, 10, 12).astimezone()
BATTERY = Need("battery", "the machine runs on its battery")


@dataclass
class World:
    """One home, its played clock, machine, feedback and rounds. `hours` is how long a run lasts at most.

    `happens` is called at each wait; `acts` says what each round does when it is asked for its exit code.
    """

    home: Path
    time: datetime = NOON
    need: Need | None = None
    stop_for: Need | None = None
    ratings: int = 0
    hours: float = 1.0
    stopped: bool = False
    happens: Callable[["World"], None] = lambda _: None
    acts: Callable[["World"], int | None] = lambda _: 0
    said: list[str] = field(default_factory=list)
    begun: list[datetime] = field(default_factory=list)
    interrupted: int = 0

    # the clock
    def now(self) -> datetime:
        return self.time

    def wait(self, seconds: float) -> bool:
        self.time += timedelta(seconds=seconds)
        self.happens(self)
        return self.stopped or self.time >= NOON + timedelta(hours=self.hours)

    # the machine
    def needed(self) -> Need | None:
        return self.need

    def must_stop(self) -> Need | None:
        return self.stop_for

    # a round
    def start(self) -> "World":
        self.begun.append(self.time)
        return self

    def poll(self) -> int | None:
        return self.acts(self)

    def interrupt(self) -> None:
        self.interrupted += 1

    # what tests do
    def watch(self, **wish: Any) -> Watch:
        say = lambda _, sentence: self.said.append(sentence)  # noqa: E731 - shorter than a method
        return Watch(self.home, Wish(**(wish or {"enough": 40})), self, self, self.start, say, 7)

    def run(self, *, once: bool = False, **wish: Any) -> int:
        return self.watch(**wish).run(once=once)

    def journal(self) -> Journal:
        found = Journal.of(self.home)
        assert found is not None
        return found

    def manifest(self, number: int, status: str, **more: Any) -> None:
        folder = private_dir(self.home / "rounds" / f"{number:04d}")
        ended = {} if status == "running" else {"ended_at": self.time.isoformat()}
        (folder / "manifest.json").write_text(json.dumps({"number": number, "status": status, **ended, **more}))


def decides(number: int = 1, *, code: int = 1, **more: Any) -> Callable[[World], int]:
    """A round that is decided at once."""

    def act(world: World) -> int:
        status = "promoted" if code == 0 else "refused"
        world.manifest(number, status, decision={"release": number, "reasons": ["It is no better."]}, **more)
        return code

    return act
