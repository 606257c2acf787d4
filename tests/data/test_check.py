"""What is damaged, missing, changed or dangling is found and told, and no command ends in a traceback on it."""

import asyncio
import contextlib
import io
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from alignment import promote, rollback
from bot.engine import artefact
from data import __main__ as data_main
from data.bases import BaseInfo
from data.check import check_home
from data.database import NAME
from data.errors import BadInput, ParleyError, run
from data.home import file_sha256
from data.store import Store
from tests.alignment.shelf import made
from tests.data.backed_up import lived_in

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which nothing is wrong; each test damages a copy."""
    house = tmp_path_factory.mktemp("whole") / "home"

    async def make() -> None:
        await lived_in(house)
        store = await Store.open(house)
        for number in (1, 2):
            manifest = house / "releases" / f"{number:04d}" / "manifest.json"
            await store.add_release(number, "smollm2-135m", file_sha256(manifest))
        await store.close()

    asyncio.run(make())
    shutil.rmtree(house / "rounds" / "0002")
    decision = {"number": 1, "status": "promoted", "decision": {"release": 1}}
    (house / "rounds" / "0001" / "manifest.json").write_text(json.dumps(decision))
    for path in (house, *house.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return house


@pytest.fixture
def damaged(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to damage."""
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("data.bases.BUNDLED", {})
    base = tmp_path / "bases" / "smollm2-135m"  # a base without a GGUF, which other engines serve
    base.mkdir(parents=True)
    BaseInfo(alias=base.name, control=(), context_length=64, eos_token="").save(base / "base.json")
    shutil.copytree(whole, tmp_path / "home")
    return tmp_path / "home"


def write(name: str, content: bytes) -> Damage:
    return lambda house: (house / name).write_bytes(content)


def cut(name: str) -> Damage:
    def halve(house: Path) -> None:
        raw = (house / name).read_bytes()
        (house / name).write_bytes(raw[: len(raw) // 2])

    return halve


def remove(name: str) -> Damage:
    return lambda house: shutil.rmtree(house / name) if (house / name).is_dir() else (house / name).unlink()


def folder(name: str) -> Damage:
    def put(house: Path) -> None:
        remove(name)(house)
        (house / name).mkdir()

    return put


def pages(first: int, last: int) -> Damage:
    def fill(house: Path) -> None:
        raw = bytearray((house / NAME).read_bytes())
        raw[first:last] = b"\xa5" * (min(last, len(raw)) - first)
        (house / NAME).write_bytes(raw)

    return fill


def sql(statement: str) -> Damage:
    def execute(house: Path) -> None:
        with closing(sqlite3.connect(house / NAME)) as connection, connection:
            connection.execute(statement)

    return execute


ONE = "releases/0001"
ADAPTER = f"{ONE}/adapter/adapter_model.safetensors"
ROUND = "rounds/0001/manifest.json"
# What is done to a home, a part of what the check says, and whether that is damage.
DAMAGES: dict[str, tuple[Damage, str, bool]] = {
    "no database": (remove(NAME), "parley.db is missing", True),
    "an empty database": (write(NAME, b""), "parley.db is empty", True),
    "no SQLite": (write(NAME, b"some text"), "cannot be read as Parley's database", True),
    "half a database": (cut(NAME), "parley.db", True),
    "damaged pages": (pages(8192, 40960), "parley.db", True),
    "damaged header": (pages(16, 100), "parley.db", True),
    "a folder as database": (folder(NAME), "parley.db is missing", True),
    "another program's database": (sql("DROP TABLE alembic_version"), "not Parley's", True),
    "a newer schema": (sql("UPDATE alembic_version SET version_num = '9999'"), "schema 9999", True),
    "a dangling reference": (sql("UPDATE messages SET conversation_id = 999"), "dangling references: messages", True),
    "no key": (remove("key"), "key is missing", True),
    "a short key": (write("key", b"short"), "holds 5 bytes", True),
    "another key": (write("key", b"k" * 32), "is another key than the one", True),
    "a missing GGUF": (remove(f"{ONE}/adapter.gguf"), "adapter.gguf is missing", True),
    "a changed GGUF": (write(f"{ONE}/adapter.gguf", b"GGUF other"), "adapter.gguf was changed", True),
    "half a GGUF": (cut(f"{ONE}/adapter.gguf"), "alignment.export --release 1", True),
    "a missing adapter": (remove(ADAPTER), "adapter_model.safetensors is missing", True),
    "a changed adapter": (write(ADAPTER, b"x"), "adapter_model.safetensors was changed", True),
    "no adapter folder": (remove(f"{ONE}/adapter"), "adapter_model.safetensors is missing", True),
    "manifest []": (write(f"{ONE}/manifest.json", b"[]"), "no readable manifest.json", True),
    "manifest null": (write(f"{ONE}/manifest.json", b"null"), "no readable manifest.json", True),
    "half a manifest": (cut(f"{ONE}/manifest.json"), "no readable manifest.json", True),
    "no manifest": (remove(f"{ONE}/manifest.json"), "no readable manifest.json", True),
    "a manifest as folder": (folder(f"{ONE}/manifest.json"), "no readable manifest.json", True),
    "deep manifest": (write(f"{ONE}/manifest.json", b"[" * 100_000), "no readable manifest.json", True),
    "another manifest": (write(f"{ONE}/manifest.json", b'{"base": "x"}'), "has not the hash in the database", True),
    "the champion is gone": (remove(ONE), "names release 1, which is not there", True),
    "the candidate is gone": (remove("releases/0002"), "alignment.rollback --trial", True),
    "a champion in words": (write("releases/champion", b"one"), "champion should hold the number", True),
    "a huge champion": (write("releases/champion", b"9" * 5000), "champion should hold the number", True),
    "a champion as folder": (folder("releases/champion"), "champion should hold the number", True),
    "a candidate in words": (write("releases/candidate", b"[]"), "candidate should hold the number", True),
    "a history of words": (write("releases/history", b"one\n1\n"), "history has 1 lines", False),
    "a history of ghosts": (write("releases/history", b"7\n1\n"), "releases that are gone (7)", False),
    "a budget of words": (write("releases/asked.jsonl", b"[1]\n"), "asked.jsonl should hold", True),
    "a budget of kinds": (
        write("releases/asked.jsonl", b'{"candidate": 3, "error": "x"}'),
        "asked.jsonl should",
        True,
    ),
    "a round []": (write(ROUND, b"[]"), "manifest.json is damaged", True),
    "half a round": (cut(ROUND), "manifest.json is damaged", True),
    "a round of nothing": (remove(ROUND), "has no manifest.json", False),
    "a round's release is gone": (
        write(ROUND, b'{"decision": {"release": 8}}'),
        "made release 8, which is gone",
        False,
    ),
    "readable by others": (lambda house: (house / "key").chmod(0o644), "can be read by others", False),
    "an answer that was never finished": (
        sql("INSERT INTO open_answers VALUES ('discord', 'k', 'c', 'q', NULL, '2020-01-01 00:00:00.000000')"),
        "1 answers were begun more than a day ago",
        False,
    ),
}


def command(module: ModuleType, *arguments: str) -> tuple[int, str]:
    """Run a command in this process; returns its exit code and what it says. Anything but an exit is raised."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setattr(sys, "argv", ["command", *arguments])
        stack.enter_context(contextlib.redirect_stdout(said))
        stack.enter_context(contextlib.redirect_stderr(said))
        end = stack.enter_context(pytest.raises(SystemExit))
        run(module.main)
    return int(end.value.code or 0), said.getvalue()


def test_a_whole_home_is_whole(damaged: Path) -> None:
    assert check_home(damaged) == []
    assert command(data_main, "check") == (0, f"{damaged} is whole: the database, the releases and the rounds.\n")


def test_a_changed_file_of_an_added_base_is_damage_and_a_base_that_is_gone_is_noted(
    damaged: Path, tmp_path: Path
) -> None:
    made.base(tmp_path / "bases", "fern")
    made.base(tmp_path / "bases", "moss", gguf=False)
    for number, base in enumerate(("fern", "lichen"), 1):
        path = damaged / "releases" / f"{number:04d}" / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"base": base}))

    def told(word: str) -> list[str]:
        return [finding.sentence for finding in check_home(damaged) if word in finding.sentence]

    assert not told("fern")
    assert not told("moss")
    (gone,) = (finding for finding in check_home(damaged) if "lichen" in finding.sentence)
    assert not gone.damage
    assert "alignment.bases add lichen" in gone.sentence
    for name, file in (("fern", "model.gguf"), ("moss", "hf/model.safetensors")):
        (tmp_path / "bases" / name / file).write_bytes(b"other numbers")
        (problem,) = told(f"The base model {name}")
        assert f"{file} was changed or is damaged." in problem
        assert f"alignment.bases add {name}" in problem


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_told_with_what_to_do(damaged: Path, name: str) -> None:
    hurt, sentence, serious = DAMAGES[name]
    hurt(damaged)
    code, said = command(data_main, "check")
    assert sentence in said
    assert code == (2 if serious else 1)
    lines = [line for line in said.splitlines() if line.startswith(("damage: ", "note: "))]
    assert any(line.startswith("damage: " if serious else "note: ") and sentence in line for line in lines)


@pytest.mark.parametrize("name", DAMAGES)
def test_no_command_ends_in_a_traceback_on_a_damaged_home(damaged: Path, name: str, tmp_path: Path) -> None:
    DAMAGES[name][0](damaged)
    for line in ("stats", "lineage", "forget nobody", "export --kind prompts --out " + str(tmp_path / "o.jsonl")):
        assert command(data_main, *line.split())[0] in (0, 1, 2)
    assert command(data_main, "backup", str(tmp_path / "b.tar"))[0] in (0, 2)
    with contextlib.suppress(ParleyError):
        artefact.find(damaged)
    for module, *flags in ((promote, "2", "--trial"), (rollback, "--trial"), (promote, "2"), (rollback,)):
        assert command(module, *flags)[0] in (0, 1, 2)


def test_where_there_is_no_home_nothing_is_checked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no home"):
        check_home(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
