"""Erased texts are gone: from the tables, from the file and from its write-ahead log."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from data import schema
from data.database import NAME
from data.errors import BadInput
from data.imports import collect_rows, import_rows
from data.rows import Row, parse_row
from data.store import Store
from tests.data.talk import Talk, script


def on_disk(house: Path, *words: str) -> list[str]:
    """Which of the words can still be read in the database or its log."""
    raw = b"".join((house / f"{NAME}{end}").read_bytes() for end in ("", "-wal") if (house / f"{NAME}{end}").exists())
    return [word for word in words if word.encode() in raw]


async def texts(store: Store) -> set[str]:
    async with store.database.read() as session:
        query = select(schema.MessageVersion.text).where(schema.MessageVersion.text.is_not(None))
        return set((await session.scalars(query)).all())


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_deleted_message_goes_with_its_edits_and_what_was_made_of_it(talk: Talk, house: Path) -> None:
    store, ada = talk.store, await talk.person()
    said = await talk.say(ada, "secret-one", platform_id="q")
    answer = await talk.answer(said, "echo of secret-one")
    await talk.rate(ada, "correction", answer, text="better echo of secret-one")
    await store.edit_message("terminal", "q", "secret-two")
    more = await talk.say(ada, "unrelated", parent=answer.message)
    later = await talk.answer(more, "echo of the echo")
    assert on_disk(house, "secret-one", "secret-two") == ["secret-one", "secret-two"]
    assert await store.eraser.erase_message("terminal", "q") is True
    assert await texts(store) == {"unrelated"}
    assert on_disk(house, "secret-one", "secret-two", "echo of the echo") == []
    assert await store.message("terminal", "q") is None
    assert await store.edit_message("terminal", "q", "back again") is None
    assert [message.text for message in await store.path(later.message)] == ["unrelated"]
    found = await store.generation(answer.generation)
    assert found is not None
    assert found.text == ""
    assert await store.eraser.erase_message("terminal", "q") is True


async def test_erasing_one_branch_leaves_the_other(talk: Talk) -> None:
    ada = await talk.person()
    root = await talk.say(ada, "root")
    first = await talk.answer(root, "first answer")
    gone = await talk.say(ada, "gone", parent=first.message, platform_id="gone")
    await talk.answer(gone, "about gone")
    kept = await talk.say(ada, "kept", parent=first.message)
    await talk.answer(kept, "about kept")
    await talk.store.eraser.erase_message("terminal", "gone")
    assert await texts(talk.store) == {"root", "first answer", "kept", "about kept"}


@pytest.mark.played
@pytest.mark.parametrize("size", [10, 700, 9000])
async def test_the_bytes_of_an_erased_text_are_gone_among_many_texts(talk: Talk, house: Path, size: int) -> None:
    # Short texts move within a page when others are erased; long texts have their own pages.
    store, words = talk.store, [f"word{i:03d}w" for i in range(40)]
    for index, word in enumerate(words):
        await talk.say(None, word + "x" * size + word[::-1], platform_id=str(index))
    for index in range(0, 40, 3):
        await store.eraser.erase_message("terminal", str(index))
    gone = words[::3]
    assert on_disk(house, *gone, *(word[::-1] for word in gone)) == []
    assert len(on_disk(house, *words)) == len(words) - len(gone)


async def test_forgetting_a_person_leaves_nothing_of_them(talk: Talk, house: Path) -> None:
    store, ada, bob = talk.store, await talk.person("ada"), await talk.person("bob")
    hers = await talk.say(ada, "ada-says")
    answer = await talk.answer(hers, "to-ada")
    await talk.rate(ada, "vote", answer, value="up", text="ada-why")
    await talk.rate(bob, "correction", answer, text="bob-corrects-to-ada")
    his = await talk.say(bob, "bob-says", parent=answer.message)
    below = await talk.answer(his, "to-bob-after-ada")
    await talk.rate(bob, "vote", below, value="up")
    (other,) = await talk.ask(bob, "bob-alone", "to-bob")
    await talk.rate(ada, "correction", other, text="ada-corrects")
    await talk.rate(bob, "vote", other, value="down")
    assert await store.eraser.forget(ada) == 6
    assert await texts(store) == {"bob-says", "bob-alone", "to-bob"}
    assert on_disk(house, "ada-says", "to-ada", "ada-why", "ada-corrects", "bob-corrects-to-ada") == []
    assert on_disk(house, "bob-alone") == ["bob-alone"]
    assert await store.vote(answer.generation, ada) is None
    assert await store.vote(other.generation, bob) == "down"
    async with store.database.read() as session:
        assert set((await session.scalars(select(schema.Rating.rater_id))).all()) == {bob}
    assert await store.consent(ada) is False


async def test_somebody_who_comes_back_is_a_new_person(talk: Talk, store: Store) -> None:
    ada = await talk.person("ada")
    async with store.database.read() as session:
        old_hash = (await session.get_one(schema.Person, ada)).id_hash
    assert await store.eraser.forget(ada) == 0
    assert on_disk(store.database.path.parent, old_hash) == []
    again = await store.person("terminal", "ada")
    assert again != ada
    assert await store.consent(again) is None


async def test_purging_erases_what_no_consent_covers(talk: Talk, house: Path) -> None:
    store = talk.store
    yes, no, never = (
        await talk.person("yes", agrees=None),
        await talk.person("no", agrees=False),
        await talk.person("x"),
    )
    await store.set_consent(never, False, "withdrawn")
    await talk.say(yes, "before-consent")
    await store.set_consent(yes, True)
    kept = await talk.say(yes, "after-consent")
    await talk.answer(kept, "to-consent")
    (echo,) = await talk.ask(no, "from-no", "to-no")
    await talk.rate(yes, "correction", echo, text="corrects-to-no")
    await talk.rate(no, "vote", echo, value="up", text="why-of-no")
    await talk.say(never, "after-withdrawal")
    await talk.say(None, "from-nobody")
    cut = now()
    await talk.say(no, "recent-from-no")
    assert await store.eraser.purge(cut - timedelta(days=1)) == 0
    assert await store.eraser.purge(cut) == 7
    assert await texts(store) == {"after-consent", "to-consent", "recent-from-no"}
    assert on_disk(house, "before-consent", "from-no ", "to-no", "corrects-to-no", "after-withdrawal") == []
    assert await store.eraser.purge(cut) == 0


async def test_withdrawal_covers_what_was_said_before_it(talk: Talk) -> None:
    ada = await talk.person()
    await talk.ask(ada, "hello", "hi")
    assert await talk.store.eraser.purge(now()) == 0
    await talk.store.set_consent(ada, False)
    assert await talk.store.eraser.purge(now()) == 2
    await talk.store.set_consent(ada, True)
    assert await texts(talk.store) == set()


@pytest.mark.process
async def test_an_erasure_survives_a_kill(house: Path) -> None:
    program = """
import asyncio, os, pathlib, signal, sys
from data.store import Store
async def main():
    store = await Store.open(pathlib.Path(sys.argv[1]))
    conversation = await store.conversation("terminal", "c", persona="tutor")
    await store.add_message(conversation, "user", "secret-one", platform_id="q")
    await store.eraser.erase_message("terminal", "q")
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    process = script(house, "-c", program, str(house))
    process.communicate()
    assert process.returncode == -9
    assert on_disk(house, "secret-one") == []


async def exported(talk: Talk) -> list[Row]:
    """The rows of all kinds, as they come back from an exported file."""
    found = await collect_rows(talk.store, discord_permission=None)
    return [parse_row({**each.row.data, **each.row.extra}) for each in found.rows]


@pytest.mark.played
async def test_an_older_export_does_not_bring_erased_rows_back(talk: Talk) -> None:
    ada = await talk.person()
    good, bad = await talk.ask(ada, "Hi.", "Hello.", "What?")
    (alone,) = await talk.ask(ada, "Bye.", "So long.")
    await talk.rate(ada, "vote", good, value="up")
    await talk.rate(ada, "correction", bad, text="Hello, Ada.")
    await talk.rate(ada, "comparison", good, other=bad, value="a")
    await talk.rate(ada, "vote", alone, value="up")
    out = await exported(talk)
    assert {row.kind for row in out} == {"demonstration", "preference", "labelled", "prompt"}
    await talk.store.eraser.forget(ada)
    result = await import_rows(talk.store, out)
    assert (result.erased, result.new.total()) == (len(out), 0)


@pytest.mark.played
async def test_an_operators_row_with_the_words_of_an_erased_one_is_theirs(talk: Talk) -> None:
    own = [{"role": "user", "content": "What is the capital city of France?"}]
    first = parse_row({"prompt": own})
    again = parse_row({"messages": [*own, {"role": "assistant", "content": "It is Paris, of course."}]})
    await import_rows(talk.store, [first])
    eve = await talk.person("eve")
    for place in ("e1", "e2"):
        said = await talk.say(eve, own[0]["content"], platform_id=place)
        answer = await talk.answer(said, "It is Paris, of course.")
        await talk.rate(eve, "correction", answer, text="Paris!")
    await talk.store.eraser.erase_message("terminal", "e1")
    await talk.store.eraser.forget(eve)
    assert (await import_rows(talk.store, [again])).new == {"demonstration": 1}
    found = await collect_rows(talk.store, discord_permission=None)
    assert [each.row.data["prompt"] for each in found.rows if each.row.kind == "prompt"] == [own]
    assert len(found.of("demonstration")) == 1


async def test_forgetting_removes_the_backups_of_migrations_too(talk: Talk, house: Path) -> None:
    copy = house / f"{NAME}.backup-0000"
    copy.write_bytes(b"old words")
    ada = await talk.person()
    await talk.store.eraser.purge(now() - timedelta(days=30))
    assert copy.exists()
    await talk.store.eraser.forget(ada)
    assert not copy.exists()


@pytest.mark.played
@pytest.mark.parametrize("leaves", ["ada", "bob"])
async def test_forgetting_reaches_copies_that_were_imported_again(talk: Talk, leaves: str) -> None:
    people = {name: await talk.person(name) for name in ("ada", "bob", "eve")}
    one, two = await talk.ask(people["ada"], "My brother Tomas keeps bees.", "Good.", "Bad.")
    await talk.rate(people["bob"], "comparison", one, other=two, value="a")
    await import_rows(talk.store, await exported(talk))
    await talk.store.eraser.forget(people[leaves])
    left = (await collect_rows(talk.store, discord_permission=None)).rows
    # The rater takes their verdict along, and the person who asked takes everything.
    assert [each.row.kind for each in left] == (["prompt"] if leaves == "bob" else [])
    async with talk.store.database.read() as session:
        copied = select(func.count()).select_from(schema.ImportedText).join(schema.MessageVersion)
        kept = await session.scalar(copied.where(schema.MessageVersion.text.is_not(None)))
    assert bool(kept) is (leaves == "bob")


async def test_what_was_generated_while_its_question_was_erased_is_not_kept(talk: Talk, house: Path) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "my number is 555-123-987", platform_id="q")
    path = tuple(one.version for one in await talk.store.path(said.message))
    await talk.store.eraser.forget(ada)
    answer = await talk.answer(said, "Your number is 555-123-987.", context=path)
    assert await texts(talk.store) == set()
    assert on_disk(house, "555-123-987") == []
    with pytest.raises(BadInput, match="was erased"):
        await talk.rate(await talk.person("bob"), "correction", answer, text="It is 555-123-987.")


async def test_forgetting_reaches_copies_that_say_who_speaks(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    said = await talk.say(ada, "My brother Tomas keeps bees in the hills.")
    more = await talk.say(bob, "And what does he do with the honey then?", parent=said.message)
    await talk.answer(more, "He sells it.")
    found = await collect_rows(talk.store, discord_permission=None)
    out = [parse_row({**row.data, **row.extra}) for row in found.of("prompt")]
    assert any("Person 1: My brother" in str(row.data) for row in out)
    await import_rows(talk.store, out)
    await talk.store.eraser.forget(ada)
    assert not any("Tomas" in text for text in await texts(talk.store))
    assert (await import_rows(talk.store, out)).erased == len(out)


async def test_an_erasure_during_a_read_says_so_and_the_next_purge_ends_it(
    talk: Talk, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await talk.person()
    await talk.say(ada, "secret-one", platform_id="q")
    truncate, busy = talk.store.database.truncate_log, [True]

    async def truncate_log() -> bool:
        return False if busy and busy.pop() else await truncate()

    monkeypatch.setattr(talk.store.database, "truncate_log", truncate_log)
    await talk.store.eraser.erase_message("terminal", "q")
    assert talk.store.eraser.words_in_log
    busy.append(False)
    await talk.store.eraser.purge(now() - timedelta(days=99))
    assert not talk.store.eraser.words_in_log
    assert on_disk(house, "secret-one") == []


async def test_a_reader_keeps_the_log_from_being_folded(house: Path, store: Store) -> None:
    other = await Store.open(house)
    async with store.database.read() as session:
        await session.scalar(select(func.count()).select_from(schema.MessageVersion))
        async with other.database._engine.connect() as connection:  # or it waits for 30 s
            await connection.exec_driver_sql("PRAGMA busy_timeout=0")
        await other.conversation("terminal", "c", persona="tutor", language="en")
        assert await other.database.truncate_log() is False
    assert await other.database.truncate_log() is True
    await other.close()


async def test_texts_of_a_server_that_removed_the_bot_are_erased_even_with_consent(store: Store) -> None:
    for server in ("1", "2"):
        talk = await Talk.begin(store, "discord", key=server, server=await store.server("discord", server))
        await talk.ask(await talk.person(), f"said on {server}", "an answer")
    await store.servers_now("discord", {"1", "2"})
    later = datetime.now(UTC) + timedelta(days=1)
    assert await store.eraser.purge(later) == 0  # everybody agreed
    await store.servers_now("discord", {"2"})
    assert await store.eraser.purge(datetime.now(UTC) - timedelta(days=1)) == 0  # not at once
    await store.servers_now("discord", {"1", "2"})  # it was added again
    assert await store.eraser.purge(later) == 0
    await store.servers_now("discord", {"2"})
    assert await store.eraser.purge(later) == 2
    left = await texts(store)
    assert "said on 2" in left
    assert "said on 1" not in left
