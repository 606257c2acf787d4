import asyncio
import sqlite3
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from data import schema
from data.database import NAME
from data.errors import BadInput
from data.store import Store
from tests.data.talk import Talk


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def every_byte(house: Path) -> bytes:
    return b"".join(path.read_bytes() for path in house.iterdir() if path.is_file())


async def count(store: Store, table: type[schema.Base]) -> int:
    async with store.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


async def test_state_is_private_to_its_owner(house: Path, store: Store) -> None:
    await store.person("terminal", "ada")
    assert mode(house) == 0o700
    for path in (house / NAME, house / f"{NAME}-wal", house / "key"):
        assert mode(path) == 0o600, path


async def test_people_are_found_again_by_a_keyed_hash_only(house: Path, store: Store) -> None:
    platform_id = "814237951234567890"
    person = await store.person("discord", platform_id)
    assert await store.person("discord", platform_id) == person
    assert await store.person("terminal", platform_id) != person
    assert await store.person("discord", "other") != person
    talk = await Talk.begin(store, "discord", "channel")
    (answer,) = await talk.ask(person, "hello", "hi")
    await talk.rate(person, "vote", answer, value="up")
    await store.close()
    raw = every_byte(house)
    assert platform_id.encode() not in raw
    assert int(platform_id).to_bytes(8, "big") not in raw


async def test_many_calls_at_once_make_one_person(store: Store) -> None:
    assert len(set(await asyncio.gather(*(store.person("terminal", "ada") for _ in range(12))))) == 1
    assert await count(store, schema.Person) == 1


async def test_nobody_is_recognised_in_another_installation(tmp_path: Path) -> None:
    hashes = set()
    for name in ("a", "b"):
        store = await Store.open(tmp_path / name)
        await store.person("terminal", "ada")
        async with store.database.read() as session:
            hashes.add(await session.scalar(select(schema.Person.id_hash)))
        await store.close()
    assert len(hashes) == 2


async def test_a_pseudonym_and_an_id_lead_to_their_person(store: Store) -> None:
    person = await store.person("terminal", "ada")
    async with store.database.read() as session:
        pseudonym = (await session.get_one(schema.Person, person)).pseudonym
    assert await store.person_named(pseudonym) == await store.person_named("terminal:ada") == person
    for name in ("ada", "discord:ada", "terminal:", ""):
        with pytest.raises(BadInput, match=f"nobody called '{name}'"):
            await store.person_named(name)


async def test_consent_is_the_last_answer_and_all_are_kept(store: Store) -> None:
    person = await store.person("terminal", "ada")
    assert await store.consent(person) is None
    for granted in (False, True, False, True):
        await store.set_consent(person, granted, "v1")
        assert await store.consent(person) is granted
    assert await count(store, schema.Consent) == 4


async def test_conversations_and_servers_are_made_once(store: Store) -> None:
    server = await store.server("discord", "1")
    assert await store.server("discord", "1") == server
    first = await store.conversation("discord", "c", persona="tutor", server=server)
    assert await store.conversation("discord", "c", persona="writer", language="zh") == first
    assert await store.conversation("terminal", "c", persona="tutor") != first
    async with store.database.read() as session:
        row = await session.get_one(schema.Conversation, first)
    assert (row.persona, row.language, row.server_id) == ("tutor", "en", server)


async def test_a_path_is_one_branch_with_its_newest_words(talk: Talk) -> None:
    store, ada = talk.store, await talk.person()
    question = await talk.say(ada, "frist", platform_id="q")
    one, two = [await talk.answer(question, text) for text in ("one", "two")]
    more = await talk.say(ada, "more", parent=two.message)
    last = await talk.answer(more, "last")
    edited = await store.edit_message("terminal", "q", "first")
    assert [message.text for message in await store.path(last.message)] == ["first", "two", "more", "last"]
    assert [message.text for message in await store.path(one.message)] == ["first", "one"]
    assert edited is not None
    assert edited.message == question.message
    assert edited.version != question.version
    assert edited.author == ada
    assert await store.message("terminal", "q") == edited
    assert [message.role for message in await store.path(last.message)] == ["user", "assistant"] * 2
    assert await store.path(10_000) == []


async def test_an_edit_that_changes_nothing_makes_no_new_version(talk: Talk) -> None:
    # A link preview arrives as an edit, which must not make the text look newer than a consent given meanwhile.
    said = await talk.say(await talk.person(), "look: http://x.y", platform_id="q")
    assert await talk.store.edit_message("terminal", "q", "look: http://x.y") == said
    assert await count(talk.store, schema.MessageVersion) == 1


async def test_unknown_ids_give_nothing(store: Store) -> None:
    assert await store.message("discord", "1") is None
    assert await store.edit_message("discord", "1", "x") is None
    assert await store.eraser.erase_message("discord", "1") is False
    assert await store.shown("discord", "1") is None
    assert await store.generation(1) is None


async def test_a_generation_keeps_what_made_it(talk: Talk) -> None:
    store = talk.store
    (made,) = await talk.ask(await talk.person(), "hello", "hi there")
    found = await store.generation(made.generation)
    assert found == made
    for platform_id in ("part-1", "part-2"):  # a long answer, split over two messages
        await store.set_platform_id(made.message, platform_id)
        assert await store.shown("terminal", platform_id) == made
    assert await store.shown("discord", "part-1") is None
    async with store.database.read() as session:
        row = await session.get_one(schema.Generation, made.generation)
        context = await session.scalars(select(schema.GenerationContext.version_id))
        assert (row.sampling, row.seed, row.finish_reason) == ({"temperature": 0.7}, 1, "stop")
        assert (row.prompt_tokens, row.completion_tokens, row.first_token_seconds) == (5, 3, 0.1)
        assert context.all() == [made.version - 1]
        assert row.created_at.tzinfo is UTC


async def test_a_system_prompt_is_stored_once(talk: Talk) -> None:
    await talk.ask(await talk.person(), "hello", "one", "two")
    assert await count(talk.store, schema.SystemPrompt) == 1
    assert await count(talk.store, schema.Generation) == 2


async def test_a_generation_whose_context_is_unknown_leaves_nothing(talk: Talk) -> None:
    said = await talk.say(await talk.person(), "hello")
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await talk.answer(said, "half", context=(said.version, 9999))
    assert await count(talk.store, schema.Generation) == 0
    assert await count(talk.store, schema.MessageRow) == 1


async def test_a_repeated_click_is_one_event(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "hello", "hi")
    clicks = [talk.rate(ada, "correction", answer, text="Hello!", source_id="click") for _ in range(5)]
    assert sorted(await asyncio.gather(*clicks)) == [False] * 4 + [True]
    assert await count(talk.store, schema.Rating) == 1
    assert await count(talk.store, schema.MessageVersion) == 3  # the correction's text once, too


async def test_the_current_vote_follows_changes_of_mind(talk: Talk) -> None:
    store, ada, bob = talk.store, await talk.person("ada"), await talk.person("bob")
    one, two = await talk.ask(ada, "hello", "hi", "ho")
    assert await store.vote(one.generation, ada) is None
    for value in ("up", "down", "up"):
        await talk.rate(ada, "vote", one, value=value)
        assert await store.vote(one.generation, ada) == value
    assert await store.vote(one.generation, bob) is None
    assert await store.vote(two.generation, ada) is None
    await talk.rate(bob, "vote", one, value="down")
    await talk.rate(ada, "correction", one, text="better")
    await talk.rate(ada, "report", one, text="hm")
    assert await store.vote(one.generation, ada) == "up"
    await talk.rate(ada, "retraction", one)
    assert await store.vote(one.generation, ada) is None
    assert await store.vote(one.generation, bob) == "down"
    await talk.rate(ada, "vote", one, value="down")
    assert await store.vote(one.generation, ada) == "down"
    await talk.rate(await talk.person("moderator"), "void", one)
    assert await store.vote(one.generation, ada) is None
    assert await store.vote(one.generation, bob) is None


@pytest.mark.parametrize(
    ("kind", "more", "sentence"),
    [
        ("vote", {"value": "a"}, "cannot have the value 'a'"),
        ("vote", {}, "cannot have the value None"),
        ("comparison", {"value": "up"}, "cannot have the value 'up'"),
        ("comparison", {"value": "a"}, "needs two answers"),
        ("correction", {}, "needs the corrected answer"),
        ("correction", {"text": " \n"}, "needs the corrected answer"),
        ("retraction", {"value": "up"}, "cannot have the value"),
        ("applause", {"value": "up"}, "kind 'applause'"),
    ],
)
async def test_ratings_that_mean_nothing_are_refused(
    talk: Talk, kind: str, more: dict[str, str], sentence: str
) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "hello", "hi")
    with pytest.raises(BadInput, match=sentence):
        await talk.rate(ada, kind, answer, **more)
    with pytest.raises(BadInput, match="with itself"):
        await talk.rate(ada, "comparison", answer, other=answer, value="a")
    assert await count(talk.store, schema.Rating) == 0


async def test_times_carry_their_zone(store: Store) -> None:
    with pytest.raises(Exception, match="needs its zone"):
        await store.eraser.purge(datetime(2026, 1, 1))  # noqa: DTZ001 - a time without a zone is what is tested
    early = datetime(2020, 1, 1, tzinfo=UTC)
    assert await store.eraser.purge(early) == 0
    assert await store.eraser.purge(early.astimezone(tz=None) + timedelta(days=1)) == 0


async def test_releases_are_recorded_once(store: Store) -> None:
    await store.add_release(1, "smollm2-135m", "0" * 64)
    await store.add_release(1, "other", "1" * 64)
    await store.promoted(1)
    async with store.database.read() as session:
        (row,) = (await session.scalars(select(schema.ReleaseRow))).all()
    assert (row.base, row.promoted_at is not None) == ("smollm2-135m", True)


async def test_a_reader_sees_one_moment_while_a_writer_writes(talk: Talk) -> None:
    store, people = talk.store, select(func.count()).select_from(schema.Person)
    await talk.person("ada")
    async with store.database.read() as reading:
        assert await reading.scalar(people) == 1
        await talk.person("bob")
        assert await reading.scalar(people) == 1
    assert await count(store, schema.Person) == 2


async def test_a_write_that_raises_leaves_nothing(store: Store) -> None:
    async def fail() -> None:
        async with store.database.write() as session:
            session.add(schema.Server(platform="discord", platform_id="1"))
            await session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await count(store, schema.Server) == 0


async def test_a_copy_is_the_database_of_one_moment(house: Path, store: Store) -> None:
    await store.person("terminal", "ada")
    await store.database.copy(house / "copy.db")
    await store.person("terminal", "bob")
    connection = sqlite3.connect(house / "copy.db")
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (1,)
    connection.close()
    assert mode(house / "copy.db") == 0o600
