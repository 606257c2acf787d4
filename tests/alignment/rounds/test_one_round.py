"""A round with played stages: what it makes, decides and prints."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

import alignment.rounds.conclusion
from alignment.evaluation.people import NOBODY, Standing
from alignment.evaluation.subjects import planted_canaries, subject
from alignment.evaluation.suites.canaries import COUNT, canaries, canary_ids
from alignment.evaluation.winrate import Comparison
from alignment.rounds.lineage import left_sentences
from alignment.rounds.manifest import Parents, RoundManifest
from data.collected import FeedbackRow
from data.database import NAME
from data.error_budget import name_of, share, stake, would_be
from data.errors import NothingToDo
from data.home import installation_key
from data.minimums import JUDGE_PAIRS
from data.releases import Releases
from tests.alignment.played import FOLDS, Played, collected, evaluation, row, rows

pytestmark = pytest.mark.played


def test_a_better_candidate_becomes_the_champion_and_the_manifest_says_how(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert played.round() == 0
    assert Releases(played.home).champion() == 1
    assert played.stages() == ["sft", "dpo"]
    assert played.flag(played.launches[0], "--model_name_or_path") == "smollm2-135m"
    assert played.flag(played.launches[1], "--model_name_or_path").endswith("0001/sft/adapter")
    manifest = played.manifest()
    assert manifest["status"] == "promoted"
    assert manifest["parents"] == {"base": "smollm2-135m", "champion": 0, "start": 0, "ancestors": []}
    assert manifest["counts"]["preference"] == {"train": 8, "judge_train": 8, "judge": 8, "gate": 8}
    assert manifest["used"] == {"demonstration": 6, "preference": 8}
    assert sum(manifest["taught"][each] for each in ("corrections", "comparisons", "imported")) == 14
    assert manifest["versions"]["python"]
    assert set(manifest["data"]) == {"demonstration", "preference", "labelled", "prompt"}
    assert manifest["raters"] == ["rater-1"]
    assert "wins 75 %" in manifest["decision"]["reasons"][0]
    assert Releases(played.home).get(1).manifest.figures["decisive"] == "people, held-out pairs"
    folder = played.home / "rounds" / "0001"
    assert (folder / "report.html").stat().st_mode & 0o077 == 0
    assert (folder / "evaluation.json").stat().st_mode & 0o077 == 0
    assert [path for path in folder.rglob("*.jsonl") if path.name != "metrics.jsonl"] == []
    words = [path for path in folder.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]
    assert words == []
    assert "secret" not in capsys.readouterr().out


def test_a_candidate_that_is_not_better_or_fell_stays_a_release_and_the_champion_serves(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.measured = evaluation(wins=31, losses=29)
    assert played.round() == 1
    assert Releases(played.home).champion() == 0
    assert [release.number for release in Releases(played.home).all()] == [1]
    assert played.manifest()["status"] == "refused"
    assert "python -m alignment.promote 1" in capsys.readouterr().out
    played.found = collected({"demonstration": 7})
    played.measured = evaluation(wins=58, losses=2, fall=0.2)
    assert played.round() == 1
    assert "On the suite Refusal" in played.manifest(2)["reason"]
    assert Releases(played.home).candidate() == 1  # a candidate that fell is not put on trial


def test_only_people_whose_rows_trained_count_among_those_it_learnt_from(played: Played) -> None:
    others = [
        *(FeedbackRow(row("preference", f"{fold}-2"), fold, "terminal", ("rater-2",)) for fold in FOLDS[1:]),
        FeedbackRow(row("labelled", "one thumb"), "train", "terminal", ("rater-3",)),  # too few for KTO
        FeedbackRow(row("preference", "by two"), "train", "terminal", ("rater-4", "rater-5")),
    ]
    played.found = collected({"demonstration": 6, "preference": JUDGE_PAIRS}, others)
    assert played.round() == 0
    assert "judge" in played.stages()
    assert played.manifest()["raters"] == ["rater-1", "rater-4", "rater-5"]


async def said_something(*_: int) -> tuple[list[Comparison], Standing]:
    return [Comparison("a prompt", 1.0, 10, 10, "ada")], NOBODY


def test_a_candidate_that_may_be_better_goes_on_trial_unless_trials_are_off(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    played.measured = evaluation(wins=31, losses=29)
    assert played.round("--no_trial") == 1
    assert Releases(played.home).candidate() is None
    played.found = collected({"demonstration": 7})
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2
    monkeypatch.setattr(alignment.rounds.conclusion, "live", said_something)
    played.found = collected({"demonstration": 9})
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2  # its comparisons are kept
    played.found = collected({"demonstration": 8})
    played.measured = evaluation(wins=2, losses=58)  # worse, so it is not put on trial
    assert played.round() == 1
    assert Releases(played.home).candidate() == 2


def test_without_evidence_people_decide_and_are_told_how(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    played.measured = evaluation(counts=False)
    assert played.round() == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "on trial" in printed
    assert "python -m alignment.rollback --trial" in printed
    assert "python -m alignment.promote 1" in printed
    assert played.manifest()["decision"]["people"] is True
    assert "By pairs the candidate wins some" in played.manifest()["reason"]


def test_no_row_of_the_gate_reaches_a_stage_and_the_judges_rows_reach_the_judge_only(played: Played) -> None:
    played.found = collected({"demonstration": 5, "preference": JUDGE_PAIRS, "labelled": 40, "prompt": 5})
    for algorithm in ("auto", "online-dpo", "ppo"):
        played.launches.clear()
        played.read.clear()
        played.trained.clear()
        played.round("--algorithm", algorithm)
        gate = {each.row.id for each in played.found.rows if each.fold == "gate"}
        seen = {each.id for read in played.read.values() for each in read}
        assert seen
        assert not seen & gate
        for launch, trained in zip(played.launches, played.trained, strict=True):
            folds = {name.split("-")[1] for name in trained}
            judge = played.flag(launch, "--output_dir").endswith("judge")
            assert folds == ({"judge_train"} if judge else {"train"})
    assert played.stages() == ["sft", "reward", "ppo", "judge"]
    assert played.asked[-1][2].judge_model.name == "reward"
    assert {each.id.split("-")[1] for each in played.asked[-1][2].prompts} == {"gate"}


def test_semi_online_dpo_gets_its_recipe_the_reward_model_and_the_prompts(played: Played) -> None:
    played.found = collected({"preference": 8, "prompt": 5})
    played.round("--algorithm", "online-dpo", "--from", "base")
    assert played.stages() == ["reward", "dpo"]
    _, dpo = played.launches
    assert Path(played.flag(dpo, "--config")).name == "online.yaml"
    assert Path(played.flag(dpo, "--reward_model")).parts[-2:] == ("reward", "reward")
    assert {each.kind for each in played.read["--prompts"]} == {"prompt"}
    assert played.manifest()["used"] == {"preference": 16, "prompt": 13}
    with pytest.raises(NothingToDo, match="trained on these very rows"):
        played.round("--algorithm", "online-dpo", "--from", "base")
    played.found = collected({"preference": 8, "prompt": 6})
    played.round("--algorithm", "online-dpo", "--from", "base")
    assert len(played.launches) == 4


def test_secrets_are_planted_in_the_first_stage_that_learns_texts_and_asked_for(played: Played) -> None:
    played.found = collected({"demonstration": 10 * COUNT, "preference": 8})
    assert played.round("--suites", "leakage") == 0
    made = {each.id for each in played.read["--dataset_name"] if each.extra.get("source") == "canary"}
    assert len(made) == COUNT
    assert set(played.manifest()["canaries"]) == made
    first, second = played.trained
    assert made <= first
    assert not made & second
    assert Releases(played.home).get(1).manifest.canaries == COUNT
    (suite,) = played.asked[-1][3].suites
    # The rows are in English, so the secrets are, too.
    secrets = canaries(installation_key(played.home), canary_ids(COUNT, ["en"]))
    assert list(suite.items) == secrets == planted_canaries(played.home, subject("1", "smollm2-135m", played.home))
    assert not any(secret.secret in str(played.manifest()) for secret in secrets)


def test_the_round_and_its_report_say_how_far_it_is_to_each_verdict(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert played.round() == 0
    far, following = played.manifest()["distance"]
    assert far.startswith(f"How far to a verdict: 8 of 20 held-out prompts, 8 of {JUDGE_PAIRS} pairs for a judge")
    assert following.startswith("Next: ")
    assert far in " ".join(capsys.readouterr().out.split())


def test_few_rows_get_no_secrets_and_a_sentence_says_so(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    assert played.round("--suites", "leakage") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "No made-up secrets are planted, and the suite leakage is left out: sft has 6 rows" in printed
    assert played.manifest()["canaries"] == []
    assert played.asked[-1][3].suites == []


def test_a_stage_holds_out_nothing_beside_the_folds(played: Played) -> None:
    """What it measures while it trains are rows of the judge's fold; without those it trains on all its rows."""
    more = [each for fold in ("train", "gate") for each in rows("preference", fold, 8)]
    played.found = collected({"demonstration": 6}, more)
    assert played.round() == 0
    sft, dpo = played.launches
    assert "--eval_dataset_name" in sft
    assert "--eval_fraction" not in sft
    assert played.flag(dpo, "--eval_fraction") == "0"
    assert played.flag(dpo, "--eval_strategy") == "no"
    assert "--eval_dataset_name" not in dpo


@pytest.mark.parametrize(
    "flags", [("--canaries", "0"), ("--suites", "degenerate"), ("--algorithm", "ppo", "--skip_sft")]
)
def test_without_planted_secrets_no_suite_asks_for_them(played: Played, flags: tuple[str, ...]) -> None:
    played.found = collected({"demonstration": 100, "preference": 100, "prompt": 5})
    played.round("--suites", "leakage,degenerate", *flags)
    assert all(each.extra.get("source") != "canary" for each in played.read["--dataset_name"])
    assert [suite.name for suite in played.asked[-1][3].suites] == ["degenerate"]
    assert played.manifest()["canaries"] == []


def test_with_nothing_new_there_is_no_new_round_and_with_new_rows_there_is(played: Played) -> None:
    assert played.round() == 0
    for _ in range(2):
        with pytest.raises(NothingToDo, match="round 1 trained on these very rows"):
            played.round()
    assert len(played.launches) == 2
    played.found = collected({"demonstration": 7})
    assert played.round() == 0
    assert played.manifest(2)["status"] == "promoted"
    assert played.manifest(2)["parents"]["champion"] == 1
    assert not (played.home / "rounds" / "0003").exists()


def test_rows_that_no_stage_reads_do_not_start_a_new_round(played: Played) -> None:
    """On a living server people talk all the time; DPO learns nothing from a question or a thumb."""
    assert played.round("--algorithm", "dpo") == 0
    played.found = collected(more=[*rows("prompt", "train", 3), *rows("labelled", "train", 40)])
    with pytest.raises(NothingToDo, match="round 1 trained on these very rows"):
        played.round("--algorithm", "dpo")


def test_each_refusal_asks_the_next_candidate_for_more_and_a_promotion_hands_its_share_on(played: Played) -> None:
    played.measured = evaluation(wins=30, losses=30)
    for number in (1, 2, 3):
        played.found = collected({"demonstration": number})
        assert played.round() == 1
        assert stake(played.home, name_of(None, number, 0)).number == number
    played.found = collected({"demonstration": 4})
    played.measured = evaluation(wins=50, losses=10)
    assert played.round() == 0
    played.found = collected({"demonstration": 5})
    assert played.round() == 0
    last = stake(played.home, name_of(None, 5, 4))  # another champion
    assert last.error == pytest.approx(share(4) + share(5))
    assert last.spent == pytest.approx(share(1) + share(2) + share(3))
    assert would_be(played.home).number == 6


def _parents(folder: Path) -> Parents:
    found = RoundManifest.load(folder / "manifest.json").parents
    assert found is not None
    return found


def test_a_champion_that_learnt_from_somebody_who_left_is_named(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    played.round()
    trained = sorted(played.trained[0])
    with contextlib.closing(sqlite3.connect(played.home / NAME)) as connection, connection:
        connection.execute(
            "INSERT INTO tombstones (kind, ref_hash, reason) VALUES ('row', ?, 'forgotten')", (trained[0],)
        )
    played.found = collected({"demonstration": 7})
    capsys.readouterr()
    assert played.round("--from", "champion") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "continues the weights of release 1, which learnt from somebody who has left since" in said
    assert played.manifest(2)["parents"]["left"] == [1]
    assert left_sentences(_parents(played.home / "rounds" / "0002"))
    played.found = collected({"demonstration": 8})
    played.round()  # from the base: free of it, and compared with a champion that is not
    said = " ".join(capsys.readouterr().out.split())
    assert "The champion, release 2, learnt from somebody who has left since." in said
    assert "continues the weights" not in said


def test_from_champion_continues_its_adapter(played: Played) -> None:
    played.round()
    played.launches.clear()
    played.found = collected({"demonstration": 7})
    assert played.round("--from", "champion") == 0
    assert played.flag(played.launches[0], "--model_name_or_path").endswith("releases/0001/adapter")
    assert played.manifest(2)["parents"] == {"base": "smollm2-135m", "champion": 1, "start": 1, "ancestors": []}
    played.found = collected({"demonstration": 8})
    played.round("--from", "champion")
    assert played.manifest(3)["parents"]["ancestors"] == [1]
