"""A quick round: what it teaches, that it promotes nothing, and that a kill does not change what it teaches."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import alignment.rounds.one_round
import alignment.rounds.steps
from alignment.evaluation.compare import EvaluationRows
from alignment.evaluation.suites import Suite
from alignment.evaluation.verdict import SHORT, check_suites
from alignment.rounds.evaluation import held_out_answers
from alignment.rounds.plan import read_plan
from alignment.rounds.quick import (
    LEAST_REPLAYED,
    MEASURED_ON,
    MOST_NEW,
    NOTHING,
    not_checked,
    shipped,
    turns,
)
from data.candidates import FOLLOWUP
from data.collected import FeedbackRow
from data.errors import BadInput, NothingToDo
from data.home import installation_key
from data.releases import MINIMUM_PROMPTS, Releases
from data.row import Row
from tests.alignment.played import Played, collected, evaluation, row, rows
from tests.alignment.rounds.test_interrupted import Killed, after, before
from tests.alignment.rounds.test_on_trial import compared, gate

pytestmark = pytest.mark.played

_SHIPPED = {row.id for row in shipped(MEASURED_ON, MEASURED_ON + 1)}


@pytest.fixture
def quick(played: Played) -> Played:
    """A played round of three new corrections, in which nobody judges."""
    played.measured, played.found = evaluation(counts=False), collected({"preference": 3})
    return played


def run(played: Played, *flags: str) -> int:
    return played.round("--quick", *flags)


def never(*_: Any) -> None:
    raise AssertionError("a kill comes before this")


def taught(played: Played) -> list[set[str]]:
    """The ids of the home's own rows that each round trained on; quick ones also repeat the same shipped ones."""
    assert played.trained[-1] >= _SHIPPED
    return [ids - _SHIPPED for ids in played.trained]


def told(played: Played, number: int = 1) -> str:
    return " ".join(played.manifest(number)["decision"]["reasons"])


def test_a_quick_round_neither_teaches_nor_repeats_mended_complaints(quick: Played) -> None:
    mended = row("preference", "mended")
    mended = replace(mended, extra=dict(mended.extra) | {"source": FOLLOWUP})
    quick.found = collected({"preference": 3}, [FeedbackRow(mended, "train", "terminal", ("rater-1",))])
    run(quick)
    assert taught(quick) == [{f"preference-train-{n}" for n in range(3)}]


def test_a_quick_round_trains_corrections_by_their_recipe_and_goes_on_trial(quick: Played) -> None:
    assert run(quick) == 1
    assert quick.stages() == ["edits"]
    (launch,) = quick.launches
    assert (launch[0], Path(quick.flag(launch, "--config")).name) == ("dpo", "edits.yaml")
    assert quick.corrections_train
    assert taught(quick) == [{f"preference-train-{n}" for n in range(3)}]
    releases = Releases(quick.home)
    assert (releases.champion(), releases.candidate()) == (0, 1)
    assert quick.manifest()["canaries"] == []
    assert "This was a quick round. Not checked: whether people or a judge" in told(quick)
    assert "Not checked: the suites instructions, truthfulness, sycophancy, over_refusal" in not_checked("short")


def test_no_trial_where_trials_are_off_and_none_of_what_fell(quick: Played) -> None:
    assert run(quick, "--no_trial") == 1
    assert Releases(quick.home).candidate() is None
    quick.measured, quick.found = evaluation(counts=False, fall=0.3), collected({"preference": 4})
    assert run(quick) == 1
    assert Releases(quick.home).candidate() is None
    assert "On the suite Refusal the candidate is worse" in told(quick, 2)


def test_a_quick_round_promotes_nothing_even_if_somebody_could_judge(quick: Played) -> None:
    quick.measured = evaluation()
    assert run(quick) == 1
    assert Releases(quick.home).champion() == 0


def on_trial(quick: Played, questions: int) -> Releases:
    """Two quick rounds: the first one's release serves, the second one's is on trial, and people compared the two."""
    run(quick)
    releases = Releases(quick.home)
    releases.promote(1)
    quick.found = collected({"preference": 4})
    run(quick)
    assert (releases.champion(), releases.candidate()) == (1, 2)
    compared(quick.home, questions)
    return releases


@pytest.mark.parametrize(
    ("promote", "undecided", "left", "continues"),
    [(True, False, (2, 3), 2), (False, True, (1, 2), 1), (False, False, (1, 3), 1)],
)
def test_the_next_one_decides_the_trial_before_it_trains(
    promote: bool,
    undecided: bool,
    left: tuple[int, int],
    continues: int,
    quick: Played,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    releases = on_trial(quick, MINIMUM_PROMPTS)
    asked = gate(monkeypatch, promote=promote, undecided=undecided)
    quick.found = collected({"preference": 5})
    assert run(quick, "--suites", "short") == 1
    assert [(old.release, new.release) for old, new, *_ in asked] == [(1, 2)]
    assert {suite.name for suite in asked[0][3].suites} >= {"instructions", "truthfulness"}  # a whole round's
    assert (releases.champion(), releases.candidate()) == left
    assert quick.manifest(3)["parents"]["start"] == continues


def test_a_trial_is_decided_although_there_is_nothing_new_to_teach(
    quick: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = on_trial(quick, MINIMUM_PROMPTS)
    gate(monkeypatch, promote=True, undecided=False)
    with pytest.raises(NothingToDo, match=r"nothing new to teach the champion \(release 2\)"):
        run(quick)
    assert (releases.champion(), releases.candidate()) == (2, None)


def test_too_few_comparisons_are_told_and_the_quick_round_goes_on(
    quick: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    releases = on_trial(quick, MINIMUM_PROMPTS - 1)
    asked = gate(monkeypatch, promote=True, undecided=False)
    quick.found = collected({"preference": 5})
    assert run(quick) == 1
    assert asked == []
    assert (releases.champion(), releases.candidate()) == (1, 2)
    assert "Release 2 stays on trial." in " ".join(capsys.readouterr().out.split())
    assert len(taught(quick)[-1]) == 5


def test_the_next_one_continues_the_champion_and_replays_what_it_learnt(
    quick: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    run(quick)
    Releases(quick.home).promote(1)
    with pytest.raises(
        NothingToDo,
        match=r"nothing new to teach the champion \(release 1\).*\(9 are held out for judging\).*Correct an",
    ):
        run(quick)
    quick.found = collected({"preference": 4})
    assert run(quick) == 1
    assert taught(quick)[-1] == {f"preference-train-{n}" for n in range(4)}
    assert quick.flag(quick.launches[-1], "--model_name_or_path").endswith("0001/adapter")
    said = capsys.readouterr().out
    assert "A quick round: 1 new correction or comparison to teach, 3 from before to repeat" in " ".join(said.split())
    assert quick.manifest(2)["parents"]["start"] == 1


def test_what_a_round_of_an_earlier_version_taught_is_not_new(quick: Played) -> None:
    run(quick)
    Releases(quick.home).promote(1)
    manifest = quick.manifest()
    del manifest["used"], manifest["taught"], manifest["learns"]
    (quick.home / "rounds" / "0001" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(NothingToDo, match=r"nothing new to teach the champion \(release 1\)"):
        run(quick)


def test_what_the_last_quick_round_taught_without_success_is_not_taught_again(quick: Played) -> None:
    run(quick)
    with pytest.raises(NothingToDo, match="There is nothing new to learn: round 1 trained on these very rows"):
        run(quick)


def with_imported(quick: Played, preferences: int) -> None:
    """New preferences, and forty imported rows, of which a quick round replays a part."""
    imported = rows("demonstration", "train", 40)
    for each in imported:
        each.row.extra["source"] = "somewhere"
    quick.found = collected({"preference": preferences}, imported)


def replayed(quick: Played) -> set[str]:
    return {each for each in taught(quick)[-1] if each.startswith("demonstration")}


def test_what_is_replayed_is_drawn_anew_by_the_key_in_each_round(quick: Played) -> None:
    found, drawn = [], []
    for number, preferences in ((1, 3), (2, 4)):
        with_imported(quick, preferences)
        run(quick)
        found.append(replayed(quick))
        before = quick.found.of("demonstration", "train")
        drawn += [
            {each.id for each in sorted(before, key=turns(key, number))[:LEAST_REPLAYED]}
            for key in (installation_key(quick.home), b"another home's")
        ]
    assert found == [drawn[0], drawn[2]]
    assert len({*map(frozenset, drawn)}) == 4


def test_a_quick_round_that_is_begun_again_replays_the_same(quick: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    with_imported(quick, 3)
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "_note_start", never)
        with pytest.raises(AssertionError):
            run(quick)
    stopped = set(quick.manifest()["rows"]["demonstration"])
    manifest = quick.manifest() | {"status": "stopped"}
    (quick.home / "rounds" / "0001" / "manifest.json").write_text(json.dumps(manifest))
    run(quick)  # a round that was stopped reads its rows again
    assert replayed(quick) == stopped
    assert len(stopped) == LEAST_REPLAYED


def test_new_draws_of_old_rows_alone_make_no_new_round(quick: Played) -> None:
    with_imported(quick, 3)
    run(quick)
    with pytest.raises(NothingToDo, match="There is nothing new to learn: round 1 trained on these very rows"):
        run(quick)


def test_imported_rows_are_no_news(quick: Played) -> None:
    imported = rows("preference", "train", 5)[3:]
    for each in imported:
        each.row.extra["source"] = "somewhere"
    quick.found = collected({}, imported)
    with pytest.raises(NothingToDo, match=r"nothing new to teach the champion \(base model\)"):
        run(quick)
    quick.found = collected({"preference": 3}, imported)
    run(quick)
    assert len(taught(quick)[0]) == 5  # they are replayed


def test_a_correction_without_a_pair_is_taught_too_and_one_with_a_pair_once(quick: Played) -> None:
    pair = row("preference", "both")
    whole = row("demonstration", "both")  # the same prompt and answer
    whole.data.update(messages=[*pair.data["prompt"], *pair.data["chosen"]])
    alone = row("demonstration", "alone")
    quick.found = collected(
        {}, [FeedbackRow(each, "train", "terminal", ("rater-1",)) for each in (pair, whole, alone)]
    )
    assert run(quick) == 1
    assert [
        (each.data["chosen"][0]["content"], each.data["rejected"][0]["content"])
        for each in quick.read["--dataset_name"]
        if each.id not in _SHIPPED
    ] == [("secret good both", "secret bad both"), ("secret good alone", NOTHING)]
    manifest = quick.manifest()
    assert manifest["used"] == {"preference": 1, "demonstration": 1}
    assert manifest["rows"] == {"preference": [pair.id], "demonstration": [alone.id]}
    # A correction counts as one, although its demonstration is not among the rows.
    assert (manifest["taught"]["corrections"], manifest["taught"]["comparisons"]) == (2, 0)


def test_a_shipped_answer_that_this_home_holds_out_is_not_repeated(quick: Played) -> None:
    one, *others = shipped(MEASURED_ON, MEASURED_ON + 1)
    quick.found = collected({"preference": 3}, [FeedbackRow(one, "gate", "terminal")])
    assert run(quick) == 1
    assert quick.trained[0] - {f"preference-train-{n}" for n in range(3)} == {each.id for each in others}
    assert quick.manifest()["taught"]["imported"] == 0


def test_the_people_it_learnt_from_are_those_of_its_rows(quick: Played) -> None:
    known = [FeedbackRow(row("preference", "new"), "train", "terminal", ("rater-2",))]
    others = [
        FeedbackRow(row("labelled", "up"), "train", "terminal", ("rater-3",)),
        *rows("demonstration", "gate", 2),
    ]
    quick.found = collected({}, [*known, *others])
    run(quick)
    assert quick.manifest()["raters"] == ["rater-2"]


def test_whoever_corrects_a_lot_does_not_keep_the_others_waiting(quick: Played) -> None:
    many = rows("preference", "train", 3 * MOST_NEW)
    few = [FeedbackRow(row("preference", f"few-{n}"), "train", "terminal", (f"rater-{2 + n}",)) for n in range(8)]
    quick.found = collected({}, [*many, *few])
    run(quick)
    assert len(taught(quick)[0]) == MOST_NEW
    assert {each.row.id for each in few} < taught(quick)[0]


def test_too_many_at_once_wait_for_a_whole_round(quick: Played, capsys: pytest.CaptureFixture[str]) -> None:
    quick.found = collected({"preference": MOST_NEW + 2})
    run(quick)
    assert len(taught(quick)[0]) == MOST_NEW
    assert "2 more are new and wait for a whole round" in capsys.readouterr().out


@pytest.mark.parametrize("kill", [before, after])
def test_a_quick_round_that_was_killed_goes_on_with_its_rows(
    quick: Played, monkeypatch: pytest.MonkeyPatch, kill: Any
) -> None:
    where, name = (alignment.rounds.steps, "launch") if kill is before else (alignment.rounds.one_round, "export")
    with monkeypatch.context() as patch:
        patch.setattr(where, name, kill(getattr(where, name)))
        with pytest.raises(Killed):
            run(quick)
    quick.found = collected({"preference": 3}, rows("preference", "train", 9)[5:])
    assert run(quick) == 1
    assert taught(quick) == [{f"preference-train-{n}" for n in range(3)}]
    assert [release.number for release in Releases(quick.home).all()] == [1]
    assert Releases(quick.home).candidate() == 1


def test_flags_that_mean_nothing_in_a_quick_round_are_refused(tmp_path: Path) -> None:
    recipe = tmp_path / "sft.yaml"
    recipe.touch()
    for flags, named in (
        (["--algorithm", "ppo"], "--algorithm ppo"),
        (["--sft_config", str(recipe)], "--sft_config"),
        (["--max_prompts", "3"], "--max_prompts"),
        (["--skip_sft"], "--skip_sft"),
    ):
        with pytest.raises(BadInput, match=f"so {named} has no effect"):
            read_plan(["--quick", *flags])
    plan = read_plan(["--quick", "--from", "base", "--suites", "all", "--max_preferences", "5"])
    assert (plan.start, plan.suites, plan.limits["preference"]) == ("base", "all", 5)


def test_rounds_from_before_quick_ones_have_the_same_plan() -> None:
    assert "quick" not in read_plan([]).facts()
    assert read_plan(["--quick"]).facts()["quick"]


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


@pytest.mark.parametrize(("held_out", "evaluations"), [(20, 1), (21, 2)])
def test_held_out_answers_are_one_suite_and_measured_anew_only_when_they_changed(
    quick: Played, monkeypatch: pytest.MonkeyPatch, held_out: int, evaluations: int
) -> None:
    quick.found = collected({"preference": 3}, rows("demonstration", "gate", 20))
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "release", before(never))
        with pytest.raises(Killed):
            run(quick)
    quick.found = collected({"preference": 3}, rows("demonstration", "gate", held_out))
    run(quick)
    assert len(quick.asked) == evaluations
    _, _, measured, options, *_ = quick.asked[-1]
    assert measured == EvaluationRows()
    assert [(suite.name, len(suite.items)) for suite in options.suites] == [("held_out", held_out)]


def test_a_quick_round_that_was_killed_begins_anew_when_another_release_serves_by_now(
    quick: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(quick)
    quick.found = collected({"preference": 4})
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "export", before(never))
        with pytest.raises(Killed):
            run(quick)
    Releases(quick.home).promote(1)
    run(quick)
    assert quick.manifest(2)["learns"]["champion"] == 1
    assert quick.manifest(2)["parents"]["start"] == 1
    assert len(taught(quick)[-1]) == 4


def test_a_quick_round_never_goes_on_with_the_rows_of_a_whole_one(
    quick: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill may come after the quick plan was noted and before its rows were."""
    quick.found = collected({"preference": MOST_NEW + 2})
    with monkeypatch.context() as patch:
        patch.setattr(alignment.rounds.one_round, "export", before(never))
        with pytest.raises(Killed):
            quick.round()
        patch.setattr(alignment.rounds.one_round, "taught", before(never))
        with pytest.raises(Killed):
            run(quick)
    run(quick)
    assert len(taught(quick)[-1]) == MOST_NEW
