"""What stays quick however much is stored: by what the database reads for it, and by how figures are kept."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from data import eraser, schema
from data.consent import CONSENT_VERSION, consents_since, covered
from data.counts import RatingCounts, count_ratings
from data.erasure import expired_versions
from data.messages import message_at
from data.store import Store, StoredGeneration
from tests.data.talk import Talk

GROWING = {
    *("people", "consents", "conversations", "messages", "message_versions", "generations", "generation_context"),
    *("ratings", "platform_messages", "imported_rows", "imported_texts", "tombstones", "system_prompts"),
    *("lessons", "generation_lessons"),
}
KINDS = ("vote", "vote", "vote", "comparison", "correction", "report", "retraction", "void")


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, object]]]:
    """Every statement that the store executes in the block, with its parameters."""
    seen: list[tuple[str, object]] = []

    def executed(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        seen.append((statement, parameters))

    engine = store.database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", executed)


async def scanned(store: Store, seen: list[tuple[str, object]]) -> list[str]:
    """The steps of these statements that read a whole table, or a whole index, of those that grow."""
    found = []
    async with store.database.read() as session:
        connection = await session.connection()
        for statement, parameters in seen:
            if not statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
                continue
            one: Any = parameters[0] if isinstance(parameters, list) and parameters else parameters
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", one)
            steps = [str(row[3]) for row in plan.all()]
            found += [step for step in steps if step.startswith("SCAN") and GROWING.intersection(step.split())]
    return found


async def rated(store: Store) -> tuple[Talk, int, StoredGeneration]:
    """An answer to a question with an id on its platform, and everything that erasure looks for."""
    talk = await Talk.begin(store, "discord", server=await store.server("discord", "1"))
    ada, bea = await talk.person("ada"), await talk.person("bea")
    said = await talk.say(ada, "a question", platform_id="q1")
    first, second = await talk.answer(said, "one"), await talk.answer(said, "two", release=1)
    await talk.rate(bea, "vote", first, value="up")
    await talk.rate(ada, "comparison", first, other=second, value="b")
    await talk.rate(bea, "correction", first, text="a better one")
    return talk, bea, first


@pytest.mark.played
async def test_a_vote_an_edit_and_an_erasure_read_no_whole_table(store: Store) -> None:
    talk, bea, answer = await rated(store)
    with statements(store) as seen:
        await store.vote(answer.generation, bea)
        await talk.rate(bea, "vote", answer, value="down")
        await store.edit_message("discord", "q1", "another question")
        await store.eraser.erase_message("discord", "q1")
        await store.eraser.forget(bea)
    assert len(seen) > 30
    assert await scanned(store, seen) == []


async def test_a_message_that_was_edited_often_is_read_by_its_newest_version(store: Store) -> None:
    await rated(store)
    for number in range(5):
        await store.edit_message("discord", "q1", f"version {number}")
    async with store.database.read() as session:
        kept: list[schema.MessageVersion] = []
        event.listen(session.sync_session, "loaded_as_persistent", lambda _, one: kept.append(one))
        found = await message_at(session, "discord", "q1")
        assert found is not None
        assert found.text == "version 4"
        assert sum(isinstance(one, schema.MessageVersion) for one in kept) == 1
    await store.eraser.erase_message("discord", "q1")
    assert await store.message("discord", "q1") is None


async def test_a_whole_table_that_is_read_is_noticed(store: Store) -> None:
    await rated(store)
    assert await scanned(store, [("SELECT id FROM ratings WHERE platform = ?", ("discord",))])


def recounted(ratings: list[schema.Rating], here: set[int] | None) -> RatingCounts:
    """The counts, one rating after the other."""
    current: dict[tuple[int, str, frozenset[int | None]], str] = {}
    for one in ratings:
        if here is not None and one.generation_id not in here:
            continue
        if one.kind == "void":
            current = {key: name for key, name in current.items() if one.generation_id not in key[2]}
        elif one.kind == "retraction":
            current.pop((one.rater_id, "vote", frozenset((one.generation_id,))), None)
        else:
            answers = frozenset((one.generation_id,) if one.other_id is None else (one.generation_id, one.other_id))
            current[one.rater_id, one.kind, answers] = str(one.value) if one.kind == "vote" else one.kind
    return RatingCounts(Counter(current.values()), len({rater for rater, _, _ in current}))


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(2))
async def test_the_database_counts_what_counting_one_after_the_other_finds(store: Store, seed: int) -> None:
    draw = random.Random(seed)
    answers: list[StoredGeneration] = []
    servers: list[int | None] = [None, await store.server("discord", "1"), await store.server("discord", "2")]
    talks = [await Talk.begin(store, "discord", f"c{number}", server=one) for number, one in enumerate(servers)]
    people = [await talks[0].person(f"p{number}") for number in range(4)]
    for talk in talks:
        for number in range(2):
            said = await talk.say(people[number], f"question {number}")
            answers += [await talk.answer(said, f"answer {each}") for each in range(2)]
    for _ in range(120):
        one = draw.randrange(len(answers))
        other = answers[one ^ 1]
        kind = draw.choice(KINDS)
        given: dict[str, dict[str, Any]] = {
            "vote": {"value": draw.choice(("up", "down"))},
            "comparison": {"value": draw.choice(("a", "b", "tie", "both_bad")), "other": other},
            "correction": {"text": f"better {draw.random()}"},
        }
        await talks[0].rate(draw.choice(people), kind, answers[one], **given.get(kind, {}))
    await store.eraser.forget(people[3])
    async with store.database.read() as session:
        ratings = list(await session.scalars(select(schema.Rating).order_by(schema.Rating.id)))
        for server in (None, *servers[1:]):
            here = None
            if server is not None:
                table = schema.Generation
                mine = select(table.id).join(schema.Conversation, schema.Conversation.id == table.conversation_id)
                here = set(await session.scalars(mine.where(schema.Conversation.server_id == server)))
            assert await count_ratings(session, server) == recounted(ratings, here)


@pytest.mark.parametrize("seed", range(3))
async def test_the_database_finds_the_expired_texts_that_consents_leave(store: Store, seed: int) -> None:
    draw = random.Random(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    talk = await Talk.begin(store, "discord")
    people = [await talk.person(f"p{number}", agrees=None) for number in range(4)]
    said = [await talk.say(draw.choice([None, *people]), f"text {number}") for number in range(30)]
    async with store.database.write() as session:
        session.add(schema.ConsentText(version="an older one", since=start + timedelta(days=10)))
        for one in said:
            version = await session.get_one(schema.MessageVersion, one.version)
            version.created_at = start + timedelta(days=draw.randrange(40))
        for day in range(0, 40, 5):
            given = {"granted": draw.random() < 0.6, "text_version": draw.choice(("an older one", CONSENT_VERSION))}
            session.add(schema.Consent(person_id=draw.choice(people), at=start + timedelta(days=day), **given))
    cutoff = start + timedelta(days=30)
    async with store.database.read() as session:
        since = await consents_since(session)
        texts = list(await session.scalars(select(schema.MessageVersion)))
        due = [
            one.id for one in texts if one.created_at < cutoff and not covered(one.author_id, one.created_at, since)
        ]
        assert await expired_versions(session, cutoff) == sorted(due)
        assert 0 < len(due) < len(texts)


async def _tombstones(store: Store) -> set[tuple[str, str]]:
    async with store.database.read() as session:
        rows = await session.scalars(select(schema.Tombstone).where(schema.Tombstone.kind == "row"))
        return {(row.ref_hash, row.reason) for row in rows}


@pytest.mark.played
async def test_erasing_a_little_at_a_time_erases_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eraser, "_AT_ONCE", 1)
    talk = await Talk.begin(store, "discord", "77:1")
    ada, bea = await talk.person("ada"), await talk.person("bea")
    for number in range(3):
        said = await talk.say(ada, f"secret {number}")
        answer = await talk.answer(said, f"it said secret {number}")
        await talk.rate(bea, "correction", answer, text=f"rather not secret {number}")
        await talk.rate(bea, "vote", answer, value="down")
    public = await talk.say(bea, "something public")
    await talk.rate(ada, "vote", await talk.answer(public, "an answer to all"), value="up")
    assert await store.eraser.forget(ada) == 9
    async with store.database.read() as session:
        texts = set(await session.scalars(select(schema.MessageVersion.text)))
    assert texts == {None, "something public", "an answer to all"}
    # Of each of the three: the prompt, the demonstration, the pair and both labels; and the label that she gave.
    assert len(await _tombstones(store)) == 3 * 5 + 1
    assert {reason for _, reason in await _tombstones(store)} == {"forgotten"}
    assert await store.eraser.erase_channel("discord", "77") == 2


async def test_the_log_is_folded_once_a_long_read_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.write_ahead._FIRST_PAUSE", 0.05)
    talk = await Talk.begin(store, "discord")
    await talk.say(await talk.person(), "secret-one", platform_id="q")
    async with store.database.read() as session:
        await session.scalar(select(schema.Person.id))
        await store.eraser.erase_message("discord", "q")  # it does not wait for the reader
        assert store.eraser.words_in_log
    assert store.eraser._log._emptying is not None
    await store.eraser._log._emptying
    assert b"secret-one" not in store.database.path.with_name("parley.db-wal").read_bytes()
