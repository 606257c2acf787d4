"""How far it is to the next verdict, as the bot says it."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select

import bot.progress
from bot.progress import Progress, in_words
from bot.texts import EN, ZH, Texts
from data import schema
from data.distance import Distance, Part
from data.figures import Figures
from data.releases import MINIMUM_PEOPLE
from data.store import Store
from data.trials import TrialSoFar
from tests.data.talk import Talk

NAMES = ("prompts", "pairs", "thumbs", "people", "trial_prompts", "trial_people")


async def people_of(progress: Progress) -> list[Part]:
    found = await progress.now()
    assert found is not None
    assert found.distance is not None
    return [part for part in found.distance.parts if part.name == "people"]


@pytest.mark.parametrize("texts", [EN, ZH])
def test_every_part_has_words_in_every_language(texts: Texts) -> None:
    for name in NAMES:
        for fewer in ("up", "down") if name == "thumbs" else (None,):
            first, second = in_words(Distance((Part(name, 3, 8, fewer), Part("people", 9, 9))), texts)
            assert "3" in first
            assert "8" in first
            assert "5" in second or name in ("prompts", "pairs")
            assert "{" not in first + second
    assert in_words(Distance((Part("people", 9, 9),)), texts)[1] == texts.next_enough


def test_what_two_people_voted_is_not_shown() -> None:
    found = Distance((Part("prompts", 8, 20), Part("thumbs", 7, 8, "down"), Part("people", 2, 3)))
    lines = in_words(found, EN, hidden=("thumbs",))
    assert lines[0] == "For the next verdict there are 8 of 20 held-out prompts, 2 of 3 people."
    assert lines[1] == EN.next_people.format(lacks=1)
    more = in_words(Distance((Part("prompts", 35, 20), Part("people", 2, 3))), EN)[0]
    assert more == "For the next verdict there are 35 held-out prompts (enough), 2 of 3 people."
    assert in_words(Distance(), EN) == []


async def test_the_distance_is_computed_once_in_some_minutes_and_stores_nothing(tmp_path: Path) -> None:
    store = await Store.open(tmp_path)
    try:
        progress = Progress(tmp_path, None)
        people = await people_of(progress)
        assert people == [Part("people", 0, MINIMUM_PEOPLE)]
        talk = await Talk.begin(store)
        person = await talk.person()
        (answer,) = await talk.ask(person, "hello", "hi")
        await talk.rate(person, "vote", answer, value="up")
        assert await people_of(progress) == people
        assert await people_of(Progress(tmp_path, None)) == [Part("people", 1, MINIMUM_PEOPLE)]
        async with store.database.read() as session:
            assert await session.scalar(select(func.count()).select_from(schema.FoldGroup)) == 0
    finally:
        await store.close()


class Slow:
    """Figures that take until they are let go, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.go = 0, asyncio.Event()
        monkeypatch.setattr(bot.progress, "figures_beside", self.compute)

    async def compute(self, _home: Path, _permission: str | None, *, whole: bool = True) -> Figures:
        if not whole:
            return Figures(None, 0, 1, TrialSoFar(100 + self.asked, 3, 0.5))
        self.asked += 1
        await self.go.wait()
        self.go.clear()
        far = Distance((Part("people", self.asked, 9), Part("trial_people", 3, 9)))
        return Figures(far, 0, 1, TrialSoFar(self.asked, 3, 0.5))


async def test_nobody_waits_for_figures_that_take_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    progress = Progress(tmp_path, None, fresh=0, patience=0)
    await progress.now()
    first = await progress.now()  # the trial's state, before the rest
    assert first == Figures(None, 0, 1, TrialSoFar(100, 3, 0.5))
    assert in_words(first.distance, EN) == [EN.far_counting]
    slow.go.set()
    await asyncio.sleep(0.01)
    assert slow.asked == 1
    old = await progress.now()  # the newer ones are being computed
    assert old is not None
    assert old.distance is not None
    assert old.distance.parts[0].have == 1
    progress._until = progress._whole_due = 0
    await progress.now()
    slow.go.set()
    await asyncio.sleep(0.01)
    assert slow.asked == 2
    new = await progress.now()
    assert new is not None
    assert new.trial == TrialSoFar(2, 3, 0.5)


async def test_where_figures_take_long_the_trial_is_looked_at_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch)
    slow.go.set()
    progress = Progress(tmp_path, None, fresh=0)
    await progress.now()
    progress._until, progress._whole_due, progress._whole_took = 0, float("inf"), 60.0
    found = await progress.now()
    assert found is not None
    assert (slow.asked, found.trial) == (1, TrialSoFar(101, 3, 0.5))
    assert found.distance is not None
    assert [(part.name, part.have) for part in found.distance.parts] == [
        ("people", 1),
        ("trial_prompts", 101),
        ("trial_people", 3),
    ]


async def test_figures_of_another_trial_count_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.go.set()
    progress = Progress(tmp_path, None, patience=0.01)
    assert await progress.now(0, 1) is not None
    assert await progress.now(0, 2) is None
    assert slow.asked == 2


async def test_after_a_failure_the_older_figures_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(monkeypatch)
    slow.go.set()
    progress = Progress(tmp_path, None, fresh=0)
    first = await progress.now()

    async def fails(*_: object, **__: object) -> Figures:
        raise OSError

    monkeypatch.setattr(bot.progress, "figures_beside", fails)
    progress._until = 0
    assert await progress.now() is first
