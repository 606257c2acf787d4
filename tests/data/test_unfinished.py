"""What is being written has a name that the clean-up knows, and what a killed writer left goes."""

import ast
import os
import re
from pathlib import Path

import pytest

from data.home import write_atomic
from data.rows import parse_row, write_rows
from data.store import Store
from data.tidy import remove_left
from data.unfinished import SUFFIX, remove_unfinished, remove_unfinished_of, unfinished_file, unfinished_folder
from tests.data.talk import ROOT, script

ROW = {"messages": [{"role": "user", "content": "left-behind"}, {"role": "assistant", "content": "a"}]}
# Says that it writes, and then waits for a kill.
WRITER = """
import pathlib, sys
from data import home
from data.rows import parse_row, write_rows
def hang(_):
    print("half way", flush=True)
    sys.stdin.readline()
folder = home.private_dir(pathlib.Path(sys.argv[1]) / "rounds" / "0001")
home.os.fsync = hang
write_rows(folder / "sft-train.jsonl", [parse_row({0!r})] * 20000)
"""


def names(house: Path) -> list[str]:
    return sorted(path.name for path in (house / "rounds" / "0001").iterdir())


@pytest.mark.process
@pytest.mark.parametrize("how", ["start", "forget"])
async def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(house: Path, how: str) -> None:
    store = await Store.open(house)
    process = script(house, "-c", WRITER.replace("{0!r}", repr(ROW)), str(house))
    assert process.stdout.readline() == "half way\n", process.communicate()
    (name,) = names(house)
    assert name.startswith(".sft-train.jsonl.")
    await store.eraser.forget(await store.person("terminal", "ada"))
    await (await Store.open(house)).close()
    assert names(house) == [name]  # it is alive
    process.kill()
    process.communicate()
    if how == "start":
        await (await Store.open(house)).close()
    else:
        await store.eraser.forget(await store.person("terminal", "bob"))
    assert names(house) == []
    await store.close()


async def test_files_of_earlier_versions_and_libraries_go_from_rounds(house: Path) -> None:
    store = await Store.open(house)
    folder = house / "rounds" / "0001"
    checkpoints = folder / "dpo" / "checkpoints"
    (checkpoints / ".incomplete" / "checkpoint-3").mkdir(parents=True)
    left = [folder / name for name in (".sft-train.jsonl.4hsgmm0l", "snapshot.db", ".snapshot.db.part")]
    left += [checkpoints / "tmpab12cd_4"]
    rows = [
        folder / "sft-train.jsonl",
        folder / "dpo" / "trained_tokens.txt",
        checkpoints / "reference-train-abc.arrow",
    ]
    kept = [folder / "manifest.json", folder / "metrics.jsonl", checkpoints / "optimizer.pt"]
    for path in (*left, *rows, *kept):
        path.write_text("words")
    await (await Store.open(house)).close()
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in rows)  # with these the round continues
    await store.eraser.forget(await store.person("terminal", "ada"))
    assert [path for path in rows if path.exists()] == []
    assert not (checkpoints / ".incomplete").exists()
    assert all(path.exists() for path in kept)
    await store.close()


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    for make in (unfinished_file, unfinished_folder):
        with pytest.raises(OSError, match="full"), make(tmp_path / "target"):
            raise OSError("full")
    write_rows(tmp_path / "rows.jsonl", [parse_row(ROW)])
    assert os.listdir(tmp_path) == ["rows.jsonl"]  # noqa: PTH208 - names, as the system lists them


def test_only_what_nobody_writes_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "deep" / f".a.12345678{SUFFIX}"
    left.mkdir(parents=True)
    (left / "part").write_text("words")
    with unfinished_file(tmp_path / "a") as file, unfinished_folder(tmp_path / "b") as folder:
        (folder / "part").write_text("words")
        remove_unfinished(tmp_path)
        remove_unfinished_of(tmp_path / "a")
        assert Path(file.name).exists()
        assert (folder / "part").exists()
        Path(file.name).replace(tmp_path / "a")
    assert not left.exists()
    assert sorted(os.listdir(tmp_path)) == ["a", "deep"]  # noqa: PTH208 - names, as the system lists them


def test_a_clean_up_between_making_and_locking_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    real, taken = fcntl.flock, []

    def late(descriptor: int, how: int) -> None:
        if not taken:
            taken.append(how)
            remove_unfinished(tmp_path)  # before the lock is taken
        real(descriptor, how)

    monkeypatch.setattr("data.unfinished.fcntl.flock", late)
    write_atomic(tmp_path / "file", "content")
    assert (tmp_path / "file").read_text() == "content"
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names, as the system lists them


def test_a_home_that_is_full_of_other_things_is_left_alone(tmp_path: Path) -> None:
    for name in ("photos", "rounds"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f".mine.12345678{SUFFIX}").touch()
    remove_left(tmp_path)
    assert (tmp_path / "photos" / f".mine.12345678{SUFFIX}").exists()
    assert not (tmp_path / "rounds" / f".mine.12345678{SUFFIX}").exists()


# Where a file may get a name of its own for a moment, besides `data/unfinished.py`, and why.
ELSEWHERE = {
    "data/spool.py": "a file without a name, which goes with its process",
    "data/reading.py": "a cache folder for tables that stays empty: they are streamed",
    "alignment/serving/embedded.py": "an exported adapter of the operator's, outside of the home; it holds no texts",
    "alignment/conversion/gguf.py": "links to a base's own files, outside of the home; it holds no texts",
    "alignment/shelf/speed.py": "a made-up adapter and models that are timed; they hold no texts",
    "alignment/conversion/pretokenizer.py": "an empty model with a base's tokenizer; it holds no texts",
}
OWN_NAMES = re.compile(r"tempfile|mkstemp|mkdtemp|TemporaryFile|TemporaryDirectory|\.(partial|tmp|part)['\"]")


def test_nothing_else_makes_files_of_a_moment() -> None:
    found = set()
    for package in ("data", "alignment", "bot"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            source = path.read_text(encoding="utf-8")
            # Reading a file without its comments takes long, so only one that has such a name at all is read.
            if name in ("data/unfinished.py", "data/tidy.py") or not OWN_NAMES.search(source):
                continue
            if OWN_NAMES.search(ast.unparse(ast.parse(source))):
                found.add(name)
    assert found == set(ELSEWHERE), "use data.unfinished: the clean-up does not know other names"
