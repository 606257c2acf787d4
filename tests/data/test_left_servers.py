"""What is forgotten of a server that removed the bot, and what its managers have to say again."""

import contextlib
import sqlite3
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from data import migrations
from data.database import NAME
from data.schema import now
from data.store import Store
from tests.data.talk import Talk


async def test_members_teach_again_only_when_a_manager_says_so_again(store: Store) -> None:
    for server in ("1", "2"):
        await store.set_may_teach("discord", server, True)
    await store.servers_now("discord", {"1", "2"})
    assert await store.may_teach("discord", "1")
    await store.servers_now("discord", {"2"})
    assert not await store.may_teach("discord", "1")
    await store.servers_now("discord", {"1", "2"})
    assert not await store.may_teach("discord", "1")
    assert await store.may_teach("discord", "2")


async def test_what_holds_in_its_channels_and_conversations_goes_with_a_server(store: Store) -> None:
    talks = {}
    for server in ("1", "2"):
        row = await store.server("discord", server)
        talks[server] = (
            "conversation",
            str(await store.conversation("discord", server, persona="tutor", server=row)),
        )
        await store.set_setting("persona", talks[server], "writer")
        await store.set_setting("persona", ("channel", f"1{server}"), "tutor", server=int(server))
        await store.change_setting("hourly", ("channel", f"1{server}"), lambda _: {"person": 1}, server=server)
    await store.set_setting("persona", ("channel", "13"), "tutor")  # where people are alone with the bot
    await store.servers_now("discord", {"2"})

    async def left(server: str) -> list[bool]:
        places = [
            ("persona", talks[server]),
            ("persona", ("channel", f"1{server}")),
            ("hourly", ("channel", f"1{server}")),
        ]
        return [await store.setting(key, [place]) is not None for key, place in places]

    await store.purge(now() - timedelta(days=1))
    assert await left("1") == [True] * 3  # its time is not over yet
    await store.purge(now() + timedelta(seconds=1))
    assert await left("1") == [False] * 3
    assert await left("2") == [True] * 3
    assert await store.setting("persona", [("channel", "13")])


async def test_what_a_server_set_where_nobody_talked_goes_too(store: Store) -> None:
    await store.servers_now("discord", {"1"})
    await store.set_setting("threads", ("channel", "11"), True, server="1")
    await store.servers_now("discord", set())
    await store.purge(now() + timedelta(seconds=1))
    assert await store.setting("threads", [("channel", "11")]) is None


async def test_what_its_managers_did_goes_with_a_server(store: Store) -> None:
    talk = await Talk.begin(store, "discord")
    max_ = await talk.person("max")
    for server in ("1", "2"):
        await store.record_deed(max_, "teaching", server=await store.server("discord", server), allowed="on")
    await store.record_deed(max_, "promote")
    await store.servers_now("discord", {"2"})
    await store.purge(now() - timedelta(days=1))
    assert [deed.server for deed in await store.deeds(None, 9)] == [None, "2", "1"]
    await store.purge(now() + timedelta(seconds=1))
    assert [deed.server for deed in await store.deeds(None, 9)] == [None, "2"]


def test_an_older_database_learns_whose_its_channels_are_and_since_when_its_texts_hold(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(f"sqlite:///{tmp_path / NAME}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection, connection:
        connection.execute(
            "INSERT INTO servers VALUES (1, 'discord', '7', 1, '2026-01-01', NULL),"
            " (2, 'discord', '8', 1, '2026-01-01', '2026-02-01')"
        )
        connection.execute(
            "INSERT INTO conversations VALUES (1, 'discord', '70:1', 'tutor', 'en', 1, '2026-01-01'),"
            " (2, 'discord', '80/81:1', 'tutor', 'en', 2, '2026-01-01')"
        )
        for number, (scope, place) in enumerate(
            [("channel", "70"), ("channel", "80"), ("channel", "81"), ("channel", "7"), ("server", "7")]
        ):
            connection.execute(
                "INSERT INTO settings VALUES (?, ?, ?, 'persona', '{}', '2026-01-01')", (number, scope, place)
            )
        connection.execute("INSERT INTO people VALUES (1, 'person-1', 'discord', 'hash', '2026-01-01')")
        for number, (version, day) in enumerate([("old", "02"), ("old", "01"), ("new", "03")]):
            at = f"2026-01-{day} 00:00:00.000000"
            connection.execute("INSERT INTO consents VALUES (?, 1, 1, ?, ?, NULL)", (number, version, at))
    migrations.migrate(tmp_path / NAME)
    with contextlib.closing(sqlite3.connect(tmp_path / NAME)) as connection:
        owners = connection.execute("SELECT scope_id, server FROM settings ORDER BY id").fetchall()
        assert owners == [("70", "7"), ("80", "8"), ("81", "8"), ("7", None), ("7", None)]
        assert connection.execute("SELECT may_teach FROM servers ORDER BY id").fetchall() == [(1,), (0,)]
        texts = connection.execute("SELECT version, since FROM consent_texts ORDER BY since").fetchall()
        assert [(version, since[:10]) for version, since in texts] == [("old", "2026-01-01"), ("new", "2026-01-03")]
