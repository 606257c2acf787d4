"""A home may have any name: all of it lies inside of it, whatever URLs, shells and make think of its letters."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from data.backup import write_backup
from data.check import check_home
from data.database import NAME
from data.errors import BadInput
from data.restore import restore
from data.store import Store

ROOT = Path(__file__).parents[2]
NAMES = [
    *("what?", "a?mode=memory&cache=shared", "100%", "a%20b", "a%3Fb", "a#b", "a b", " ", "a&b=c", "it's", 'a"b'),
    *("$HOME", "`id`", "a;b", "a\\b", "-x", "[x]*", "a\nb", "file:x", ":memory:", "ä", "你好", "a:b@c", "~"),
    os.fsdecode(b"\xff\xfe"),
]
# What an address, a query, a fragment, a shell and a file name without any encoding would each read otherwise.
ODDEST = ["a?mode=memory&cache=shared", "100%", "a#b", "a\nb", os.fsdecode(b"\xff\xfe")]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("name", NAMES)
async def test_a_home_of_any_name_holds_its_own_database(tmp_path: Path, name: str) -> None:
    house = tmp_path / name / "home"
    for _ in range(2):  # made, and opened again
        store = await Store.open(house)
        await store.person("terminal", "ada")
        assert await store.database.writable(1)
        await store.database.copy(house / "copy.db")
        await store.close()
    (house / "copy.db").unlink()
    assert (names(tmp_path), names(tmp_path / name)) == ([name], ["home"])
    with closing(connect(house / NAME)) as connection:
        assert connection.execute("SELECT count(*) FROM people").fetchone() == (1,)


@pytest.mark.parametrize("name", ODDEST)
async def test_a_home_of_any_name_is_backed_up_restored_and_checked(tmp_path: Path, name: str) -> None:
    house = tmp_path / name / "home"
    await (await Store.open(house)).close()
    out = tmp_path / name / "b.tar"
    write_backup(house, out, None)
    restore(tmp_path / name / "again", out, None)
    assert not [finding for finding in check_home(tmp_path / name / "again") if finding.damage]


@pytest.mark.parametrize(("name", "outside"), [("what?", "what"), ("what%3Fx", "what?x"), ("a?b?c", "a")])
async def test_a_database_that_an_earlier_version_put_elsewhere_is_named(
    tmp_path: Path, name: str, outside: str
) -> None:
    old = await Store.open(tmp_path / "old")
    await old.close()
    house = tmp_path / name
    # As SQLAlchemy read the path: the part before a question mark, and codes in place of letters.
    there = tmp_path / outside if "?" in name else tmp_path / outside / NAME
    there.parent.mkdir(exist_ok=True)
    (tmp_path / "old" / NAME).rename(there)
    house.mkdir(exist_ok=True)
    (tmp_path / "old" / "key").rename(house / "key")
    with pytest.raises(BadInput, match=r"kept this home's database in .*move it to"):
        await Store.open(house)
    there.rename(house / NAME)  # what the sentence says helps
    await (await Store.open(house)).close()


NOT_MADE = (".venv/ready", "pyproject.toml", "constraints.txt")  # this test installs nothing
PLACES = ["$(touch outside)", "a b", "what?", "100%", "it's", "a#b", "$HOME", 'a"b']


@pytest.mark.process
@pytest.mark.parametrize("name", PLACES)
def test_make_finds_a_home_of_any_name(tmp_path: Path, name: str) -> None:
    """`make base` asks Parley where the bases are; it fetches nothing when they are there."""
    home = tmp_path / name
    there = home / "bases" / "smollm2-135m" / "hf" / "config.json"
    there.parent.mkdir(parents=True)
    there.write_text("{}")
    environment = {**os.environ, "PARLEY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("PARLEY_BASES", None)
    flags = [f"BIN={Path(sys.executable).parent}", *(f"--assume-old={each}" for each in NOT_MADE)]
    result = subprocess.run(
        ["make", "-s", *flags, "base"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    assert names(tmp_path) == [name]
