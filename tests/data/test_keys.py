"""A lost key is noticed and said, nothing is drawn anew, and the operator decides how to go on."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from data import schema
from data.database import NAME
from data.errors import BadInput
from data.home import KeyLost, installation_key
from data.imports import collect_rows, import_rows
from data.key_command import COST, key
from data.rows import parse_row
from data.store import Store
from tests.data.talk import Talk

OWN = parse_row({"messages": [{"role": "user", "content": "mine"}, {"role": "assistant", "content": "yes"}]})


@pytest.fixture
async def used(store: Store, house: Path) -> Path:
    """A closed home with a person in it, a rating, rows and folds."""
    talk = await Talk.begin(store)
    ada = await talk.person("ada")
    (answer,) = await talk.ask(ada, "ada-says", "to-ada")
    await talk.rate(ada, "vote", answer, value="up")
    await import_rows(store, [OWN])
    assert len((await collect_rows(store, discord_permission=None)).rows) == 3
    await store.close()
    return house


def contents(house: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in house.iterdir() if path.name.startswith("key")}


def broken(path: Path, how: str) -> None:
    match how:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "cut off":
            path.write_bytes(path.read_bytes()[:20])
        case "too long":
            path.write_bytes(path.read_bytes() + b"\n")
        case "another":
            path.write_bytes(os.urandom(32))
        case "a folder":
            path.unlink()
            path.mkdir()


HOWS = ["missing", "empty", "cut off", "too long", "another", "a folder"]


@pytest.mark.parametrize("how", HOWS)
async def test_a_lost_key_is_said_and_nothing_is_drawn_anew(used: Path, how: str) -> None:
    right = (used / "key").read_bytes()
    broken(used / "key", how)
    before = {} if how == "a folder" else contents(used)
    with pytest.raises(KeyLost, match=r"key .*Put the right file back from a backup.*`python -m data key`"):
        await Store.open(used)
    with pytest.raises(BadInput) as cost:
        await key(used, accept=False)
    assert COST in str(cost.value)
    if how != "a folder":
        assert contents(used) == before
    else:
        (used / "key").rmdir()
    (used / "key").write_bytes(right)  # from a backup
    store = await Store.open(used)
    assert await store.person("terminal", "ada") == 1
    assert await store.consent(1) is True
    await store.close()


@pytest.mark.played
@pytest.mark.parametrize("how", HOWS)
async def test_an_operator_can_go_on_with_another_key(
    used: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(used / "key", how)
    await key(used, accept=True)
    assert "1 person is a stranger now" in capsys.readouterr().out
    store = await Store.open(used)
    assert await store.person("terminal", "ada") == 2  # a stranger
    found = await collect_rows(store, discord_permission=None)
    assert [row.row.data for row in found.rows] == [OWN.data]  # what people said needs a consent that is void now
    await store.close()
    await key(used, accept=False)
    assert "is the key that" in capsys.readouterr().out
    assert len((used / "key").read_bytes()) == 32


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
async def test_a_key_that_cannot_be_read_is_lost(used: Path) -> None:
    (used / "key").chmod(0)
    with pytest.raises(KeyLost, match="cannot be read"):
        await Store.open(used)


async def test_a_home_from_before_the_fingerprint_without_its_key_is_refused(used: Path) -> None:
    with closing(sqlite3.connect(used / NAME)) as connection, connection:
        connection.execute("DROP TABLE key_print")
        connection.execute("UPDATE alembic_version SET version_num = '0007'")
    (used / "key").unlink()
    with pytest.raises(KeyLost, match="is missing"):
        await Store.open(used)
    assert not (used / "key").exists()


async def test_a_key_without_a_database_is_the_new_databases(used: Path) -> None:
    before = (used / "key").read_bytes()
    (used / NAME).unlink()
    store = await Store.open(used)
    async with store.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(schema.KeyPrint)) == 1
    await store.close()
    assert installation_key(used) == before


async def test_asking_about_a_home_that_is_not_there_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await key(tmp_path / "none", accept=True)
    assert "There is no database" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


@pytest.mark.played
async def test_the_folds_of_imported_rows_follow_another_key(used: Path) -> None:
    broken(used / "key", "missing")
    await key(used, accept=True)
    store = await Store.open(used)
    await collect_rows(store, discord_permission=None)
    async with store.database.read() as session:
        (opening,) = await session.scalars(select(schema.ImportedRow.opening))
        assert await session.get(schema.FoldMember, opening) is not None
    await store.close()
