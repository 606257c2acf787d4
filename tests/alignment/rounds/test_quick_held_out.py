"""What a quick round is measured on: the short gate, and held-out answers, shipped ones where people left few."""

from dataclasses import replace

import pytest

import alignment.rounds.one_round
from alignment.evaluation.compare import EvaluationRows
from alignment.evaluation.suites import Suite
from alignment.evaluation.verdict import SHORT, check_suites
from alignment.rounds.evaluation import EACH, held_out_answers
from alignment.rounds.quick import MEASURED_ON, shipped
from data.collected import FeedbackRow
from data.releases import Releases
from data.row import Row
from tests.alignment.played import Played, collected, row, rows
from tests.alignment.rounds.test_interrupted import Killed, before
from tests.alignment.rounds.test_quick import never, run, told

pytestmark = pytest.mark.played


def test_the_short_gate_has_its_suites_and_not_all_of_their_items() -> None:
    suites = check_suites("short", [])
    assert [suite.name for suite in suites] == ["refusal", "forgetting", "degenerate"]  # no canaries: no leakage
    assert all(len(suite.items) <= (SHORT[suite.name] or 99) for suite in suites)


def test_shipped_answers_are_held_out_where_people_left_few() -> None:
    few, many = [row("demonstration", f"d{n}") for n in range(2)], [row("demonstration", f"d{n}") for n in range(20)]
    never_trained = lambda _: False  # noqa: E731 - shorter than a function
    assert held_out_answers(many, never_trained) == (many, 0)
    more, left_out = held_out_answers(few, never_trained)
    assert (len(more), left_out) == (2 + len(shipped(0, MEASURED_ON)), 0)
    assert {each.extra.get("language") for each in held_out_answers([], never_trained)[0]} == {"en", "zh"}


def imported(row: Row, fold: str = "train", name: str | None = None) -> FeedbackRow:
    """A shipped row as an import brings it: with its persona's system prompt."""
    system = {"role": "system", "content": "You are helpful."}
    extra = dict(row.extra) | {"source": "seed", "id": name or row.id}
    return FeedbackRow(Row("demonstration", {"messages": [system, *row.data["messages"]]}, extra), fold, "import")


def measured_on(quick: Played) -> dict[str, Suite]:
    return {suite.name: suite for suite in quick.asked[-1][3].suites}


def test_shipped_answers_that_train_here_measure_nothing_and_the_round_says_so(quick: Played) -> None:
    ours = shipped(0, MEASURED_ON)
    trains, judges = ours[:10], ours[10:12]
    found = [
        *(imported(row, name=f"copy of {row.id}") for row in trains),
        *(imported(row, "judge") for row in judges),
    ]
    quick.found = collected({"preference": 3}, found)
    run(quick)
    suite = measured_on(quick)["held_out"]
    assert {item.id for item in suite.items} == {row.id for row in ours[10:]}
    assert suite.notes == (
        "Of the shipped held-out answers, 10 are left out: this home has imported them and may have trained on them.",
    )


def test_shipped_answers_that_trained_the_champion_and_were_removed_since_are_known_by_their_ids(
    quick: Played,
) -> None:
    first = shipped(0, MEASURED_ON)[0]
    quick.found = collected({"preference": 3}, [imported(first)])
    run(quick)
    Releases(quick.home).promote(1)
    quick.found = collected({"preference": 4})
    run(quick)
    assert first.id not in {item.id for item in measured_on(quick)["held_out"].items}


def test_too_few_held_out_answers_say_that_they_cannot_tell(
    quick: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = shipped(0, MEASURED_ON)
    quick.found = collected({"preference": 3}, map(imported, ours[:-7]))
    run(quick)
    assert "held_out" not in measured_on(quick)
    sentence = "Held-out answers cannot tell whether anything was lost: there are 7, and it takes 8."
    assert sentence in told(quick)
    assert sentence in " ".join(capsys.readouterr().out.split())
    assert Releases(quick.home).candidate() == 1


def test_a_shipped_answer_that_is_held_out_here_under_its_persona_is_not_repeated(quick: Played) -> None:
    one, *others = shipped(MEASURED_ON, MEASURED_ON + 1)
    quick.found = collected({"preference": 3}, [imported(one, "gate")])
    run(quick)
    assert quick.trained[0] - {f"preference-train-{n}" for n in range(3)} == {each.id for each in others}


def held_out_by_many(count: int) -> list[FeedbackRow]:
    """Held-out demonstrations, each by somebody else."""
    found = rows("demonstration", "gate", count)
    return [replace(each, raters=(f"rater-{at}",)) for at, each in enumerate(found)]


def test_somebody_who_corrects_a_lot_does_not_decide_alone_what_got_worse(quick: Played) -> None:
    """Else nonsense of one account could hide what others lose, or refuse every release."""
    theirs, others = rows("demonstration", "gate", 500), held_out_by_many(5)
    others = [replace(each, row=row("demonstration", f"of-others-{at}")) for at, each in enumerate(others)]
    theirs = [replace(each, raters=("rater-x",)) for each in theirs]
    quick.found = collected({"preference": 3}, [*theirs, *others])
    run(quick)
    asked = [item.id for item in measured_on(quick)["held_out"].items]
    assert sum(each.startswith("demonstration-gate") for each in asked) == EACH
    assert sum(each.startswith("of-others") for each in asked) == 5
    assert len(asked) > EACH + 5  # that is few, so shipped answers are asked as well


@pytest.mark.parametrize(("held_out", "evaluations"), [(20, 1), (21, 2)])
def test_held_out_answers_are_one_suite_and_measured_anew_only_when_they_changed(
    quick: Played, monkeypatch: pytest.MonkeyPatch, held_out: int, evaluations: int
) -> None:
    quick.found = collected({"preference": 3}, held_out_by_many(20))
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "release", before(never))
        with pytest.raises(Killed):
            run(quick)
    quick.found = collected({"preference": 3}, held_out_by_many(held_out))
    run(quick)
    assert len(quick.asked) == evaluations
    _, _, measured, options, *_ = quick.asked[-1]
    assert measured == EvaluationRows()
    assert [(suite.name, len(suite.items)) for suite in options.suites] == [("held_out", held_out)]
