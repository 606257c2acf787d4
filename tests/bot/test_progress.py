"""How far it is to the next verdict, as the bot says it."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot.progress import Progress, in_words
from bot.texts import EN, ZH, Texts
from data import schema
from data.distance import Distance, Part
from data.releases import MINIMUM_PEOPLE
from data.store import Store
from tests.data.talk import Talk

NAMES = ("prompts", "pairs", "thumbs", "people", "trial_prompts", "trial_people")


async def people_of(progress: Progress) -> list[Part]:
    found = await progress.now()
    assert found is not None
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
