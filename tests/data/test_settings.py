"""Settings of places: which place's value wins, and how they are changed and forgotten."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from data.schema import SystemPrompt
from data.scopes import chain, deciding_place, resolve
from data.store import Store
from data.times import now
from tests.data.talk import generated

KINDS = ("conversation", "thread", "channel", "category", "server")
places = st.dictionaries(st.sampled_from(KINDS), st.integers(1, 9))


@given(places, st.sets(st.sampled_from(KINDS)))
def test_conversation_thread_channel_category_server_installation_in_this_order(there, saying):
    wide = {"conversation": "conversation", "server": "server"}
    scope = {kind: (wide.get(kind, "channel"), f"{KINDS.index(kind)}{there[kind]}") for kind in there}
    found = chain(**{kind: number for kind, (_, number) in scope.items()})
    assert found == [scope[kind] for kind in KINDS if kind in there]
    said = {scope[kind]: kind for kind in saying if kind in there}
    narrowest = next((kind for kind in KINDS if kind in saying and kind in there), None)
    assert resolve(said, found, "installation") == (narrowest or "installation")
    assert deciding_place(said, found) == (scope[narrowest] if narrowest else None)


async def test_two_changes_at_once_are_both_made(store: Store) -> None:
    place = ("server", "1")

    def with_number(number: int):
        return lambda now: [*(now or []), number]

    await asyncio.gather(*(store.change_setting("list", place, with_number(number)) for number in range(5)))
    assert sorted(await store.setting("list", [place])) == [0, 1, 2, 3, 4]


async def test_a_change_that_fails_leaves_what_was_there(store: Store) -> None:
    place = ("server", "1")
    assert await store.change_setting("list", place, lambda _: [1]) == [1]
    with pytest.raises(ZeroDivisionError):
        await store.change_setting("list", place, lambda _: 1 // 0)
    assert await store.setting("list", [place]) == [1]
    await store.change_setting("list", place, lambda _: None)
    assert await store.said("list", [place]) == {}


async def test_what_a_server_had_set_is_forgotten_with_it(store: Store) -> None:
    for server in ("1", "2"):
        await store.server("discord", server)
        await store.set_setting("access", ("server", server), {"user:5": "block"})
    await store.servers_now("discord", {"2"})
    await store.eraser.purge(now() - timedelta(days=1))
    assert await store.setting("access", [("server", "1")])  # its time is not over yet
    await store.eraser.purge(now() + timedelta(seconds=1))
    assert await store.setting("access", [("server", "1")]) is None
    assert await store.setting("access", [("server", "2")])


async def test_a_servers_system_prompts_are_forgotten_with_it_unless_others_use_them_too(
    store: Store,
) -> None:
    async def told(server: str, prompt: str) -> None:
        row = await store.server("discord", server)
        conversation = await store.conversation("discord", f"{server}{prompt}", persona="pirate", server=row)
        question = await store.add_message(conversation, "user", "hello")
        more = {"system_prompt": prompt, "platform": "discord"}
        await store.add_generation(generated(conversation, question.message, (question.version,), **more))

    async def prompts() -> list[str]:
        async with store.database.read() as session:
            return sorted((await session.scalars(select(SystemPrompt.text))).all())

    for server, prompt in (("1", "a pirate"), ("1", "an assistant"), ("2", "an assistant")):
        await told(server, prompt)
    await store.servers_now("discord", {"2"})
    await store.eraser.purge(now() - timedelta(days=1))
    assert await prompts() == ["a pirate", "an assistant"]
    await store.eraser.purge(now() + timedelta(seconds=1))
    assert await prompts() == ["", "an assistant"]
    await told("2", "a pirate")
    assert await prompts() == ["", "a pirate", "an assistant"]
