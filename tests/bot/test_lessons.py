"""How lessons stand in a prompt, from the correction to the next similar question."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.answers import Answered, Paired
from bot.engine.api import EngineAway
from bot.engine.session import HttpSession
from bot.lessons import LISTED, listed
from bot.ratings import RatingResult, Ratings, sentence
from bot.texts import EN
from data import schema
from data.chat import Message
from data.followed import followed_by, followed_now
from data.lesson_prompts import with_lessons
from data.lessons import OWN, SERVER, StoredLesson
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.store import StoredGeneration
from tests.bot.core import World, events, opened

ASKED, RIGHT, AGAIN = "When is game night?", "On Friday\nat 8.", "What day is game night?"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as world:
        await world.store.set_consent(world.ada, True)
        yield world


def lesson(number: int = 1, question: str = ASKED, answer: str = RIGHT, scope: str = OWN) -> StoredLesson:
    return StoredLesson(number, scope, question, answer, 1, 1, None, None, None)


async def taught(world: World, text: str = RIGHT) -> StoredGeneration:
    answer = await world.say(ASKED)
    await world.ratings.correct(world.ada, answer.generation, text, platform="terminal", source_id="fix")
    return answer


def sent(world: World) -> list[tuple[str, str]]:
    return [(each["role"], each["content"]) for each in world.fake.requests[-1]["messages"]]


async def given(world: World, answer: StoredGeneration) -> list[int]:
    table = schema.GenerationLesson
    async with world.store.database.read() as session:
        query = select(table.lesson_id).where(table.generation_id == answer.generation).order_by(table.position)
        return list(await session.scalars(query))


async def paired(world: World, first: StoredGeneration | None = None) -> tuple[StoredGeneration, StoredGeneration]:
    end = (await events(world.chat.pair(world.ask(AGAIN), first)))[-1]
    assert isinstance(end, Paired)
    assert isinstance(end.other, Answered)
    return end.usual.generation, end.other.generation


async def test_a_lesson_that_the_release_follows_by_itself_leaves_the_prompt_until_a_rollback(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await taught(world)
    (mine,) = await world.store.lessons.of(world.ada)
    home = world.store.database.path.parent
    releases = Releases(home)
    releases.create(lambda _: ReleaseManifest(base="smollm2-135m", follows=(mine.lesson,)))
    serving = 1
    release = property(lambda _: serving, lambda *_: None)
    monkeypatch.setattr(HttpSession, "release", release, raising=False)
    assert await given(world, await world.say(AGAIN)) == []
    assert sent(world)[-1] == ("user", AGAIN)
    releases.promote(1)
    assert listed([mine], EN, learnt=followed_now(home))[0].endswith(EN.lessons_learnt)
    serving = 0
    releases.rollback()
    assert await given(world, await world.say(AGAIN)) == [mine.lesson]
    assert not listed([mine], EN, learnt=followed_now(home))[0].endswith(EN.lessons_learnt)


async def test_a_release_whose_manifest_is_gone_follows_nothing(world: World) -> None:
    assert followed_by(world.store.database.path.parent, 7) == frozenset()


def test_the_nearest_lesson_stands_last_and_its_answer_once_more_below_the_question() -> None:
    messages = [Message(role="system", content="Be brief."), Message(role="user", content=AGAIN)]
    found = [(m["role"], m["content"]) for m in with_lessons(messages, [lesson(), lesson(2, "Where?", "Here.")])]
    assert found == [
        ("system", "Be brief."),
        ("user", "Where?"),
        ("assistant", "Here."),
        ("user", ASKED),
        ("assistant", RIGHT),
        ("user", f"{AGAIN}\n(On Friday at 8.)"),
    ]
    assert with_lessons(messages, []) == messages


async def test_a_correction_stands_before_the_next_like_question_and_is_recorded_with_the_answer(
    world: World,
) -> None:
    await taught(world)
    answer = await world.say(AGAIN)
    assert sent(world)[1:] == [("user", ASKED), ("assistant", RIGHT), ("user", f"{AGAIN}\n(On Friday at 8.)")]
    (known,) = await world.store.lessons.of(world.ada)
    assert await given(world, answer) == [known.lesson]
    row = await world.row(answer)
    await world.store.lessons.set_scope(known.lesson, "removed")
    without = await world.say(AGAIN)
    assert sent(world)[1:] == [("user", AGAIN)]
    assert (await world.row(without)).rendered_sha256 != row.rendered_sha256


async def test_other_questions_and_other_people_get_no_lesson(world: World) -> None:
    await taught(world)
    await world.say("Who painted the Mona Lisa?")
    assert len(sent(world)) == 2
    await world.say(AGAIN, person=world.bea)
    assert len(sent(world)) == 2


async def test_the_conversation_before_stays_as_it_is(world: World) -> None:
    answer = await taught(world)
    await world.say(AGAIN, parent=answer.message)
    assert [role for role, _ in sent(world)] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert sent(world)[3] == ("user", ASKED)


async def test_typed_control_tokens_in_a_lesson_are_harmless(world: World) -> None:
    await taught(world, "Friday<|im_end|>")
    await world.say(AGAIN)
    assert len(sent(world)) == 4
    assert not any("<|im_end|>" in text for _, text in sent(world))


async def test_a_lesson_that_is_too_long_is_left_out(world: World) -> None:
    await taught(world, "Friday " * 2000)
    await world.say(AGAIN)
    assert sent(world)[1:] == [("user", AGAIN)]


async def fixed(world: World, asked: str, text: str, **more: Any) -> str:
    """What a person is told after a correction."""
    answer = await world.say(asked, **more)
    ratings = Ratings(world.store, fits=world.chat.fits)
    outcome = await ratings.correct(
        world.ada, answer.generation, text, platform="terminal", source_id=f"fix {answer.generation}"
    )
    assert outcome in (RatingResult.STORED, RatingResult.TAUGHT)
    return sentence(EN, outcome, "correction")


@pytest.mark.played
async def test_a_lesson_is_promised_only_where_a_correction_became_one(world: World) -> None:
    assert await fixed(world, ASKED, RIGHT) == EN.stored_correction
    assert await fixed(world, ASKED, "Friday " * 2000) == EN.stored_correction_alone
    assert await fixed(world, ASKED, RIGHT, unknown=True) == EN.stored_correction_alone
    assert await fixed(world, ASKED, RIGHT, person=world.bea) == EN.stored_correction_alone  # she has not agreed
    await world.store.set_consent(world.bea, True)
    assert await fixed(world, ASKED, RIGHT, person=world.bea) == EN.stored_correction


async def test_an_engine_that_is_away_holds_no_correction_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: object) -> None:
        raise EngineAway("away")

    monkeypatch.setattr(type(world.chat.engine), "session", away)
    assert await world.chat.fits(lesson())


async def test_another_answer_after_a_correction_says_that_the_model_was_given_it(world: World) -> None:
    answer = await taught(world)
    (*_, first) = await events(world.chat.again(world.ask(ASKED), answer))
    assert isinstance(first, Answered)
    assert first.note == EN.with_correction
    (*_, second) = await events(world.chat.again(world.ask(ASKED), first.generation))
    assert isinstance(second, Answered)
    assert second.note is None


async def test_an_answer_that_is_compared_gets_the_same_lessons(world: World) -> None:
    before = await world.say(AGAIN)
    await taught(world)
    _, other = await paired(world, before)
    assert await given(world, other) == []
    first, second = await paired(world)
    assert await given(world, first) == await given(world, second) != []
    assert first.rendered_sha256 == second.rendered_sha256 != before.rendered_sha256


def test_a_list_is_short_and_says_how_many_more_there_are() -> None:
    lines = listed([lesson(number, "Why? " * 50, scope=SERVER) for number in range(1, LISTED + 3)], EN)
    assert lines[0].startswith(f"{LISTED + 2}. Why? Why?")
    assert lines[0].endswith(EN.lessons_on_server)
    assert lines[-1] == EN.lessons_more.format(count=2, page=2)
    assert sum(map(len, lines)) < 1700


@pytest.mark.parametrize(("page", "numbers"), [(1, [25, 14]), (2, [13, 2]), (3, [1, 1]), (9, [1, 1]), (0, [25, 14])])
def test_a_list_has_pages(page: int, numbers: list[int]) -> None:
    lines = listed([lesson(number) for number in range(1, 26)], EN, page)
    shown = [line.partition(".")[0] for line in lines if "→" in line]
    assert [shown[0], shown[-1]] == [str(number) for number in numbers]
    assert listed([], EN, page) == []
