"""A draft of an answer, without Discord: how often its text is laid out, and what arrives in the end."""

import asyncio

from bot.discord.draft import Draft, Pace
from bot.discord.render import GrowingText, MessagePart, messages
from tests.bot.discord.wall import Wall, nothing


def draft_on(wall: Wall, pace: Pace) -> Draft:
    return Draft(wall, pace, lambda _: None, nothing, lambda: None)


async def test_a_growing_text_is_laid_out_only_when_a_request_can_go_out():
    wall, text, laid_out = Wall(), GrowingText(), []
    draft = draft_on(wall, Pace(0.02))

    def wanted() -> list[MessagePart]:
        laid_out.append(1)
        return messages(text.parts)

    for number in range(5000):
        text.add(f"word{number % 10} ")
        draft.show(wanted)
        if number % 500 == 0:
            await asyncio.sleep(0.03)
    assert len(laid_out) <= 3 * wall.requests + 3
    assert wall.requests <= 20
    assert await draft.finish(messages(text.parts))
    assert wall.contents == text.parts


async def test_an_answer_that_became_shorter_leaves_nothing_of_the_longer_one():
    wall = Wall()
    draft = draft_on(wall, Pace(0))
    draft.show(lambda: [MessagePart("one"), MessagePart("two")])
    await asyncio.sleep(0.01)
    assert await draft.finish([MessagePart("taken back")])
    assert wall.contents == ["taken back", "⋯"]
