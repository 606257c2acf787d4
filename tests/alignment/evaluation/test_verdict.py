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
from alignment.evaluation.evidence import LIVE, Sample
from alignment.evaluation.gate import SuitePair
from alignment.evaluation.served import served
from alignment.evaluation.subjects import Subject
from alignment.evaluation.verdict import QUICK, Evaluated, Summary, check_suites, evaluate, summary
from data.error_budget import FIRST, would_be
from data.errors import BadInput
from data.manifests import plain, typed
from tests.alignment.evaluation.test_served import crowd
from tests.alignment.played import evaluation

SAMPLES = [Sample(f"question {n}", "secret before", "secret after", f"p{n}") for n in range(3)]


def evaluated(
    monkeypatch: pytest.MonkeyPatch, found: Evaluation, *, terminal: bool = False, name: str = "", questions: int = 0
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
    made = evaluate(*subjects, EvaluationRows(), Options(questions=questions), console, name=name)
    return made, console.file.getvalue(), asked  # type: ignore[attr-defined]  # a StringIO


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.simulation
def test_the_gate_decides_by_the_decisive_evidence_and_by_what_earlier_candidates_spent(monkeypatch, house) -> None:
    close = evaluation(wins=45, losses=15)
    assert evaluated(monkeypatch, close)[0].verdict.promote
    assert not evaluated(monkeypatch, evaluation(fall=0.2))[0].verdict.promote
    nobody = evaluated(monkeypatch, evaluation(counts=False), name="nobody")[0].verdict
    assert (nobody.promote, nobody.people) == (False, True)
    assert would_be(house).number == 1  # nothing was spent: without a name nothing follows, and nobody decided
    for number in range(20):
        evaluated(monkeypatch, evaluation(wins=31, losses=29), name=f"candidate {number}")
    assert would_be(house).number == 21
    late = evaluated(monkeypatch, close)[0].verdict
    assert not late.promote
    assert "on refused ones before it 4.7 %, of 5 % for all" in late.reasons[-1]


def test_the_share_of_a_promoted_candidate_goes_on_to_the_next(monkeypatch, house) -> None:
    assert evaluated(monkeypatch, evaluation(), name="first")[0].verdict.promote
    assert would_be(house).error > FIRST


def test_tables_sentences_and_notes_are_printed(monkeypatch) -> None:
    found = replace(evaluation(), notes=("One prompt was left out.",))
    _, printed, _ = evaluated(monkeypatch, found)
    for part in ("release 1", "By pairs the candidate wins some.", "Refusal", "One prompt was left out."):
        assert part in printed


def test_a_group_that_is_served_worse_stops_a_candidate_that_wins_and_is_printed_and_kept(monkeypatch) -> None:
    groups = served([*crowd(6, 9, 3), *crowd(6, 1, 29, "zh")], LIVE)
    made, printed, _ = evaluated(monkeypatch, replace(evaluation(), served=groups))
    assert not made.verdict.promote
    assert "language zh" in printed
    assert "served worse" in printed
    assert "secret-zh" not in printed + json.dumps(made.figures())
    kept = typed(json.loads(json.dumps(plain(summary(made)))), Summary)
    assert kept.served == groups
    assert any("fare worse than with the champion" in reason for reason in kept.verdict.reasons)


def test_the_figures_of_bias_are_explained_where_they_are_printed(monkeypatch) -> None:
    found = evaluation()
    bias = SuitePair("bias_pairs", "Bias: stereotypes", "minus nats", 0.25, (-2.0,) * 24, (-3.0,) * 24)
    figures = {"stereotype likelier (share)": 0.75}
    more = replace(found, suites=(bias,), headlines={"bias_pairs": (figures, figures)})
    _, printed, _ = evaluated(monkeypatch, more)
    assert "This one finds them 3.00 nats apart on average" in printed
    assert "so it refuses the candidate" in printed


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
    assert {suite.name: len(suite.items) for suite in check_suites("quick")} == QUICK
    assert len(check_suites("all")) > len(check_suites("quick"))
    with pytest.raises(BadInput, match="There is no suite 'biass'"):
        check_suites("biass")
    with pytest.raises(BadInput, match=r"--suites quik: expected quick.* Did you mean 'quick'"):
        check_suites("quik")
    with pytest.raises(BadInput, match="--suites: expected"):
        check_suites(",")
    with pytest.raises(BadInput, match="--suites none runs none"):
        check_suites("none", paths={"truthfulness": Path("x.csv")})
