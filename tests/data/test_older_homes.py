"""A home that an earlier version made opens, and everything in it is found again."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, select

from data import migrations, schema
from data.database import NAME
from data.datasets import EDITED
from data.imports import collect_rows, import_rows
from data.personas import persona
from data.releases import Releases
from data.row_ids import row_id
from data.rows import parse_row
from data.store import Store

DUMP = Path(__file__).with_name("older_home.sql")


@contextmanager
def database_at(path: Path, revision: str) -> Iterator[sqlite3.Connection]:
    """A new database at one revision of the schema, to be filled."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def found(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_a_database_of_the_first_schema_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with database_at(path, "0001") as connection:
        connection.execute("INSERT INTO people VALUES (1, 'person-1', 'terminal', 'hash', '2026-01-01')")
        connection.execute("INSERT INTO consents VALUES (1, 1, 1, '2026-11', '2026-01-01')")
        connection.execute(
            "INSERT INTO imported_rows VALUES"
            " (1, 'import:prompt:1', 'prompt', NULL, NULL, NULL, NULL, 0.5, 'import', 1, '2026-01-01')"
        )
    migrations.migrate(path)
    assert found(path, "SELECT granted, outside_judge FROM consents") == [(1, None)]
    assert found(path, "SELECT weight, margin FROM imported_rows") == [(0.5, None)]


@pytest.mark.played
def test_an_older_database_learns_which_servers_its_channels_are_on_and_when_its_texts_began(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with database_at(path, "0004") as connection:
        connection.execute(
            "INSERT INTO servers VALUES (1, 'discord', '7', 1, '2026-01-01', NULL),"
            " (2, 'discord', '8', 1, '2026-01-01', '2026-02-01')"
        )
        connection.execute(
            "INSERT INTO conversations VALUES (1, 'discord', '70:1', 'tutor', 'en', 1, '2026-01-01'),"
            " (2, 'discord', '80/81:1', 'tutor', 'en', 2, '2026-01-01')"
        )
        places = [("channel", "70"), ("channel", "80"), ("channel", "81"), ("channel", "7"), ("server", "7")]
        connection.executemany(
            "INSERT INTO settings VALUES (?, ?, ?, 'persona', '{}', '2026-01-01')",
            [(number, *place) for number, place in enumerate(places)],
        )
        connection.execute("INSERT INTO people VALUES (1, 'person-1', 'discord', 'hash', '2026-01-01')")
        connection.executemany(
            "INSERT INTO consents VALUES (?, 1, 1, ?, ?, NULL)",
            [
                (number, version, f"2026-01-{day} 00:00:00.000000")
                for number, (version, day) in enumerate([("old", "02"), ("old", "01"), ("new", "03")])
            ],
        )
    migrations.migrate(path)
    owners = [("70", "7"), ("80", "8"), ("81", "8"), ("7", None), ("7", None)]
    assert found(path, "SELECT scope_id, server FROM settings ORDER BY id") == owners
    assert found(path, "SELECT may_teach FROM servers ORDER BY id") == [(1,), (0,)]
    texts = found(path, "SELECT version, substr(since, 1, 10) FROM consent_texts ORDER BY since")
    assert texts == [("old", "2026-01-01"), ("new", "2026-01-03")]


def test_an_older_database_learns_who_wrote_its_personas(tmp_path: Path) -> None:
    path = tmp_path / NAME
    at = "2026-01-01 00:00:00.000000"
    with database_at(path, "0005") as connection:
        connection.execute(f"INSERT INTO servers VALUES (1, 'discord', '7', 1, '{at}', NULL)")
        connection.execute(f"INSERT INTO conversations VALUES (1, 'discord', '70:1', 'boss', 'en', 1, '{at}')")
        for person in (1, 2):
            connection.execute(f"INSERT INTO people VALUES ({person}, 'p{person}', 'discord', 'h{person}', '{at}')")
            connection.execute(
                "INSERT INTO deeds (id, person_id, server_id, deed, what, at)"
                " VALUES (?1, ?1, 1, 'persona_write', ?2, ?3)",
                (person, json.dumps({"name": "boss" if person == 1 else "gone"}), at),
            )
        personas = {"is": {"boss": {"system_prompt": "Be a boss.", "greeting": ""}}}
        connection.execute(
            "INSERT INTO settings VALUES (1, 'server', '7', 'personas', ?, ?, NULL)", (json.dumps(personas), at)
        )
        texts = ["Be a boss.", "Replaced since.", persona("tutor").system_prompt]
        for number, text in enumerate(texts, 1):
            connection.execute("INSERT INTO system_prompts VALUES (?, ?, ?)", (number, str(number), text))
            connection.execute(f"INSERT INTO messages VALUES ({number}, 1, NULL, 'assistant', NULL, '{at}')")
            connection.execute(f"INSERT INTO message_versions VALUES ({number}, {number}, NULL, 'a', '{at}', NULL)")
            connection.execute(
                "INSERT INTO generations VALUES"
                " (?1, 1, ?1, ?1, ?1, 'r', 0, '{}', 1, 'stop', 1, 1, 0.1, 'discord', ?2)",
                (number, at),
            )
    migrations.migrate(path)
    authors = "SELECT prompt_id, person_id FROM system_prompt_authors ORDER BY prompt_id, person_id"
    assert found(path, authors) == [(1, 1), (2, 1), (2, 2)]
    assert found(path, "SELECT server FROM system_prompts ORDER BY id") == [("7",), ("7",), (None,)]
    ((value,),) = found(path, "SELECT value FROM settings")
    assert json.loads(str(value))["is"]["boss"]["authors"] == {"1": "2026-01-01T00:00:00.000000+00:00"}


@pytest.fixture
def older(house: Path) -> Path:
    """The home that `older_home.sql` describes, with its key and its release."""
    release = house / "releases" / "0001"
    release.mkdir(parents=True)
    (house / "key").write_bytes(b"k" * 32)
    with contextlib.closing(sqlite3.connect(house / NAME)) as connection:
        connection.executescript(DUMP.read_text(encoding="utf-8"))
    manifest = {"number": 1, "created_at": "2026-11-30T00:51:47+00:00", "kind": "adapter", "base": "smollm2-135m"}
    (release / "manifest.json").write_text(json.dumps({**manifest, "template_sha256": "0" * 64}))
    for name in ("champion", "history"):
        (release.parent / name).write_text("1\n")
    return house


async def test_everything_in_an_older_home_is_found_again(older: Path) -> None:
    store = await Store.open(older)
    ada, bob = await store.person("discord", "ada"), await store.person("discord", "bob")
    assert (ada, bob) == (1, 2)
    assert (await store.consent(ada), await store.consent(bob)) == (True, False)
    assert await store.may_teach("discord", "1")
    assert await store.setting("persona", [("channel", "11")]) == "writer"
    one, two = await store.shown("discord", "101"), await store.shown("discord", "102")
    assert one is not None
    assert two is not None
    assert (one.text, two.text, two.release) == ("By the sun.", "By smell.", 1)
    assert [message.text for message in await store.path(one.message)] == [
        "How do bees find their way home?",
        "By the sun.",
    ]
    assert await store.message("discord", "103") is None  # it was erased
    assert (await store.vote(one.generation, ada), await store.vote(two.generation, bob)) == ("up", "down")
    assert await store.compared(two.generation, one.generation, ada)
    assert [(entry.deed, entry.server, entry.what) for entry in await store.deeds(None, 9)] == [
        ("teaching", "1", {"allowed": "on"})
    ]
    kept = await store.kept_of(ada)
    assert [message["text"] for message in kept["messages"]] == [
        "How do bees find home?",
        "How do bees find their way home?",
    ]
    assert [(rating["kind"], rating["text"]) for rating in kept["ratings"]] == [
        ("vote", None),
        ("comparison", None),
        ("correction", "By the sun, and by landmarks."),
    ]
    assert await store.champions() == {1}
    releases = Releases(older)
    assert (releases.champion(), releases.get(1).base) == (1, "smollm2-135m")
    await store.close()


async def test_an_older_homes_rows_keep_their_ids_and_folds(older: Path) -> None:
    store = await Store.open(older)
    assert (await collect_rows(store, discord_permission="letter")).dropped["prompt"] == {EDITED: 1}
    await store.edit_message("discord", "100", "How do bees find home?")  # the text that was answered
    collected = await collect_rows(store, discord_permission="letter")
    assert [(found.row.kind, found.fold, found.row.id) for found in collected.rows] == [
        ("demonstration", "train", "d383cd31900443dc55955bdf70a7ad59"),
        ("preference", "train", "b44481906693a79c8116e92300763251"),
        ("preference", "train", "ba821c3279cb988b922a2cac22cb3300"),
        ("labelled", "train", "f35366c4cedb1cefe0e4aba37e988959"),
        ("prompt", "train", "aca4314542dd2c91e03b7c76fcc959e9"),
        ("demonstration", "train", "mine"),
    ]
    async with store.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(schema.FoldGroup)) == 2  # no new group
    question, answer = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
    known = parse_row({"messages": [question, answer], "id": "mine"})
    gone = {"prompt": [{"role": "user", "content": "Bob wrote this, and then deleted it."}]}
    exported = parse_row({**gone, "id": row_id(b"k" * 32, "prompt", gone)})
    result = await import_rows(store, [known, exported])
    assert (result.known, result.erased) == (1, 1)
    await store.close()
