"""A model's thoughts on Discord, never shown or as a spoiler; answers without a word or cut by a filter."""

import pytest

from bot.discord.render import LIMIT, split
from bot.discord.thoughts import LONGEST, spoiler
from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, labels, playing

FORMS = {
    "tags": ("<th", "ink>PLAN</think>\n\n", "It is 5."),
    "a closing tag": ("PLAN\n</think>\n\n", "It is 5."),
    "channels": (
        "<|channel|>analysis<|message|>PLAN<|end|>",
        "<|start|>assistant<|channel|>final<|message|>It is 5.",
    ),
    "a control token": ("It is 5.", "<|im_end|>"),
}


@pytest.mark.played
@pytest.mark.parametrize("form", FORMS)
async def test_a_thought_is_not_shown(reading: World, form: str):
    reading.fake.answer(*FORMS[form])
    answer = await reading.ask("What is 2 + 3?")
    assert (answer.content, labels(answer)) == ("It is 5.", RATE)
    await reading.ada.send(reading.channel, f"{reading.me} and 4 + 4?", reply_to=answer)
    assert not any("PLAN" in text or "|" in text for text in reading.sent())


@pytest.mark.played
async def test_a_thought_is_a_spoiler_where_people_may_see_it_and_is_not_stored(world: World):
    async with playing(world.bot(show_thinking=True)) as env:
        await world.begin(env)
        world.fake.answer("<think>PLAN || `five`</think>\n\n", "It is 5.", delay=0.02)
        answer = await world.ask("What is 2 + 3?")
        assert answer.content == "||PLAN ¦¦ 'five'||\nIt is 5."
        assert labels(answer) == RATE
        stored = await world.store.shown("discord", str(answer.id))
        assert stored is not None
        assert stored.text == "It is 5."


@pytest.mark.played
async def test_no_button_continues_an_answer_without_a_word(talk: World):
    talk.fake.answer(finish_reason="length")
    answer = await talk.ask("think hard")
    assert answer.content == f"-# {EN.no_word_left.format(tokens=512)}"
    assert labels(answer) == ["↻"]


@pytest.mark.played
async def test_an_answer_that_a_filter_cut_has_no_buttons_to_rate_it(talk: World):
    talk.fake.answer("I think", finish_reason="content_filter")
    answer = await talk.ask("tell me")
    assert answer.content == f"I think\n-# {EN.filtered}"
    assert labels(answer) == ["↻"]
    (generation,) = await talk.rows(schema.Generation)
    assert generation.finish_reason == "filtered"


@pytest.mark.parametrize("thoughts", ["a\n\n" * 900, "word " * 900, "x" * 5000, "`" * 99, "|| a ||\\", "\n\n"])
def test_a_spoiler_is_whole_in_the_first_message(thoughts: str):
    shown = spoiler(thoughts)
    assert len(shown) <= LONGEST + 10
    first = split(shown + "An answer. " * 500)[0]
    assert first.count("||") == (2 if thoughts.strip() else 0)
    assert len(first) <= LIMIT
    assert "`" not in shown
