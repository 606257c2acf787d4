"""A backup holds a home as it was at one moment; a restore puts all of it back, or changes nothing."""

import asyncio
import io
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from data import backup, restore
from data.backup import copy_database, write_backup
from data.backup_file import BackupWriter, read_backup
from data.database import NAME
from data.errors import BadInput
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.restore import verify
from data.sealing import CHUNK, Opener, Sealer
from data.store import Store
from tests.data.talk import Talk
from tests.data.test_main import data

PASSPHRASE = "correct horse"


@pytest.fixture(autouse=True)
def _no_bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.delenv("PARLEY_BACKUP_PASSPHRASE", raising=False)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data.sealing._COST", (10, 8, 1))


def release(house: Path, text: str) -> int:
    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter").mkdir()
        (folder / "adapter" / "adapter_model.safetensors").write_text(text)
        (folder / "adapter.gguf").write_text(f"GGUF {text}")
        return ReleaseManifest(base="smollm2-135m", base_sha256="b1")

    return Releases(house).create(build).number


async def lived_in(house: Path) -> None:
    """A home with a conversation, two releases, a trial, a decided round and one that runs."""
    store = await Store.open(house)
    talk = await Talk.begin(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    (one,) = await talk.ask(ada, "what ada asked", "an answer to ada")
    await talk.rate(ada, "correction", one, text="what ada corrected")
    await talk.ask(bob, "what bob asked", "an answer to bob")
    await store.close()
    release(house, "one")
    release(house, "two")
    Releases(house).promote(1)
    Releases(house).put_on_trial(2)
    (house / "releases" / "asked.jsonl").write_text('{"candidate": "round 1 against 0", "error": 0.03}\n')
    for number, status in ((1, "promoted"), (2, "running")):
        folder = house / "rounds" / f"{number:04d}"
        (folder / "sft" / "checkpoint-4").mkdir(parents=True)
        (folder / "manifest.json").write_text(f'{{"number": {number}, "status": "{status}"}}')
        (folder / "report.html").write_text("a report")
        (folder / "metrics.jsonl").write_text("{}\n")
        (folder / "sft-train.jsonl").write_text("what ada asked")
        (folder / "snapshot.db").write_text("what ada asked")
        (folder / "sft" / "checkpoint-4" / "optimizer.pt").write_text("large")
    for name in ("engine.json", "rounds.paused"):
        (house / name).write_text("{}")
    (house / "logs").mkdir()
    (house / "logs" / "engine.log").write_text("words")


@pytest.fixture
def lived(house: Path) -> Path:
    asyncio.run(lived_in(house))
    return house


def texts(house: Path) -> set[str]:
    with closing(sqlite3.connect(house / NAME)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM message_versions WHERE text IS NOT NULL")}


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder that somebody made, with its content; locks and SQLite's own files come and go."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("lock", "-wal", "-shm"))
    }


HELD = {
    *("key", "parley.db", "rounds.paused", "releases/champion", "releases/candidate", "releases/history"),
    "releases/asked.jsonl",
    *(f"releases/000{n}/{name}" for n in (1, 2) for name in ("manifest.json", "adapter.gguf")),
    *(f"releases/000{n}/adapter/adapter_model.safetensors" for n in (1, 2)),
    *(f"rounds/000{n}/{name}" for n in (1, 2) for name in ("manifest.json", "report.html", "metrics.jsonl")),
}


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
            parts.append([(each.name, each.mtime, tar.extractfile(each).read()) for each in members[:-1]])  # type: ignore[union-attr]
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


async def test_what_people_erased_since_is_erased_again(house: Path, tmp_path: Path) -> None:
    await lived_in(house)
    out = tmp_path / "b.tar"
    write_backup(house, out, None)
    store = await Store.open(house)
    talk = await Talk.begin(store)
    await store.forget(await talk.person("bob", agrees=None))
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
    assert await store.erase_message("discord", "m1")
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


def test_a_home_with_nothing_but_bases_counts_as_empty(lived: Path, tmp_path: Path) -> None:
    write_backup(lived, tmp_path / "b.tar", None)
    other = tmp_path / "other"
    (other / "bases" / "smollm2-135m").mkdir(parents=True)
    (other / "bases" / "smollm2-135m" / "model.gguf").write_text("weights")
    (other / "logs").mkdir()
    restore.restore(other, tmp_path / "b.tar", None)
    assert (other / "bases" / "smollm2-135m" / "model.gguf").read_text() == "weights"
    assert texts(other) == texts(lived)


def before_it(folder: Path) -> list[Path]:
    return list(folder.glob("home.before*"))


async def test_a_home_that_somebody_uses_is_not_replaced(house: Path, tmp_path: Path) -> None:
    await lived_in(house)
    write_backup(house, tmp_path / "b.tar", None)
    store = await Store.open(house)
    await store.person("terminal", "ada")  # a connection stays open, as in an idle bot
    with pytest.raises(BadInput, match="Another process uses"):
        await asyncio.to_thread(restore.restore, house, tmp_path / "b.tar", None, replace=True)
    await store.close()
    assert not before_it(tmp_path)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("where", [0, 0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_backup_that_breaks_off_is_refused(
    lived: Path, tmp_path: Path, passphrase: str | None, where: float
) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, passphrase)
    raw = out.read_bytes()
    end = len(raw.rstrip(b"\0")) if passphrase is None else len(raw)  # a tar's padding carries nothing
    out.write_bytes(raw[: int(end * where)])
    with pytest.raises(BadInput):
        restore.restore(tmp_path / "other", out, passphrase)
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("where", [0.01, 0.1, 0.4, 0.7, 0.9])
def test_a_changed_byte_is_noticed(lived: Path, tmp_path: Path, passphrase: str | None, where: float) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, passphrase)
    raw = bytearray(out.read_bytes())
    at = int(len(raw.rstrip(b"\0")) * where)
    raw[at] ^= 1
    out.write_bytes(raw)
    try:
        verify(out, passphrase)
    except BadInput:
        return
    # A tar has padding between its members, whose bytes say nothing.
    assert passphrase is None
    restore.restore(tmp_path / "other", out, None)
    assert texts(tmp_path / "other") == texts(lived)


def sealed(plain: bytes) -> bytearray:
    out = io.BytesIO()
    sealer = Sealer(out, PASSPHRASE)
    for start in range(0, len(plain), 300_000):
        sealer.write(plain[start : start + 300_000])
    sealer.close()
    return bytearray(out.getvalue())


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_is_sealed_opens_again(size: int) -> None:
    plain = bytes(range(256)) * (size // 256 + 1)
    plain = plain[:size]
    opener = Opener(io.BytesIO(sealed(plain)), PASSPHRASE, "b")
    found = b""
    while piece := opener.read(70_000):
        found += piece
    assert found == plain
    assert plain[:1000] not in sealed(plain) or size < 2


HEAD = 23 + 3 + 16 + 7


@pytest.mark.parametrize("fault", ["swap", "drop", "repeat", "cut", "end", "header", "longer"])
def test_chunks_in_another_order_or_missing_are_noticed(fault: str) -> None:
    raw = sealed(b"a" * CHUNK + b"b" * CHUNK + b"c" * CHUNK + b"end")
    step = CHUNK + 16
    head, parts = raw[:HEAD], [raw[HEAD + i * step : HEAD + (i + 1) * step] for i in range(4)]
    match fault:
        case "swap":
            parts[0], parts[1] = parts[1], parts[0]
        case "drop":
            del parts[1]
        case "repeat":
            parts.insert(1, parts[0])
        case "cut":
            del parts[3]
        case "end":
            parts[3] = parts[3][:-1]
        case "header":
            head[-1] ^= 1
        case "longer":
            parts.append(bytearray(b"more"))
    opener = Opener(io.BytesIO(head + b"".join(parts)), PASSPHRASE, "the backup")
    with pytest.raises(BadInput, match="the backup"):
        opener.read()


def test_another_passphrase_opens_nothing(lived: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.tar"
    write_backup(lived, out, PASSPHRASE)
    for wrong in ("", "correct  horse", "Correct horse"):
        with pytest.raises(BadInput, match="the passphrase is another one"):
            verify(out, wrong)
    with pytest.raises(BadInput, match="is encrypted: set PARLEY_BACKUP_PASSPHRASE"):
        verify(out, None)


def odd_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for member, raw in members:
            member.size = len(raw)
            tar.addfile(member, io.BytesIO(raw))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


@pytest.mark.parametrize(
    "member",
    [
        entry("../outside"),
        entry("/tmp/outside"),
        entry("releases/../../outside"),
        entry("./key"),
        entry("key", tarfile.SYMTYPE, "/etc/passwd"),
        entry("key", tarfile.LNKTYPE, "parley.db"),
        entry("pipe", tarfile.FIFOTYPE),
        entry("device", tarfile.CHRTYPE),
        entry("folder", tarfile.DIRTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type!r}",
)
def test_a_member_that_no_backup_has_is_refused(tmp_path: Path, member: tarfile.TarInfo) -> None:
    path = odd_tar(tmp_path / "b.tar", (member, b""))
    with pytest.raises(BadInput, match="which no backup has"):
        verify(path, None, tmp_path / "new")
    assert [each.name for each in tmp_path.iterdir()] == ["b.tar"]


@pytest.mark.parametrize("content", [b"", b"nothing", b"\0" * 20480, b"SQLite format 3\0" + b"x" * 5000, b"{}"])
def test_a_file_that_is_no_backup_gives_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    with pytest.raises(BadInput, match=r"b\.tar"):
        verify(tmp_path / "b.tar", None)


@pytest.mark.parametrize(
    "manifest", [b"[]", b"null", b"{", b"{}", b'{"files": 3, "created_at": "", "schema": ""}', b"\xff"]
)
def test_a_damaged_manifest_gives_a_sentence(tmp_path: Path, manifest: bytes) -> None:
    path = odd_tar(tmp_path / "b.tar", (entry("key"), b"k"), (entry("manifest.json"), manifest))
    with pytest.raises(BadInput, match=r"b\.tar has a damaged manifest"):
        verify(path, None)


def test_a_backup_with_other_files_than_its_manifest_says_is_refused(lived: Path, tmp_path: Path) -> None:
    class Forged(BackupWriter):
        def finish(self, manifest: object) -> None:
            manifest.files["releases/0009/adapter.gguf"] = "0" * 64  # type: ignore[attr-defined]
            super().finish(manifest)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup, "BackupWriter", Forged)
        write_backup(lived, tmp_path / "b.tar", None)
    with pytest.raises(BadInput, match=r"it misses releases/0009/adapter\.gguf"):
        verify(tmp_path / "b.tar", None)


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
