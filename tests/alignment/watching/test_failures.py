"""The watch when rounds fail, are interrupted or are killed: when it tries again, and with what it goes on."""

from datetime import timedelta
from typing import Any

import pytest

from alignment.watching import loop
from alignment.watching.decision import FIRST_WAIT
from data.errors import ParleyError
from tests.alignment.watching.world import BATTERY, NOON, World, decides


class Done(Exception):
    """The test has seen enough."""


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


def test_a_round_that_somebody_ran_to_its_end_by_hand_ends_the_failures(world: World) -> None:
    world.ratings, world.acts = 40, lambda _: 2
    world.run(once=True)
    assert world.journal().failures == 1
    world.manifest(1, "refused", seen={"ratings": 40})
    world.ratings, world.begun, world.acts = 80, [], decides(2)
    watch = world.watch()
    assert watch.look().due  # without a wait
    assert watch.journal.failures == 0


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
