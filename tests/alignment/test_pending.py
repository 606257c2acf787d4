"""A release on trial is decided at the beginning of the next round, by what people said when they compared."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import alignment.evaluate
from alignment.pending import decide_trial
from data.releases import MINIMUM_PROMPTS, Releases
from data.store import Store
from tests.data.talk import Talk


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    """Two releases, the first serving and the second on trial."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    releases = Releases(tmp_path)
    for _ in range(2):
        releases.create(lambda _: {"base": "smollm2-135m"})
    releases.promote(1)
    releases.put_on_trial(2)
    return releases


def compared(house: Path, questions: int) -> None:
    async def talk() -> None:
        store = await Store.open(house)
        try:
            spoken = await Talk.begin(store)
            ada = await spoken.person()
            for number in range(questions):
                said = await spoken.say(ada, f"question {number}")
                old = await spoken.answer(said, "old", release=1)
                new = await spoken.answer(said, "new", release=2)
                await spoken.rate(ada, "comparison", old, other=new, value="b")
        finally:
            await store.close()

    asyncio.run(talk())


def gate(monkeypatch: pytest.MonkeyPatch, *, promote: bool, undecided: bool) -> list[list[str]]:
    asked = []

    def main(argv: list[str]) -> int:
        asked.append(argv)
        figures = Path(argv[argv.index("--out") + 1])
        figures.write_text(json.dumps({"verdict": {"promote": promote, "undecided": undecided}}))
        return 0 if promote else 1

    monkeypatch.setattr(alignment.evaluate, "main", main)
    return asked


def test_too_few_comparisons_decide_nothing(tried: Releases, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    asked = gate(monkeypatch, promote=True, undecided=False)
    compared(tried.folder.parent, MINIMUM_PROMPTS - 1)
    decide_trial(Console(), "all")
    assert asked == []
    assert (tried.champion(), tried.candidate()) == (1, 2)
    assert f"{MINIMUM_PROMPTS - 1} questions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("promote", "undecided", "left"), [(True, False, (2, None)), (False, True, (1, 2)), (False, False, (1, None))]
)
def test_the_gate_decides_once_people_compared_enough(
    promote: bool, undecided: bool, left: tuple[int, int | None], tried: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = gate(monkeypatch, promote=promote, undecided=undecided)
    compared(tried.folder.parent, MINIMUM_PROMPTS)
    decide_trial(Console(), "quick")
    assert asked[0][:4] == ["--candidate", "2", "--limit", "0"]
    assert "quick" not in asked[0]
    assert (tried.champion(), tried.candidate()) == left
