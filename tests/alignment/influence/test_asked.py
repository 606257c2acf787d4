"""Which answer somebody asks about."""

import pytest

from alignment.influence.asked import LAST, given, stored
from data.errors import BadInput, NothingToDo
from tests.data.talk import SYSTEM, Talk
from tests.data.taught import ASKED, corrected, helped


async def test_an_answer_is_found_by_its_number_by_last_and_by_the_message_that_shows_it(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "How are ferns watered?")
    answer = await talk.answer(said, "Little and often.", release=3)
    await talk.store.set_platform_id(answer.message, "77")
    for name in (str(answer.generation), LAST, "terminal:77"):
        found = await stored(talk.store, name)
        assert (found.name, found.text, found.release, found.lessons) == (
            f"Answer {answer.generation}", "Little and often.", 3, 0
        )  # fmt: skip
        assert [each["content"] for each in found.prompt] == [SYSTEM, "How are ferns watered?"]


async def test_a_name_that_stands_for_no_answer_is_refused_with_what_to_do(talk: Talk) -> None:
    with pytest.raises(BadInput, match="There is no answer in this home yet"):
        await stored(talk.store, LAST)
    with pytest.raises(BadInput, match="There is no answer 4 in this home; it holds none yet"):
        await stored(talk.store, "4")
    (answer,) = await talk.ask(await talk.person(), "A question?", "An answer.")
    with pytest.raises(BadInput, match=f"There is no answer 999 in this home; the newest is {answer.generation}"):
        await stored(talk.store, "999")
    with pytest.raises(BadInput, match="'my answer' names no answer"):
        await stored(talk.store, "my answer")
    with pytest.raises(BadInput, match="The message 5 on discord is unknown here"):
        await stored(talk.store, "discord:5")


async def test_an_answer_of_no_release_is_refused(talk: Talk) -> None:
    said = await talk.say(await talk.person(), "A question?")
    for model, whose in ((None, "the base model"), ("tiny@0123456789ab", "the base model"), ("gpt-x", "model gpt-x")):
        answer = await talk.answer(said, "An answer.", release=0, model=model)
        with pytest.raises(NothingToDo, match=whose):
            await stored(talk.store, str(answer.generation))


async def test_an_erased_answer_cannot_be_asked_about(talk: Talk) -> None:
    said = await talk.say(await talk.person(), "A question?", platform_id="q")
    answer = await talk.answer(said, "An answer.", release=1)
    await talk.store.eraser.erase_message("terminal", "q")
    with pytest.raises(BadInput, match="a text in it was erased"):
        await stored(talk.store, str(answer.generation))


async def test_lessons_in_the_prompt_are_counted(talk: Talk) -> None:
    ada = await talk.person()
    await corrected(talk, ada)
    answer = await helped(talk, ada)
    with pytest.raises(NothingToDo):  # of release 0
        await stored(talk.store, str(answer.generation))
    said = await talk.say(ada, ASKED)
    lessons = await talk.store.lessons.like(ASKED, talk.conversation, ada)
    answer = await talk.answer(said, "On Friday.", release=2, lessons=tuple(each.lesson for each in lessons))
    assert (await stored(talk.store, str(answer.generation))).lessons == 1


def test_a_text_is_asked_about_under_its_persona_in_its_language() -> None:
    found = given("Where is Peru?", "In South America.", 2, "tutor")
    assert [each["role"] for each in found.prompt] == ["system", "user"]
    assert found.release == 2
    assert given("你好吗？", "我很好。", 2, "tutor").prompt[0] != found.prompt[0]
    for question, answer in ((" ", "x"), ("x", "\n")):
        with pytest.raises(BadInput, match="must not be empty"):
            given(question, answer, 2, "tutor")
    with pytest.raises(BadInput, match="There is no persona named 'tuter'"):
        given("x", "y", 2, "tuter")
