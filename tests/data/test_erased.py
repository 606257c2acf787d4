"""Erased means erased: whoever takes the whole home, key included, finds no words, no hash of them, and nobody."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from data import schema
from data.anchors import fingerprint
from data.chat import Message, rendered_hash
from data.database import NAME
from data.generations import prompt_hash
from data.home import installation_key
from data.imports import collect_rows, import_rows
from data.migrations import migrate
from data.rows import content_id, parse_row
from data.store import Store
from tests.data.talk import SYSTEM, Talk
from tests.data.test_folds import SENTENCES
from tests.data.test_older_homes import database_at, found

WORDS = "I have told nobody yet, and the doctor said it is certain."


def everything(house: Path) -> bytes:
    """All bytes of all files in a home."""
    return b"\n".join(path.read_bytes() for path in house.rglob("*") if path.is_file())


def asked(words: str) -> str:
    """The hash of what the model was given, as anybody can compute it."""
    return rendered_hash([Message(role="system", content=SYSTEM), Message(role="user", content=words)], "")


def own(words: str) -> dict[str, object]:
    return {"prompt": [{"role": "user", "content": words}]}


async def signature_of(store: Store, words: str) -> bytes:
    async with store.database.read() as session:
        key = installation_key(store.database.path.parent)
        member = await session.get(schema.FoldMember, fingerprint(key, words))
    return member.signature if member else b""


async def test_a_guess_at_erased_words_cannot_be_tested_even_with_the_key(talk: Talk, house: Path) -> None:
    store, ada, key = talk.store, await talk.person("ada"), installation_key(house)
    said = await talk.say(ada, WORDS, platform_id="q")
    await talk.answer(said, f"You wrote: {WORDS}")
    await collect_rows(store, discord_permission=None)
    assert asked(WORDS).encode() not in everything(house)  # not even before
    assert prompt_hash(key, asked(WORDS)).encode() in everything(house)
    signature = await signature_of(store, WORDS)
    assert signature in everything(house)
    await store.eraser.erase_message("terminal", "q")
    home = everything(house)
    for trace in (WORDS, asked(WORDS), prompt_hash(key, asked(WORDS)), fingerprint(key, WORDS)):
        assert trace.encode() not in home
    assert signature not in home


async def test_a_group_has_no_name_that_is_made_of_a_text(talk: Talk, house: Path) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await talk.ask(ada, WORDS, "a")
    other = await Talk.begin(talk.store, key="second")
    await other.ask(bob, f"{WORDS} So it is.", "b")  # a near-duplicate is in the same group, and stays
    await collect_rows(talk.store, discord_permission=None)
    async with talk.store.database.read() as session:
        assert len(list(await session.scalars(select(schema.FoldGroup)))) == 1
    await talk.store.eraser.forget(ada)
    assert fingerprint(installation_key(house), WORDS).encode() not in everything(house)
    assert await signature_of(talk.store, f"{WORDS} So it is.") != b""


async def folds_of(store: Store) -> dict[str, str]:
    rows = (await collect_rows(store, discord_permission=None)).rows
    return {f"{row.row.id}": row.fold for row in rows}


@pytest.mark.played
@pytest.mark.parametrize("imported", [False, True])
async def test_the_folds_of_what_remains_stay(store: Store, imported: bool) -> None:
    """Others said the same, and so does a row of the operator's: they keep their folds when one of them leaves."""
    texts = SENTENCES[:12]
    people = {}
    for name in ("ada", "bob"):
        for number, text in enumerate(texts):
            talk = await Talk.begin(store, key=f"{name} {number}")
            people[name] = people.get(name) or await talk.person(name)
            if name == "ada" or not imported:
                await talk.ask(people[name], text, f"to {name}")
    if imported:
        await import_rows(store, [parse_row({**own(text), "id": f"own {text}"}) for text in texts])
    before = await folds_of(store)
    assert len(set(before.values())) > 1
    await store.eraser.forget(people["ada"])
    for turn in range(3):
        # New rows come and lack folds, so a row that was forgotten would be drawn for one of them.
        talk = await Talk.begin(store, key=f"new {turn}")
        await talk.ask(people["bob"], SENTENCES[20 + turn], "x")
        after = await folds_of(store)
        kept = {name: fold for name, fold in after.items() if name in before}
        assert kept == {name: before[name] for name in kept}
        assert len(kept) >= len(texts)


async def test_no_time_and_no_account_is_left_by_which_somebody_is_found(talk: Talk, house: Path) -> None:
    store, ada, bob = talk.store, await talk.person("ada"), await talk.person("bob")
    said = await talk.say(ada, "ada-says", platform_id="4711")
    answer = await talk.answer(said, "to-ada", platform_id="4712")
    (his,) = await talk.ask(bob, "bob-says", "to-bob")
    await talk.rate(ada, "correction", his, text="ada-corrects")
    await store.eraser.erase_message("terminal", "4711")

    with closing(sqlite3.connect(house / NAME)) as connection:
        ((hashed, since),) = connection.execute("SELECT id_hash, created_at FROM people WHERE id = ?", (ada,))
        times = {since, *(at for (at,) in connection.execute("SELECT at FROM consents WHERE person_id = ?", (ada,)))}
        mine = (said.version, answer.version)
        for (at,) in connection.execute("SELECT created_at FROM message_versions WHERE id IN (?, ?)", mine):
            times.add(at)
        query = "SELECT created_at FROM messages WHERE id IN (?, ?)"
        times.update(at for (at,) in connection.execute(query, (said.message, answer.message)))
        times.update(at for (at,) in connection.execute("SELECT created_at FROM generations WHERE id = 1"))
        assert len(times) >= 5
        before = "\n".join(connection.iterdump())
        assert all(time in before for time in times)
    await store.eraser.forget(ada)
    with closing(sqlite3.connect(house / NAME)) as connection:
        dump = "\n".join(connection.iterdump())
        kinds = {kind for (kind,) in connection.execute("SELECT kind FROM tombstones")}
        columns = {column[1] for column in connection.execute("PRAGMA table_info(tombstones)")}
        authors = connection.execute("SELECT count(*) FROM message_versions WHERE author_id = ?", (ada,)).fetchone()
    assert not [time for time in times if time in dump]
    for trace in (hashed, "'4711'", "'4712'"):
        assert trace not in dump
    assert kinds <= {"row"}
    assert columns == {"ref_hash", "kind", "reason"}  # no time, and no number that tells the order
    assert authors == (0,)
    assert "bob-says" in dump


async def test_an_imported_rows_id_is_no_plain_hash_of_its_content(talk: Talk, house: Path) -> None:
    await talk.person("ada")
    row = parse_row({**own(WORDS), "rater": "terminal:ada"})
    await import_rows(talk.store, [row])
    assert content_id(row.data).encode() not in everything(house)
    assert (await import_rows(talk.store, [row])).known == 1
    stored = (await collect_rows(talk.store, discord_permission=None)).rows[0].row.id
    await talk.store.eraser.forget(await talk.store.person_named("terminal:ada"))
    home = everything(house)
    assert WORDS.encode() not in home
    assert f"import:prompt:{stored}".encode() not in home
    assert (await import_rows(talk.store, [row])).new.total() == 0  # an older file does not bring it back


async def test_numbers_of_several_files_are_told_apart_without_a_hash(talk: Talk, house: Path) -> None:
    first, second = parse_row({**own("one"), "id": "7"}), parse_row({**own("two"), "id": "7"})
    assert (await import_rows(talk.store, [first, second])).new.total() == 2
    assert (await import_rows(talk.store, [first, second])).known == 2
    assert content_id(second.data)[:12].encode() not in everything(house)


@pytest.fixture
def older(house: Path) -> Path:
    """A home of the schema before, in which ada was forgotten, and bob asked twice."""
    house.mkdir()
    (house / "key").write_bytes(b"k" * 32)
    key, at = b"k" * 32, "2026-01-02 03:04:05.678901"
    with database_at(house / NAME, "0007") as connection:
        connection.executescript(
            f"""
            INSERT INTO people VALUES (1, 'gone', 'discord', 'random', '{at}');
            INSERT INTO people VALUES (2, 'bob', 'discord', 'b', '2026-03-01');
            INSERT INTO consents VALUES (1, 1, 1, 'v', '{at}', NULL), (2, 1, 0, 'v', '2026-02-03 00:00:00.5', NULL),
                (3, 2, 1, 'v', '2026-03-01', NULL);
            INSERT INTO tombstones VALUES (1, 'person', 'old-account', 'forgotten', '2026-02-03 00:00:00.4'),
                (2, 'row', 'row-1', 'forgotten', '2026-02-03 00:00:00.4'), (3, 'message', 'm', 'deleted', '{at}');
            INSERT INTO conversations VALUES (1, 'discord', '70:1', 'tutor', 'en', NULL, '{at}'),
                (2, 'discord', '70:2', 'tutor', 'en', NULL, '2026-03-02');
            INSERT INTO system_prompts VALUES (1, 's', 'You are helpful.', NULL, NULL);
            INSERT INTO folds VALUES ('{fingerprint(key, WORDS)}', 'gate', '2026-03-02');
            """
        )
        texts: list[tuple[int, str | None]] = [(1, None), (2, "bob-says"), (2, "bob-says")]
        for number, (person, text) in enumerate(texts, 1):
            when = at if person == 1 else "2026-03-02"
            for offset, author, role, words in (
                (0, person, "user", text),
                (10, None, "assistant", text and "to-bob"),
            ):
                row = (number + offset, person, None, role, author, when)
                connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)", row)
                gone = None if words else "2026-02-03 00:00:00.4"
                version = (number + offset, number + offset, author, words, when, gone)
                connection.execute("INSERT INTO message_versions VALUES (?, ?, ?, ?, ?, ?)", version)
            rendered = asked(text or WORDS)
            generation = (number, person, number + 10, number + 10, rendered, when)
            connection.execute(
                "INSERT INTO generations VALUES (?, ?, ?, ?, 1, ?, 0, '{}', 1, 'stop', 1, 1, 0.1, 'discord', ?)",
                generation,
            )
            connection.execute("INSERT INTO generation_context VALUES (?, 0, ?)", (number, number))
        for text in (WORDS, "bob-says"):
            member = (fingerprint(key, text), fingerprint(key, WORDS), b"s" * 256)
            connection.execute("INSERT INTO fold_members VALUES (?, ?, ?)", member)
        gone_row = (1, f"import:prompt:{content_id(own(WORDS))}", "import", "2026-03-02", "gone")
        connection.execute(
            "INSERT INTO imported_rows (id, source_id, kind, weight, platform, consented, created_at, rater)"
            " VALUES (?, ?, 'prompt', 1, ?, 1, ?, ?)",
            gone_row,
        )
        connection.execute("INSERT INTO message_versions VALUES (99, NULL, NULL, NULL, '2026-03-02', '2026-03-02')")
        connection.execute("INSERT INTO imported_texts VALUES (1, 'prompt', 0, 'user', 99)")
    return house


def test_an_older_home_loses_what_told_erased_words_and_people(older: Path) -> None:
    path, key = older / NAME, b"k" * 32
    migrate(path)
    prompts = [value for (value,) in found(path, "SELECT rendered_sha256 FROM generations ORDER BY id")]
    assert prompts == ["", prompt_hash(key, asked("bob-says")), prompt_hash(key, asked("bob-says"))]
    assert found(path, "SELECT * FROM tombstones") == [("row-1", "row", "forgotten")]
    members = found(path, "SELECT fingerprint, fold FROM fold_members JOIN folds USING (group_id)")
    assert members == [(fingerprint(key, "bob-says"), "gate")]
    path.with_name(f"{NAME}.backup-0007").unlink(missing_ok=True)
    home = everything(older)
    old_ids = [content_id(own(WORDS)), fingerprint(key, WORDS), asked(WORDS), asked("bob-says"), "old-account"]
    for trace in [*old_ids, "2026-01-02", "2026-02-03", "03:04:05"]:
        assert trace.encode() not in home, trace
    assert found(path, "SELECT author_id, count(*) FROM messages GROUP BY 1 ORDER BY 1") == [(None, 4), (2, 2)]
    assert found(path, "SELECT person_id, granted FROM consents ORDER BY 1") == [(1, 0), (2, 1)]


async def test_new_answers_of_an_older_home_are_siblings_of_its_own(older: Path) -> None:
    store = await Store.open(older)
    talk = await Talk.begin(store, "discord", key="70:2")
    said = await talk.say(2, "bob-says")
    new = await talk.answer(said, "to-bob again")
    old = await store.generation(2)
    assert old is not None
    assert old.rendered_sha256 == new.rendered_sha256
    await store.close()
    assert (await _known(older)).known == 1


async def _known(house: Path) -> object:
    store = await Store.open(house)
    try:
        return await import_rows(store, [parse_row(own(WORDS))])
    finally:
        await store.close()
