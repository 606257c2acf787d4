"""From two played models to what is printed, decided and kept."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from alignment.evaluation import verdict
from alignment.evaluation.compare import Evaluation, EvaluationRows, Options
from alignment.evaluation.evidence import Sample
from alignment.evaluation.subjects import Subject
from alignment.evaluation.verdict import Evaluated, Summary, check_suites, evaluate, summary
from data.errors import BadInput
from data.manifests import plain, typed
from tests.alignment.played import evaluation

SAMPLES = [Sample(f"question {n}", "secret before", "secret after", f"p{n}") for n in range(3)]


def evaluated(
    monkeypatch: pytest.MonkeyPatch, found: Evaluation, *, terminal: bool = False, tried: int = 0, questions: int = 0
) -> tuple[Evaluated, str, list[Options]]:
    """The verdict on a played evaluation, what was printed, and the options that it was measured with."""
    asked: list[Options] = []

    def compare(*arguments: Any, look: Any, **_: Any) -> Evaluation:
        asked.append(arguments[3])
        look(SAMPLES[: arguments[3].questions])
        return found

    monkeypatch.setattr(verdict, "compare", compare)
    console = Console(file=io.StringIO(), width=500, force_terminal=terminal)
    subjects = Subject("release 1", "b"), Subject("release 2", "b")
    made = evaluate(*subjects, EvaluationRows(), Options(questions=questions), console, tried=tried)
    return made, console.file.getvalue(), asked  # type: ignore[attr-defined]


def test_the_gate_decides_by_the_decisive_evidence_and_by_how_often_it_was_tried(monkeypatch) -> None:
    made, _, _ = evaluated(monkeypatch, evaluation())
    assert made.verdict.promote
    assert not evaluated(monkeypatch, evaluation(wins=38, losses=22), tried=9)[0].verdict.promote
    assert not evaluated(monkeypatch, evaluation(fall=0.2))[0].verdict.promote
    nobody = evaluated(monkeypatch, evaluation(counts=False))[0].verdict
    assert (nobody.promote, nobody.people) == (False, True)


def test_tables_sentences_and_notes_are_printed(monkeypatch) -> None:
    found = replace(evaluation(), notes=("One prompt was left out.",))
    _, printed, _ = evaluated(monkeypatch, found)
    for part in ("release 1", "By pairs the candidate wins some.", "Refusal", "One prompt was left out."):
        assert part in printed


def test_answers_are_shown_on_a_terminal_only_and_not_even_made_elsewhere(monkeypatch) -> None:
    _, printed, asked = evaluated(monkeypatch, evaluation(), terminal=True, questions=2)
    assert ("question 1" in printed, "question 2" in printed, asked[0].questions) == (True, False, 2)
    _, printed, asked = evaluated(monkeypatch, evaluation(), questions=2)
    assert ("secret" in printed, asked[0].questions) == (False, 0)
    assert "The questions are not shown" in printed


def test_the_summary_for_a_manifest_explains_the_evidence(monkeypatch) -> None:
    kept = summary(evaluated(monkeypatch, evaluation())[0])
    assert kept.verdict.reasons[-1] == "By pairs the candidate wins some."  # people's pairs: the weakest evidence
    assert (kept.decisive, kept.suites[0].items, kept.scores["champion"].pairs) == ("people, held-out pairs", 20, 2)
    kept = summary(evaluated(monkeypatch, evaluation(counts=False))[0])
    assert kept.verdict.reasons[0].endswith("By pairs the candidate wins some.")
    assert typed(json.loads(json.dumps(plain(kept))), Summary) == kept


def test_figures_for_a_file_hold_single_rows(monkeypatch) -> None:
    figures = json.loads(json.dumps(evaluated(monkeypatch, evaluation())[0].figures()))
    assert (figures["champion"], figures["candidate"]) == ("release 1", "release 2")
    assert figures["verdict"]["promote"] is True
    assert len(figures["suites"][0]["champion"]) == 20


def test_suites_are_chosen_by_a_word_or_by_names() -> None:
    assert check_suites("none") == []
    assert {suite.name for suite in check_suites("bias_pairs, leakage")} == {"bias_pairs", "leakage"}
    assert all(len(suite.items) <= 8 for suite in check_suites("quick"))
    assert len(check_suites("all")) > len(check_suites("quick"))
    with pytest.raises(BadInput, match="There is no suite 'biass'"):
        check_suites("biass")
    with pytest.raises(BadInput, match=r"--suites quik: expected quick.* Did you mean 'quick'"):
        check_suites("quik")
    with pytest.raises(BadInput, match="--suites: expected"):
        check_suites(",")
    with pytest.raises(BadInput, match="--suites none runs none"):
        check_suites("none", paths={"truthfulness": Path("x.csv")})
