"""Lessons are found by what their questions mean, where the operator has an embedding model."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from data import lesson_vectors
from data.lesson_vectors import Meanings
from data.lessons import REMOVED
from tests.data.talk import Talk
from tests.data.taught import ASKED, RIGHT, corrected, seen

OTHER_WORDS = "At which hour do we play?"  # none of them is in `ASKED`


class Model:
    """Vectors by topic: texts about playing, about food, and all others. It may be away."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[list[str]] = []

    async def __call__(self, texts: Sequence[str]) -> list[list[float]] | None:
        self.asked.append(list(texts))
        return None if self.away else [self.vector(text.lower()) for text in texts]

    @staticmethod
    def vector(text: str) -> list[float]:
        topics = ("game", "play"), ("soup", "dinner")
        return [10.0, *(float(any(word in text for word in topic)) for topic in topics)]


@pytest.fixture
def model(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(lesson_vectors, "_shipped", lambda: ("One?", "Two?", "Three?"))
    monkeypatch.setattr(lesson_vectors, "AT_ONCE", 2)
    asked = Model()
    talk.store.lessons.meanings = Meanings(asked)
    return asked


async def warm(talk: Talk, person: int) -> None:
    """Questions until the shipped questions and the lessons have their vectors."""
    for _ in range(4):
        await seen(talk, person, "Hm?")


async def test_a_question_in_other_words_is_found_once_the_vectors_are_there(talk: Talk, model: Model) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    assert await seen(talk, ada, OTHER_WORDS) == []
    assert model.asked == [[OTHER_WORDS, "One?", "Two?"]]
    assert await seen(talk, ada, OTHER_WORDS) == []
    assert model.asked[1:] == [[OTHER_WORDS, "Three?"]]
    assert await seen(talk, ada, OTHER_WORDS) == [RIGHT]
    assert model.asked[2:] == [[OTHER_WORDS, ASKED]]
    assert await seen(talk, ada, "What is for dinner?") == []
    assert model.asked[3:] == [["What is for dinner?"]]


async def test_without_the_model_lessons_are_found_by_their_words(talk: Talk, model: Model) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    await warm(talk, ada)
    model.away = True
    assert await seen(talk, ada, OTHER_WORDS) == []
    assert await seen(talk, ada, ASKED) == [RIGHT]


async def test_what_means_the_same_comes_before_what_has_the_same_words(talk: Talk, model: Model) -> None:
    ada = await talk.person()
    await corrected(talk, ada, "At the pond.", "Where is it held?")
    await corrected(talk, ada)
    await warm(talk, ada)
    assert await seen(talk, ada, "Where is it held when we play?") == [RIGHT, "At the pond."]


@pytest.mark.parametrize("how", ["removed", "erased"])
async def test_the_vector_goes_with_its_lesson_and_is_overwritten(talk: Talk, model: Model, how: str) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    await warm(talk, ada)
    meanings = talk.store.lessons.meanings
    assert meanings is not None
    (vector,) = meanings._vectors.values()
    if how == "erased":
        await talk.store.eraser.forget(ada)
    else:
        await talk.store.lessons.set_scope((await talk.store.lessons.of(ada))[0].lesson, REMOVED)
        await seen(talk, ada, OTHER_WORDS)
    assert (meanings.held(), vector.tolist()) == ([], [0.0, 0.0, 0.0])


@pytest.mark.parametrize("how", ["lesson", "message", "channel", "expired"])
async def test_every_way_of_erasing_a_question_overwrites_its_vector_at_once(
    talk: Talk, model: Model, how: str
) -> None:
    talk = await Talk.begin(talk.store, key="1:1")
    ada = await talk.person()
    answer = await talk.answer(await talk.say(ada, ASKED, platform_id="5"), "On Monday.")
    await talk.rate(ada, "correction", answer, text=RIGHT)
    await warm(talk, ada)
    store = talk.store
    assert store.lessons.meanings is not None
    (vector,) = store.lessons.meanings._vectors.values()
    if how == "lesson":
        await store.eraser.erase_lessons([each.lesson for each in await store.lessons.every()])
    elif how == "message":
        await store.eraser.erase_message("terminal", "5")
    elif how == "channel":
        await store.eraser.erase_channel("terminal", "1")
    else:
        await store.set_consent(ada, False)
        await store.eraser.purge(datetime.now(UTC) + timedelta(days=1))
    assert vector.tolist() == [0.0, 0.0, 0.0]


async def test_a_model_that_was_exchanged_finds_nothing_and_breaks_nothing(talk: Talk, model: Model) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    await warm(talk, ada)

    def longer(text: str) -> list[float]:
        return [1.0] * 7

    model.vector = longer  # type: ignore[method-assign]  # replaced for this test
    assert await seen(talk, ada, OTHER_WORDS) == []
