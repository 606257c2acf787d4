"""Every file of a home is private to its owner, whatever made it."""

import os
import stat
from pathlib import Path

import pytest

from data.home import private_dir
from data.store import Store
from tests.data.talk import Talk, script


def readable(house: Path) -> list[str]:
    """The files and folders of a home that others than the owner may read, write or enter; the home is `.`."""
    paths = [house, *house.rglob("*")]
    return sorted(str(path.relative_to(house)) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077)


@pytest.fixture
def open_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
async def test_a_store_makes_private_files_whatever_the_umask(house: Path) -> None:
    store = await Store.open(house)
    talk = await Talk.begin(store)
    await talk.ask(await talk.person(), "question", "answer")
    await store.database.copy(private_dir(house / "rounds" / "0001") / "snapshot.db")
    assert (house / "parley.db-wal").exists()
    assert readable(house) == []
    await store.close()


@pytest.mark.usefixtures("open_umask")
async def test_an_older_home_is_made_private(house: Path) -> None:
    await (await Store.open(house)).close()
    made = ["rounds/0001/sft/loss.png", "releases/0001/adapter/README.md", "logs/engine-0.log", "engines/board.lock"]
    made += ["bases/tiny/model.gguf", "evaluations/suites.json", "parley.db.backup-0006", "engine.json"]
    for name in made:
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).write_text("old")
    for path, mode in ((house, 0o755), (house / "key", 0o640), (house / "parley.db", 0o644)):
        path.chmod(mode)
    assert len(readable(house)) > len(made)
    store = await Store.open(house)
    assert readable(house) == []
    await store.close()


async def test_what_is_not_parleys_stays_as_it_is(house: Path, tmp_path: Path) -> None:
    await (await Store.open(house)).close()
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "model.gguf").write_text("weights")
    (house / "photos").mkdir()
    (house / "bases").symlink_to(shared)
    (house / "releases").mkdir(exist_ok=True)
    (house / "releases" / "link").symlink_to(shared / "model.gguf")
    for path in (shared, house / "photos"):
        path.chmod(0o755)
    (shared / "model.gguf").chmod(0o644)
    await (await Store.open(house)).close()
    assert stat.S_IMODE((house / "photos").stat().st_mode) == 0o755
    assert stat.S_IMODE(shared.stat().st_mode) == 0o755
    assert stat.S_IMODE((shared / "model.gguf").stat().st_mode) == 0o644


@pytest.mark.process
def test_commands_make_private_files(house: Path) -> None:
    program = (
        "import os, pathlib, sys\nos.umask(0)\nfrom data.errors import run\n"
        "run(lambda: pathlib.Path(sys.argv[1]).write_text('a library wrote this') and 0)\n"
    )
    house.mkdir()
    process = script(house, "-c", program, str(house / "file"))
    assert process.communicate()[1] == ""
    assert stat.S_IMODE((house / "file").stat().st_mode) == 0o600
