"""A backup holds a home as it was at one moment; a restore puts all of it back, or changes nothing."""

import asyncio
import shutil
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from data import restore
from data.backup import copy_database, write_backup
from data.backup_file import read_backup
from data.database import NAME
from data.errors import BadInput
from data.home import private_dir
from data.releases import Releases
from data.store import Store
from tests.alignment.shelf import made
from tests.data.backed_up import HELD, PASSPHRASE, files, lived_in, texts
from tests.data.talk import Talk
from tests.data.test_main import data

pytestmark = pytest.mark.usefixtures("no_bases", "cheap_sealing")


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
def test_a_restored_home_is_the_one_that_was_backed_up(lived: Path, tmp_path: Path, passphrase: str | None) -> None:
    out, other = tmp_path / "b.tar", tmp_path / "other"
    made = write_backup(lived, out, passphrase)
    assert (made.files, made.bytes) == (len(HELD), out.stat().st_size)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (b"what ada asked" in out.read_bytes()) is (passphrase is None)
    done = restore.restore(other, out, passphrase)
    there = files(other)
    assert there.keys() == HELD
    assert {name: raw for name, raw in there.items() if name != NAME} == {
        name: raw for name, raw in files(lived).items() if name in HELD - {NAME}
    }
    assert texts(other) == texts(lived)
    assert done.missing_bases == ("smollm2-135m",)
    assert (Releases(other).champion(), Releases(other).candidate()) == (1, 2)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (other, *other.rglob("*"))}
    assert modes == {0o600, 0o700}
    assert not list(tmp_path.glob(".*"))
    assert not list(lived.glob(".*unfinished"))


def test_the_same_home_makes_the_same_stream(lived: Path, tmp_path: Path) -> None:
    parts = []
    for name in ("one.tar", "two.tar"):
        write_backup(lived, tmp_path / name, None)
        with tarfile.open(tmp_path / name) as tar:
            members = tar.getmembers()
            parts.append([(each.name, each.mtime, tar.extractfile(each).read()) for each in members[:-1]])  # type: ignore[union-attr]  # a file, so it can be read
            assert members[-1].name == "manifest.json"
    assert parts[0] == parts[1]
    assert [name for name, *_ in parts[0]] == [NAME, *sorted(HELD - {NAME})]


def test_a_backup_is_of_one_moment_while_others_write(house: Path, tmp_path: Path) -> None:
    asyncio.run(lived_in(house))
    with closing(sqlite3.connect(house / NAME)) as connection:
        connection.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
        connection.executemany("INSERT INTO pairs VALUES (0, 0)", [()] * 20_000)
        connection.commit()
    ended = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(house / NAME, timeout=30)) as connection:
            turn = 0
            while not ended.is_set():
                turn += 1
                with connection:
                    connection.execute("UPDATE pairs SET a = ?", (turn,))
                    connection.execute("UPDATE pairs SET b = ?", (turn,))
                    connection.execute("INSERT INTO pairs VALUES (?, ?)", (turn, turn))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for turn in range(3):
            copy_database(house / NAME, tmp_path / f"{turn}.db")
    finally:
        ended.set()
        writer.join()
    for turn in range(3):
        with closing(sqlite3.connect(tmp_path / f"{turn}.db")) as copy:
            ((low, high, same),) = copy.execute("SELECT min(a), max(a), min(a = b) FROM pairs WHERE rowid <= 20000")
        assert (low, same) == (high, 1)


@pytest.mark.played
async def test_what_people_erased_since_is_erased_again(house: Path, tmp_path: Path) -> None:
    await lived_in(house)
    out = tmp_path / "b.tar"
    write_backup(house, out, None)
    store = await Store.open(house)
    talk = await Talk.begin(store)
    await store.eraser.forget(await talk.person("bob", agrees=None))
    eve = await talk.person("eve")
    await talk.say(eve, "after the backup")
    await store.set_consent(await talk.person("ada", agrees=None), False)
    await store.close()
    done = await asyncio.to_thread(restore.restore, house, out, None, replace=True)
    assert done.again is not None
    assert (done.again.people, done.again.consents, done.again.readable) == (1, 1, True)
    assert texts(house) == {"what ada asked", "an answer to ada", "what ada corrected"}
    assert b"what bob asked" not in b"".join(files(house).values())
    assert done.before is not None
    assert "after the backup" in texts(done.before)
    store = await Store.open(house)
    assert not await store.agrees(await store.person("terminal", "ada"))
    assert await store.consent(await store.person("terminal", "bob")) is None  # a new person to us
    await store.close()


async def test_a_message_deleted_since_is_erased_again(house: Path, tmp_path: Path) -> None:
    store = await Store.open(house)
    talk = await Talk.begin(store, "discord")
    ada = await talk.person("ada")
    said = await talk.say(ada, "deleted later", platform_id="m1")
    await talk.answer(said, "an answer that repeats it")
    await talk.say(ada, "stays", platform_id="m2")
    write_backup(house, tmp_path / "b.tar", None)
    assert await store.eraser.erase_message("discord", "m1")
    await store.close()
    done = await asyncio.to_thread(restore.restore, house, tmp_path / "b.tar", None, replace=True)
    assert done.again is not None
    assert done.again.texts == 2
    assert texts(house) == {"stays"}


def test_another_home_tells_nothing_about_a_backup(lived: Path, tmp_path: Path) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    other = tmp_path / "other"
    asyncio.run(lived_in(other))
    with closing(sqlite3.connect(other / NAME)) as connection, connection:
        connection.execute("UPDATE message_versions SET text = NULL")
    done = restore.restore(other, tmp_path / "b.tar", None, replace=True)
    assert done.again is not None
    assert not done.again.readable
    assert texts(other) == texts(lived)


def test_a_home_that_is_there_is_not_replaced_unless_told(lived: Path, tmp_path: Path) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    before = files(lived)
    with pytest.raises(BadInput, match=r"is not empty \(.*add --replace"):
        restore.restore(lived, tmp_path / "b.tar", None)
    assert files(lived) == before


def test_bases_are_named_by_hash_and_a_missing_changed_or_damaged_one_is_told(lived: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "bases"
    infos = {name: made.base(shelf, name, gguf=name != "moss") for name in ("fern", "lichen", "moss", "reed")}
    out = tmp_path / "b.tar"
    write_backup(lived, out, None)
    shutil.rmtree(shelf / "fern")
    (shelf / "lichen" / "base.json").write_text("{")
    replace(infos["moss"], weights_sha256="0" * 64).save(shelf / "moss" / "base.json")
    done = restore.restore(tmp_path / "other", out, None)
    assert done.manifest.bases == {"smollm2-135m": "b1", **{name: info.sha256 for name, info in infos.items()}}
    assert done.missing_bases == (
        "fern",
        "lichen (a damaged one is there)",
        "moss (another one is there)",
        "smollm2-135m",
    )


def test_a_home_with_nothing_but_bases_counts_as_empty(lived: Path, tmp_path: Path) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    other = tmp_path / "other"
    (other / "bases" / "smollm2-135m").mkdir(parents=True)
    (other / "bases" / "smollm2-135m" / "model.gguf").write_text("weights")
    (other / "logs").mkdir()
    restore.restore(other, tmp_path / "b.tar", None)
    assert (other / "bases" / "smollm2-135m" / "model.gguf").read_text() == "weights"
    assert texts(other) == texts(lived)


def test_the_operators_personas_come_back(lived: Path, tmp_path: Path) -> None:
    (lived / "personas").mkdir()
    (lived / "personas" / "shop.toml").write_text("greeting = 'hi'")
    write_backup(lived, tmp_path / "b.tar", None)
    restore.restore(lived, tmp_path / "b.tar", None, replace=True)
    assert (lived / "personas" / "shop.toml").read_text() == "greeting = 'hi'"


def test_a_restore_that_was_killed_between_its_renames_leaves_no_room_for_an_empty_home(
    lived: Path, tmp_path: Path
) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    before = lived.rename(tmp_path / "home.before-20261130-120000")
    with pytest.raises(BadInput, match=r"home\.before-20261130-120000 lies beside it: a restore was interrupted"):
        asyncio.run(Store.open(lived))
    assert not (lived / NAME).exists()
    restore.restore(lived, tmp_path / "b.tar", None)  # what the sentence says helps
    assert texts(lived) == texts(before)


@pytest.mark.usefixtures("impatient")
def test_a_process_that_begins_while_the_backup_is_checked_keeps_its_home(
    lived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    real, opened = restore.verify, []

    def slowly(*arguments: object) -> object:
        connection = sqlite3.connect(lived / NAME)
        connection.execute("BEGIN IMMEDIATE")
        opened.append(connection)
        return real(*arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(restore, "verify", slowly)
    with pytest.raises(BadInput, match="Another process uses"):
        restore.restore(lived, tmp_path / "b.tar", None, replace=True)
    opened[0].close()
    assert not before_it(tmp_path)


def before_it(folder: Path) -> list[Path]:
    return list(folder.glob("home.before*"))


@pytest.mark.usefixtures("impatient")
async def test_a_home_that_somebody_uses_is_not_replaced(house: Path, tmp_path: Path) -> None:
    await lived_in(house)
    write_backup(house, tmp_path / "b.tar", None)
    store = await Store.open(house)
    await store.person("terminal", "ada")  # a connection stays open, as in an idle bot
    with pytest.raises(BadInput, match="Another process uses"):
        await asyncio.to_thread(restore.restore, house, tmp_path / "b.tar", None, replace=True)
    await store.close()
    assert not before_it(tmp_path)


@pytest.mark.parametrize("lock", ["rounds/.lock", "watch.lock"])
def test_a_home_with_a_round_or_a_watch_is_not_replaced(lived: Path, tmp_path: Path, lock: str) -> None:
    """An idle watch holds no connection; moved along with the old home, it would not keep a second one away."""
    write_backup(lived, tmp_path / "b.tar", None)
    private_dir((lived / lock).parent)
    with FileLock(lived / lock), pytest.raises(BadInput, match="Another process uses"):
        restore.restore(lived, tmp_path / "b.tar", None, replace=True)
    assert not before_it(tmp_path)
    assert restore.restore(lived, tmp_path / "b.tar", None, replace=True).before


def test_a_backup_of_a_newer_version_is_refused(lived: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(lived / NAME)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    write_backup(lived, tmp_path / "b.tar", None)
    with pytest.raises(BadInput, match="newer version of Parley"):
        restore.restore(tmp_path / "other", tmp_path / "b.tar", None)


def test_a_damaged_database_is_not_backed_up(lived: Path, tmp_path: Path) -> None:
    raw = bytearray((lived / NAME).read_bytes())
    raw[8192:40960] = b"\xa5" * 32768
    (lived / NAME).write_bytes(raw)
    with pytest.raises(Exception, match=r"damaged|malformed"):
        write_backup(lived, tmp_path / "b.tar", None)
    assert not list(tmp_path.glob("*.tar"))
    assert not [path for path in (*tmp_path.glob(".*"), *lived.glob(".*")) if path.name.endswith("unfinished")]


def test_a_backup_inside_of_the_home_or_over_a_file_is_refused(lived: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="inside of"):
        write_backup(lived, lived / "logs" / "b.tar", None)
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(BadInput, match="there already"):
        write_backup(lived, tmp_path / "b.tar", None)
    assert (tmp_path / "b.tar").read_text() == "mine"
    with pytest.raises(BadInput, match="no folder"):
        write_backup(lived, tmp_path / "nowhere" / "b.tar", None)


def test_without_a_home_there_is_nothing_to_back_up(house: Path, tmp_path: Path) -> None:
    code, _, errors = data(house, "backup", tmp_path / "b.tar")
    assert (code, errors) == (
        2,
        f"parley: There is nothing to back up: {house} has no database yet. Is PARLEY_HOME right?\n",
    )
    assert not house.exists()


def test_the_commands_say_what_they_did(lived: Path, tmp_path: Path) -> None:
    secret = {"PARLEY_BACKUP_PASSPHRASE": PASSPHRASE}
    out, other = tmp_path / "b.tar", tmp_path / "other"
    code, said, errors = data(lived, "backup", out, **secret)
    assert (code, errors) == (0, "")
    assert f"Wrote {out}: {len(HELD)} files" in said
    assert " encrypted." in said
    assert data(lived, "check", out, **secret)[:2][0] == 0
    assert data(lived, "restore", out, **secret)[0] == 2
    code, said, _ = data(other, "restore", out, **secret)
    assert code == 0
    assert f"Restored {other} as it was on" in said
    assert "forget" in said
    assert "smollm2-135m" in said
    assert data(other, "check", out)[0] == 2  # no terminal to ask at
    assert data(other, "restore", tmp_path / "nothing.tar")[2].endswith(
        "There is no backup " + str(tmp_path / "nothing.tar") + ".\n"
    )


def test_reading_writes_nothing_without_a_folder(lived: Path, tmp_path: Path) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    with (tmp_path / "b.tar").open("rb") as file:
        assert set(read_backup(file, "b", None).files) == HELD
