"""What people teach in a test of lessons, in short names, and what is then there."""

from typing import Any

from data.lessons import OWN, SERVER
from data.store import Store, StoredGeneration
from tests.data.talk import Talk

ASKED, RIGHT = "When is game night?", "On Friday at 8."
AGAIN = "What day is game night?"
SAID_THE_SAME, VOTED = CONFIRMED = ("the same correction", "votes for an answer given with it")


async def on_discord(store: Store, key: str = "11:1", server: str = "7", **more: Any) -> Talk:
    number = await store.server("discord", server)
    await store.set_may_teach("discord", server, True)
    return await Talk.begin(store, "discord", key, server=number, **more)


async def corrected(
    talk: Talk, person: int, text: str = RIGHT, asked: str = ASKED, *, everybody_sees: bool = True
) -> StoredGeneration:
    (answer,) = await talk.ask(person, asked, "On Monday.")
    await talk.rate(person, "correction", answer, text=text, everybody_sees=everybody_sees)
    return answer


async def for_all_here(talk: Talk, person: int) -> None:
    """Let a person's first lesson hold on its server."""
    await talk.store.lessons.set_scope((await talk.store.lessons.of(person))[0].lesson, SERVER)


async def seen(talk: Talk, person: int, question: str = AGAIN) -> list[str]:
    return [lesson.answer for lesson in await talk.store.lessons.like(question, talk.conversation, person)]


async def helped(talk: Talk, person: int, text: str = "Friday at 8, I think.") -> StoredGeneration:
    """An answer that was given with the lessons for its question."""
    said = await talk.say(person, AGAIN)
    lessons = await talk.store.lessons.like(AGAIN, talk.conversation, person)
    assert lessons
    return await talk.answer(said, text, lessons=tuple(each.lesson for each in lessons))


async def confirmed(talk: Talk, person: int, how: str) -> StoredGeneration:
    """Three friends bear a person's lesson out, in one of these ways; the answer that they rated last."""
    rated = await helped(talk, person)
    for number in range(3):
        assert await scopes(talk.store, person) == [OWN]
        friend = await talk.person(f"friend {number}")
        if how == SAID_THE_SAME:
            rated = await corrected(talk, friend, RIGHT.lower(), ASKED.lower())
        else:
            await talk.rate(friend, "vote", rated, value="up")
    assert await scopes(talk.store, person) == [SERVER]
    return rated


async def text_of(store: Store, answer: StoredGeneration) -> str:
    found = await store.generation(answer.generation)
    assert found is not None
    return found.text


async def scopes(store: Store, person: int) -> list[str]:
    return [lesson.scope for lesson in await store.lessons.of(person)]
