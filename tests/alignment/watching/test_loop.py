"""The watch with a played clock, machine and rounds: when a round begins, what it says, and what it remembers."""

from datetime import time, timedelta

import pytest

from alignment.watching import loop
from alignment.watching.loop import CALM
from alignment.watching.machine import Need
from data.errors import BadInput
from data.rounds import pause, resume
from data.seen import Seen
from tests.alignment.watching.world import BATTERY, NOON, World, decides


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


def test_a_round_that_somebody_begins_at_the_same_moment_is_no_failure_and_counts_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = [False]
    monkeypatch.setattr(loop, "runs", lambda _: running[0])
    world.ratings, world.hours = 40, 1

    def collide(world: World) -> int:
        running[0] = True
        return 2  # "Another round is running"

    def later(world: World) -> None:
        minutes = (world.time - NOON).total_seconds() / 60
        if minutes > 10:
            world.ratings = 47  # somebody rates while that round runs
        if running[0] and minutes > 20:
            running[0] = False
            world.manifest(1, "refused", seen={"ratings": 40})

    world.acts, world.happens = collide, later
    world.run(once=True, enough=40)
    assert len(world.begun) == 1
    assert world.said[2:] == [
        "Another round began at the same moment; this one waits for its end.",
        "Waits for 40 new ratings or rows (7 so far).",
    ]
    assert world.journal().failures == 0
    assert (world.journal().ratings, world.journal().round) == (40, 1)


def test_a_time_of_day_is_not_spent_on_a_round_that_never_began(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The round that somebody else began had nothing to do, say, because of its flags."""
    running = [False]
    monkeypatch.setattr(loop, "runs", lambda _: running[0])
    world.ratings, world.hours = 1, 2

    def act(world: World) -> int:
        running[0] = len(world.begun) == 1
        return 2 if running[0] else decides()(world)

    def later(world: World) -> None:
        running[0] = running[0] and world.time - world.begun[-1] < timedelta(minutes=5)

    world.acts, world.happens = act, later
    world.run(at=time(12, 30))
    assert [f"{begun:%H:%M}" for begun in world.begun] == ["12:32", "12:39"]


def test_what_came_while_somebody_elses_round_ran_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"its begin": 40, "its end": 55}
    monkeypatch.setattr(loop, "newest_at", lambda _, at: Seen(ratings=there[at]))
    world.ratings = 55
    world.manifest(1, "refused", created_at="its begin", ended_at="its end")
    world.run()
    assert world.said == ["Waits for 40 new ratings or rows (15 so far)."]


def test_a_round_says_what_it_saw_and_what_it_held_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not its begin counts: it may have gone on with rows that it read before an interruption, or waited long."""
    monkeypatch.setattr(loop, "newest_at", lambda *_: Seen(ratings=50))
    world.ratings = 55
    world.manifest(1, "refused", created_at="its begin", seen={"ratings": 42, "held_ratings": [[3, 9], [11, 11]]})
    watch = world.watch()
    assert watch.look().sentence == "Waits for 40 new ratings or rows (13 so far)."
    assert watch.journal.seen == Seen(ratings=42, held_ratings=((3, 9), (11, 11)))
    world.ratings, world.acts = 82, decides(2, seen={"ratings": 60, "rows": 1, "held_rows": [[1, 1]]})
    world.run()
    assert world.said[-1] == "Waits for 40 new ratings or rows (22 so far)."
    assert world.watch().journal.seen == Seen(ratings=60, rows=1, held_rows=((1, 1),))


def test_what_a_round_with_nothing_to_do_held_back_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "seen_now", lambda *_, **__: Seen(ratings=40, held_ratings=((1, 5),)))
    world.ratings = 40

    def act(world: World) -> int:
        world.manifest(1, "stopped", reason="There is nothing to train on yet.")
        return 1

    world.acts = act
    world.run()
    assert world.watch().journal.seen.held_ratings == ((1, 5),)


def test_somebody_elses_round_that_began_long_ago_makes_nothing_new_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ratings, world.acts = 40, decides()
    world.run()
    monkeypatch.setattr(loop, "newest_at", lambda *_: Seen(ratings=10))
    world.manifest(2, "refused", created_at="long ago")
    assert world.watch().look().sentence == "Waits for 40 new ratings or rows (0 so far)."


def test_what_the_watchs_own_round_held_back_is_not_lost_by_somebody_elses_that_began_before_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ratings, world.acts = 60, decides(seen={"ratings": 60, "held_ratings": [[35, 45], [50, 55]]})
    world.run()
    world.manifest(2, "refused", seen={"ratings": 42, "held_ratings": [[3, 9]]})
    watch = world.watch()
    watch.look()
    assert watch.journal.seen == Seen(ratings=60, held_ratings=((3, 9), (43, 45), (50, 55)))


def test_a_time_of_day_makes_one_round_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK", 900.0)
    world.hours, world.ratings = 72, 1

    def act(world: World) -> int:
        code = decides(len(world.begun))(world)
        world.ratings += 1  # somebody rates meanwhile
        return code

    world.acts = act
    world.run(at=time(3))
    assert [f"{begun:%d %H:%M}" for begun in world.begun] == ["11 03:30", "12 03:30", "13 03:30"]


def test_a_day_without_anything_new_has_no_round_and_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOOK", 900.0)
    world.hours = 48

    def later(world: World) -> None:  # after three o'clock: it waits for the next day
        world.ratings = int(world.time > NOON + timedelta(hours=16))

    world.happens, world.acts = later, decides()
    world.run(at=time(3))
    assert "It is 03:00, and there is nothing new: no round today." in world.said
    assert [f"{begun:%d %H:%M}" for begun in world.begun] == ["12 03:30"]


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


def test_once_ends_with_the_rounds_code(world: World) -> None:
    world.ratings = 40
    for number, code in ((1, 0), (2, 1)):
        world.acts = decides(number, code=code)
        assert world.run(once=True) == code
        world.ratings += 40
    world.acts = lambda _: 2
    assert world.run(once=True) == 2


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
