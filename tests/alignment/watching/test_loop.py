"""The watch with a played clock, machine and rounds: what it does, what it says, and what it remembers."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from alignment.watching import loop
from alignment.watching.decision import FIRST_WAIT, Wish
from alignment.watching.feedback import Mark
from alignment.watching.journal import Journal
from alignment.watching.loop import CALM, Watch
from alignment.watching.machine import Need
from data.errors import BadInput, ParleyError
from data.home import private_dir
from data.rounds import pause, resume

NOON = datetime(2026, 5, 10, 12).astimezone()
BATTERY = Need("battery", "the machine runs on its battery")


class Done(Exception):
    """The test has seen enough."""


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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(private_dir(tmp_path / "home"))
    monkeypatch.setattr(loop, "newest", lambda _: Mark(made.ratings, 0))
    monkeypatch.setattr(loop, "newest_at", lambda *_: Mark(made.ratings, 0))
    monkeypatch.setattr(loop, "fresh", lambda _, seen, **__: made.ratings - seen.ratings)
    return made


def decides(number: int = 1, *, code: int = 1, **more: Any) -> Callable[[World], int]:
    """A round that is decided at once."""

    def act(world: World) -> int:
        status = "promoted" if code == 0 else "refused"
        world.manifest(number, status, decision={"release": number, "reasons": ["It is no better."]}, **more)
        return code

    return act


def test_it_waits_and_says_so_once(world: World) -> None:
    assert world.run() == 0
    assert world.said == ["Waits for 40 new ratings or rows (0 so far)."]
    assert world.begun == []


def test_a_round_begins_when_enough_is_there_and_what_it_saw_is_no_longer_new(world: World) -> None:
    world.ratings = 41
    world.acts = decides(code=0)
    world.run()
    assert len(world.begun) == 1
    assert world.begun[0] - NOON == timedelta(seconds=loop.LOOK * (CALM - 1))
    assert world.said == [
        "A round is due (41 new ratings or rows). It begins if the machine stays free.",
        "A round begins: 41 new ratings or rows.",
        "Round 1 is over after 1 min: release 1 is the champion now.",
        "Waits for 40 new ratings or rows (0 so far).",
    ]
    assert (world.journal().ratings, world.journal().round) == (41, 1)


def test_feedback_that_comes_during_a_round_is_new_afterwards(world: World) -> None:
    world.ratings = 40

    def act(world: World) -> int | None:
        world.ratings = 55
        return decides()(world) if world.time - world.begun[-1] > timedelta(minutes=30) else None

    world.acts = act
    world.run()
    assert world.said[2:] == [
        "Round 1 is over after 30 min: release 1 does not serve. It is no better.",
        "Waits for 40 new ratings or rows (15 so far).",
    ]


def test_a_release_on_trial_is_told(world: World) -> None:
    world.ratings, world.acts = 40, decides(trial=1)
    world.run()
    assert "release 1 is on trial, and people compare it with the champion." in world.said[2]


def test_what_a_round_learnt_is_told_in_numbers(world: World) -> None:
    learnt = {"corrections": 61, "comparisons": 1, "personas": {"tutor": 62}}
    world.ratings, world.acts = 40, decides(code=0, taught=learnt, raters=["a", "b"])
    world.run()
    assert world.said[2].endswith(
        "release 1 is the champion now. It learnt from 2 people: 61 corrections, 1 comparison."
    )


def test_a_machine_that_is_needed_is_left_alone_and_told_once(world: World) -> None:
    world.ratings, world.need = 40, BATTERY
    world.run()
    assert world.begun == []
    assert world.said == ["A round is due (40 new ratings or rows), but the machine runs on its battery."]


def test_a_pause_between_two_answers_is_not_enough(world: World) -> None:
    world.ratings, world.hours = 40, 0.5
    answering = Need("engine", "the embedded engine is answering somebody")

    def talk(world: World) -> None:  # free at two looks of three
        world.need = answering if round((world.time - NOON).total_seconds() / loop.LOOK) % 3 == 2 else None

    world.happens = talk
    world.run()
    assert world.begun == []
    assert len(world.said) <= 2 * (1 + 30 // 10)  # going to and fro is not told each time


def test_a_pause_by_an_operator_holds_and_ends(world: World) -> None:
    world.ratings, world.acts = 40, decides()
    pause(world.home)

    def later(world: World) -> None:
        if world.time - NOON > timedelta(minutes=20):
            resume(world.home)

    world.happens = later
    world.run()
    assert world.said[0].startswith("Rounds are paused since ")
    assert len(world.begun) == 1
    assert world.begun[0] - NOON > timedelta(minutes=20)


def test_another_round_is_waited_for_and_counts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.ratings = 40
    running = [True]
    monkeypatch.setattr(loop, "runs", lambda _: running[0])

    def later(world: World) -> None:
        if running[0] and world.time - NOON > timedelta(minutes=20):
            running[0] = False
            world.manifest(1, "promoted")

    world.happens = later
    world.run()
    assert world.begun == []
    assert world.said == [
        "Another round runs; the next one waits for its end.",
        "Waits for 40 new ratings or rows (0 so far).",
    ]


def test_a_time_of_day_makes_one_round_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK", 300.0)
    world.hours, world.ratings = 72, 1

    def act(world: World) -> int:
        code = decides(len(world.begun))(world)
        world.ratings += 1  # somebody rates meanwhile
        return code

    world.acts = act
    world.run(at=time(3))
    assert [f"{begun:%d %H:%M}" for begun in world.begun] == ["11 03:10", "12 03:10", "13 03:10"]


def test_a_day_without_anything_new_has_no_round_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK", 300.0)
    world.hours = 48

    def later(world: World) -> None:  # after three o'clock: it waits for the next day
        world.ratings = int(world.time > NOON + timedelta(hours=16))

    world.happens, world.acts = later, decides()
    world.run(at=time(3))
    assert "It is 03:00, and there is nothing new: no round today." in world.said
    assert [f"{begun:%d %H:%M}" for begun in world.begun] == ["12 03:10"]


def test_a_round_that_fails_is_tried_again_later_each_time(world: World) -> None:
    world.ratings, world.hours, world.acts = 40, 5, lambda _: 2
    world.run()
    gaps = [(after - before) // FIRST_WAIT for before, after in zip(world.begun, world.begun[1:], strict=False)]
    assert gaps == [1, 2, 4, 8]
    assert world.journal().failures == 5
    failed = [sentence for sentence in world.said if "failed after" in sentence]
    assert failed[0] == (
        f"The round failed after 1 min (exit code 2); its output is in {world.home / 'logs' / 'round.log'}."
    )
    assert any(sentence.startswith("A round failed 4 times in a row; the next try is at ") for sentence in world.said)


def test_a_round_that_cannot_be_started_is_tried_again_later_each_time(world: World) -> None:
    def start() -> World:
        world.begun.append(world.time)
        raise OSError(12, "Cannot allocate memory")

    world.ratings, world.hours, world.start = 40, 2, start  # type: ignore[method-assign]  # replaced for this test
    world.run()
    assert (len(world.begun), world.journal().failures) == (4, 4)
    assert "The round could not be started: [Errno 12] Cannot allocate memory" in world.said


def test_a_crash_is_a_failure_and_not_nothing_to_do(world: World) -> None:
    world.ratings, world.acts = 40, lambda _: 1
    world.manifest(1, "stopped", reason="from before")
    world.run()
    assert world.journal().failures == 3
    world.acts = lambda _: -9
    world.hours = 3
    world.run()
    assert any("(signal 9)" in sentence for sentence in world.said)


def test_a_success_ends_the_failures(world: World) -> None:
    world.ratings, world.hours = 40, 2
    world.acts = lambda world: 2 if len(world.begun) < 3 else decides()(world)
    world.run()
    assert (len(world.begun), world.journal().failures) == (3, 0)


def test_nothing_to_do_waits_for_new_feedback(world: World) -> None:
    world.ratings = 40

    def act(world: World) -> int:
        world.manifest(1, "stopped", reason="There is nothing to train on yet.")
        return 1

    world.acts = act
    world.run()
    assert len(world.begun) == 1
    assert world.said[2:] == [
        "The round had nothing to do. There is nothing to train on yet.",
        "Waits for 40 new ratings or rows (0 so far).",
    ]
    assert world.journal().failures == 0


def test_a_running_round_is_interrupted_on_battery_and_goes_on_later(world: World) -> None:
    world.ratings, world.acts = 40, lambda _: None

    def plug(world: World) -> None:
        minutes = (world.time - NOON).total_seconds() / 60
        world.stop_for = world.need = BATTERY if 10 < minutes < 20 else None
        if minutes > 20:
            world.acts = decides()
        elif world.begun:
            world.manifest(1, "running")

    world.happens = plug
    world.run()
    assert (len(world.begun), world.interrupted) == (2, 1)
    assert "The round was interrupted, because the machine runs on its battery; it goes on later." in world.said
    assert "A round begins: round 1 was interrupted and goes on." in world.said


def test_a_signal_ends_the_watch_and_its_round_and_the_next_watch_goes_on(world: World) -> None:
    world.ratings, world.acts = 40, lambda _: None

    def stop(world: World) -> None:
        if world.begun:
            world.manifest(1, "stopped")  # as a stage that ended before its round leaves it
            world.stopped = True

    world.happens = stop
    assert world.run() == 0
    assert world.interrupted == 1
    world.stopped, world.happens, world.acts = False, lambda _: None, decides()
    world.run()
    assert len(world.begun) == 2
    assert "A round begins: round 1 was interrupted and goes on." in world.said


def test_a_round_that_was_killed_with_its_watch_goes_on(world: World) -> None:
    world.manifest(3, "running")
    world.acts = decides(3)
    world.run()
    assert world.said[1] == "A round begins: round 3 was interrupted and goes on."
    assert len(world.begun) == 1


def test_once_ends_with_the_rounds_code(world: World) -> None:
    world.ratings = 40
    for number, code in ((1, 0), (2, 1)):
        world.acts = decides(number, code=code)
        assert world.run(once=True) == code
        world.ratings += 40
    world.acts = lambda _: 2
    assert world.run(once=True) == 2


def test_an_error_passes_and_the_watch_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: Any, **__: Any) -> int:
        if world.time - NOON < timedelta(minutes=10):
            raise ParleyError("The database is locked.")
        return 40

    monkeypatch.setattr(loop, "fresh", locked)
    world.acts = lambda _: 2
    assert world.run(once=True) == 2
    assert world.said[0] == "This cannot be checked now: The database is locked."


def test_an_unexpected_error_leaves_no_round_behind(world: World) -> None:
    world.ratings = 40

    def act(world: World) -> int:
        raise Done

    world.acts = act
    with pytest.raises(Done):
        world.run()
    world.begun, world.acts = [], lambda _: None

    def wait(seconds: float) -> bool:
        if world.begun and world.time == world.begun[-1]:
            raise Done
        world.time += timedelta(seconds=seconds)
        return False

    world.wait = wait  # type: ignore[method-assign]  # replaced for this test
    with pytest.raises(Done):
        world.run()
    assert world.interrupted == 1


def test_looking_alone_writes_nothing(world: World) -> None:
    world.ratings = 40
    assert world.watch().look().due
    assert list(world.home.iterdir()) == []


def test_another_database_in_its_place_is_counted_anew(world: World) -> None:
    world.ratings, world.acts = 100, decides()
    world.run()
    world.ratings = 5  # a backup was restored
    world.run()
    world.ratings = 45
    assert world.watch().look().due


def test_the_journal_keeps_the_last_sentences_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "KEPT", 3)
    world.ratings, world.acts = 40, decides()
    world.run()
    assert [each.sentence for each in world.journal().said] == world.said[-3:]
    assert (world.home / "watch.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["{", "[]", '{"handled": "yesterday"}', '{"said": [{"at": "2026-01-01"}]}'])
def test_a_damaged_journal_is_named(world: World, text: str) -> None:
    (world.home / "watch.json").write_text(text)
    with pytest.raises(BadInput, match=r"watch\.json is damaged: .* Remove it"):
        world.watch()
