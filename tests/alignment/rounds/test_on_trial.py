"""A release on trial is decided at the beginning of the next round, by people's comparisons."""

import asyncio
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from rich.console import Console

from alignment.evaluation import verdict
from alignment.evaluation.compare import Evaluation, EvaluationRows
from alignment.evaluation.evidence import by_live
from alignment.evaluation.gate import Verdict
from alignment.evaluation.subjects import Subject
from alignment.evaluation.verdict import QUICK, Evaluated
from alignment.rounds import on_trial
from alignment.rounds.on_trial import decide_trial
from data.release_manifest import ReleaseManifest
from data.releases import MINIMUM_PROMPTS, Releases
from data.store import Store
from tests.alignment.played import evaluation
from tests.data.talk import Talk

pytestmark = pytest.mark.played

BASE = "smollm2-135m"


@pytest.fixture
def tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    """Two releases, the first serving and the second on trial."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    releases = Releases(tmp_path)
    for _ in range(2):
        releases.create(lambda _: ReleaseManifest(base=BASE))
    releases.promote(1)
    releases.put_on_trial(2)
    return releases


def talked_about(house: Path, questions: int, raters: int) -> None:
    """People compare answers to these questions, in turn, and prefer the release on trial."""

    async def talk() -> None:
        store = await Store.open(house)
        try:
            spoken = await Talk.begin(store)
            people = [await spoken.person(name) for name in ("ada", "bea", "cem", "dov", "eva", "fay")[:raters]]
            for number in range(questions):
                said = await spoken.say(people[0], f"question {number}")
                old = await spoken.answer(said, "old", release=1)
                new = await spoken.answer(said, "new", release=2)
                await spoken.rate(people[number % raters], "comparison", old, other=new, value="b")
        finally:
            await store.close()

    asyncio.run(talk())


@cache
def compared_once(questions: int, raters: int) -> dict[str, bytes]:
    """The files of a home in which people compared answers to these questions."""
    with TemporaryDirectory() as folder:
        talked_about(Path(folder), questions, raters)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def compared(house: Path, questions: int, raters: int = 3) -> None:
    """The same in this home, which has only releases."""
    for name, content in compared_once(questions, raters).items():
        (house / name).write_bytes(content)
        (house / name).chmod(0o600)


def gate(monkeypatch: pytest.MonkeyPatch, *, promote: bool, undecided: bool) -> list[tuple[Any, ...]]:
    """Play the gate; returns its calls' arguments: subjects, rows and options."""
    asked = []

    def evaluated(*arguments: Any, **_: Any) -> Evaluated:
        asked.append(arguments)
        verdict = Verdict(promote, None, ("A reason.",), undecided=undecided)
        return Evaluated(arguments[0].name, arguments[1].name, evaluation(), verdict)

    monkeypatch.setattr(on_trial, "evaluate", evaluated)
    return asked


@pytest.mark.parametrize(
    ("questions", "raters", "sentence"),
    [(MINIMUM_PROMPTS - 1, 3, f"{MINIMUM_PROMPTS - 1} times"), (MINIMUM_PROMPTS, 2, "2 people only")],
)
def test_too_few_comparisons_decide_nothing(
    questions: int, raters: int, sentence: str, tried: Releases, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    asked = gate(monkeypatch, promote=True, undecided=False)
    compared(tried.folder.parent, questions, raters)
    decide_trial(Console(), BASE, "all")
    assert asked == []
    assert (tried.champion(), tried.candidate()) == (1, 2)
    assert sentence in " ".join(capsys.readouterr().out.split())


@pytest.mark.simulation
def test_the_gate_may_be_asked_in_every_round(tried: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = gate(monkeypatch, promote=False, undecided=True)
    compared(tried.folder.parent, MINIMUM_PROMPTS)
    decide_trial(Console(), BASE, "all")
    decide_trial(Console(), BASE, "all")
    assert len(asked) == 2


def test_a_change_made_while_the_gate_decides_is_not_overruled(
    tried: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(monkeypatch, promote=True, undecided=False)
    usual = on_trial.evaluate
    monkeypatch.setattr(
        on_trial, "evaluate", lambda *arguments, **more: (tried.end_trial(), usual(*arguments, **more))[1]
    )
    compared(tried.folder.parent, MINIMUM_PROMPTS)
    decide_trial(Console(), BASE, "all")
    assert (tried.champion(), tried.candidate()) == (1, None)


@pytest.mark.tiny
def test_a_release_that_cannot_be_compared_does_not_stop_a_round(tried: Releases, capsys: Any) -> None:
    compared(tried.folder.parent, MINIMUM_PROMPTS)
    decide_trial(Console(), BASE, "none")  # not played: its folder holds no adapter
    assert (tried.champion(), tried.candidate()) == (1, 2)
    assert "cannot be compared" in capsys.readouterr().out


@pytest.mark.simulation
@pytest.mark.parametrize(("people", "questions", "promoted"), [(6, 90, True), (3, 60, False)])
def test_with_the_real_store_and_gate_peoples_comparisons_decide_and_three_people_do_not(
    people: int, questions: int, promoted: bool, tried: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything but the models is real: comparisons go through the store, the evaluation and the gate."""

    def measured(_champion: Subject, _candidate: Subject, rows: EvaluationRows, *_: Any, **__: Any) -> Evaluation:
        said = by_live(rows.live, rows.standing)
        return replace(evaluation(), sources=(said,), decisive=said, suites=())

    monkeypatch.setattr(verdict, "compare", measured)
    compared(tried.folder.parent, questions, raters=people)
    decide_trial(Console(), BASE, "none")
    assert (tried.champion(), tried.candidate()) == ((2, None) if promoted else (1, 2))


@pytest.mark.parametrize(
    ("promote", "undecided", "left"), [(True, False, (2, None)), (False, True, (1, 2)), (False, False, (1, None))]
)
def test_the_gate_decides_once_people_compared_enough(
    promote: bool, undecided: bool, left: tuple[int, int | None], tried: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = gate(monkeypatch, promote=promote, undecided=undecided)
    compared(tried.folder.parent, MINIMUM_PROMPTS)
    decide_trial(Console(), BASE, "quick")
    champion, candidate, rows, options = asked[0][:4]
    assert (champion.release, candidate.release, candidate.base) == (1, 2, BASE)
    assert (len(rows.prompts), len(rows.live)) == (0, MINIMUM_PROMPTS)
    assert [suite.name for suite in options.suites] == list(QUICK)
    # Whole: here they decide which release serves.
    assert all(len(suite.items) > QUICK[suite.name] for suite in options.suites)
    assert (tried.champion(), tried.candidate()) == left
