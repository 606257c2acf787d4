"""`python -m alignment.why` on a home whose release was trained on a tiny base."""

import asyncio
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from alignment import why
from data.errors import BadInput, NothingToDo
from data.imports import collect_rows
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.rows import Row, write_rows
from data.store import Store
from tests.alignment import tiny
from tests.alignment.influence.made import ANSWERS
from tests.alignment.influence.rounds import write_round
from tests.alignment.running import manifest, train
from tests.data.said_after import in_fold
from tests.data.talk import Talk

pytestmark = pytest.mark.tiny


@dataclass(frozen=True)
class Taught:
    """A home with eleven corrections that a quick round trained; `answers` repeat them, by their numbers."""

    home: Path
    answers: list[int]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Taught:
    place = tmp_path_factory.mktemp("why")
    base, home = tiny.build("llama", place / "base"), place / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLEY_HOME", str(home))
        in_fold(patch, "train")
        answers, rows = asyncio.run(teach(home))
    write_rows(place / "rows.jsonl", rows)
    recipe = {"beta": 0.1, "demonstration_weight": 1.0, "kept_weight": 0.25, "learning_rate": 1e-2}
    train("dpo", base, place / "rows.jsonl", place / "out", **recipe, num_train_epochs=4, eval_fraction=0)

    def build(folder: Path) -> ReleaseManifest:
        shutil.copytree(place / "out" / "adapter", folder / "adapter")
        return ReleaseManifest(base=str(base), round=1, stages=("edits",))

    Releases(home).create(build)
    ids = {"preference": [row.id for row in rows]}
    run = {"figures": manifest(place / "out")["figures"], "recipe": recipe}
    write_round(home, 1, ids, ["edits"], training={"edits": run}, used={"preference": len(rows)})
    return Taught(home, answers)


async def teach(home: Path) -> tuple[list[int], list[Row]]:
    store = await Store.open(home)
    talk = await Talk.begin(store)
    ada, answers = await talk.person(), []
    for number, right in enumerate(ANSWERS):
        said = await talk.say(ada, f"Question {number}?", platform_id=f"q{number}")
        await talk.rate(ada, "correction", await talk.answer(said, f"Wrong {number}."), text=right)
    for number, right in enumerate(ANSWERS):
        said = await talk.say(ada, f"Question {number}?", platform_id=f"again{number}")
        answers.append((await talk.answer(said, right, release=1)).generation)
    rows = list((await collect_rows(store, discord_permission=None)).of("preference"))
    await store.close()
    return answers, rows


@pytest.fixture
def taught(once: Taught, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Taught:
    home = tmp_path / "home"
    shutil.copytree(once.home, home)
    monkeypatch.setenv("PARLEY_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "150")
    return Taught(home, once.answers)


def first(said: str) -> int:
    """The number of the rating in the first line of the table."""
    found = re.search(r"│ 1 +│ correction +│ (\d+) +│", said)
    assert found, said
    return int(found[1])


def test_the_correction_that_an_answer_repeats_comes_first(
    taught: Taught, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (0, 5):
        assert why.main([str(taught.answers[number])]) == 0
        said = capsys.readouterr().out
        assert first(said) == number + 1
        # The output goes to a file here, and holds nobody's words.
        assert not any(text in said for text in (*ANSWERS, "Question", "Wrong"))
        assert len(re.findall(r"│ correction", said)) <= why.TOP
    assert why.main(["last", "--top", "1"]) == 0
    assert first(capsys.readouterr().out) == len(ANSWERS)


def test_a_text_is_asked_about(taught: Taught, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["--question", "Question 3?", "--answer", ANSWERS[3], "--release", "1"]
    assert why.main(texts) == 0
    assert first(capsys.readouterr().out) == 4


def test_erased_rows_are_gone_and_said_to_be_gone(taught: Taught, capsys: pytest.CaptureFixture[str]) -> None:
    async def erase(*questions: str) -> None:
        store = await Store.open(taught.home)
        for each in questions:
            await store.eraser.erase_message("terminal", each)
        await store.close()

    asyncio.run(erase("q0", "again3"))
    with pytest.raises(BadInput, match="a text in it was erased"):
        why.main([str(taught.answers[3])])
    assert why.main([str(taught.answers[1])]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 row that it learnt from is gone: somebody had a text erased" in said
    asyncio.run(erase(*(f"q{number}" for number in range(len(ANSWERS)))))
    with pytest.raises(NothingToDo, match=r"No row that release 1 learnt from is here. 11 are gone, 11 because"):
        why.main([str(taught.answers[1])])


def test_asking_changes_nothing(taught: Taught) -> None:
    def state() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in sorted(taught.home.rglob("*"))
            if path.is_file() and path.suffix not in (".db-wal", ".db-shm") and path.name != ".lock"
        }

    before = state()
    assert why.main([str(taught.answers[2])]) == 0
    assert state() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Say which answer"),
        (["--question", "x"], "Say which answer"),
        (["3", "--question", "x", "--answer", "y"], "not both"),
        (["3", "--release", "1"], "not both"),
        (["3", "--top", "0"], "--top must be at least 1"),
        (["9999"], "There is no answer 9999"),
        (["--question", "x", "--answer", "y", "--release", "7"], "There is no release 7"),
    ],
)
def test_bad_input_is_a_sentence(taught: Taught, words: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        why.main(words)


def test_a_release_that_is_gone_and_the_base_are_refused(taught: Taught) -> None:
    with pytest.raises(NothingToDo, match="the base model"):  # it serves: nothing was promoted
        why.main(["--question", "x", "--answer", "y"])
    shutil.rmtree(taught.home / "releases" / "0001")
    with pytest.raises(BadInput, match=r"There is no release 1 in .*there are none yet"):
        why.main([str(taught.answers[0])])


def test_a_folder_that_is_no_home_is_refused_and_none_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="There is no home"):
        why.main(["1"])
    assert not (tmp_path / "none").exists()
