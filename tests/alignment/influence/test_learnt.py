"""What a release learnt from, by the manifests of its round and of those that it continues."""

from pathlib import Path

import pytest

from alignment.influence.learnt import ERASED, OTHERS, learnt, release_of
from alignment.rounds.quick import NOTHING
from data.errors import BadInput, NothingToDo
from data.home_base import HomeBase, write_home_base
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.alignment.influence.rounds import write_round
from tests.alignment.played import collected
from tests.data.old_manifests import write_old


def release(home: Path, round_: int | None, *, start: int = 0, base: str = "tiny", weights: bool = True) -> Path:
    """A release of a round; returns its adapter's folder."""

    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter").mkdir()
        if weights:
            (folder / "adapter" / "adapter_model.safetensors").write_bytes(b"weights")
        return ReleaseManifest(base=base, base_sha256="b" * 64, round=round_, parents={"start": start})

    return Releases(home).create(build).adapter


def test_a_round_of_an_earlier_version_is_understood(tmp_path: Path) -> None:
    write_old("round", tmp_path / "rounds" / "0001" / "manifest.json")
    adapter = release(tmp_path, 1)
    found = learnt(Releases(tmp_path), 1, collected(), ())
    assert [(stage.name, stage.loss, len(stage.rows)) for stage in found.stages] == [
        ("sft", "sft", 6),
        ("dpo", "dpo", 8),
    ]
    # Neither stage's own adapter is there, so both are taken to have moved the weights all the way.
    assert {stage.end for stage in found.stages} == {adapter}
    assert {stage.start for stage in found.stages} == {None}
    assert found.stages[0].settings == {}
    assert not found.missing
    assert not found.notes


def test_a_stage_goes_from_the_adapter_before_it_to_its_own(tmp_path: Path) -> None:
    rows = {"demonstration": ["demonstration-train-0"], "preference": ["preference-train-0", "preference-train-1"]}
    recipe = {"beta": 0.3, "kept_weight": 0.5, "learning_rate": 1e-3, "max_length": 99, "lora_r": 8}
    run = {"figures": {"steps": 6}, "recipe": recipe}
    write_round(tmp_path, 1, rows, ["sft", "dpo"], training={"dpo": run})
    found = collected()
    for each in found.rows:
        each.row.extra["weight"] = 0.5
    made = tmp_path / "rounds" / "0001" / "sft" / "adapter"
    made.mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights")
    adapter = release(tmp_path, 1)
    sft, dpo = learnt(Releases(tmp_path), 1, found, ()).stages
    assert (sft.start, sft.end, dpo.start, dpo.end) == (None, made, made, adapter)
    assert dpo.settings == {"beta": 0.3, "kept_weight": 0.5}
    assert (dpo.max_length, dpo.weight) == (99, pytest.approx(1e-3 * 6 / (2 * 0.5)))


def test_a_loss_of_which_no_gradients_are_known_is_said(tmp_path: Path) -> None:
    rows = {"preference": ["preference-train-0"], "labelled": ["x"], "demonstration": ["demonstration-train-0"]}
    recipes = {
        "sft": {"loss_type": "dft"},
        "dpo": {"loss_type": ["ipo", "sft"], "label_smoothing": 0.1},
        "kto": {"loss_type": "kto", "desirable_weight": 2.0},
    }
    training = {name: {"recipe": recipe} for name, recipe in recipes.items()}
    write_round(tmp_path, 1, rows, ["sft", "dpo", "kto"], training=training)
    release(tmp_path, 1)
    sft, dpo = learnt(Releases(tmp_path), 1, collected(), ()).notes
    assert sft == (
        "The stage sft of round 1 trained with loss_type dft. The gradients here are those of loss_type nll alone, "
        "so the order of its rows is less certain."
    )
    assert "The stage dpo of round 1 trained with loss_type ipo, sft, label_smoothing 0.1. " in dpo
    usual = {"loss_type": ["sigmoid"], "label_smoothing": 0.0, "ld_alpha": None}
    write_round(tmp_path, 2, rows, ["edits"], training={"edits": {"recipe": usual}})
    release(tmp_path, 2)
    assert learnt(Releases(tmp_path), 2, collected(), ()).notes == []


def test_a_quick_round_and_the_release_that_it_continues_are_both_learnt_from(tmp_path: Path) -> None:
    write_round(tmp_path, 1, {"demonstration": ["demonstration-train-0"]}, ["sft"])
    first = release(tmp_path, 1)
    both = {"demonstration": ["demonstration-train-1"], "preference": ["preference-train-3"]}
    write_round(tmp_path, 2, both, ["edits"])
    release(tmp_path, 2, start=1)
    found = learnt(Releases(tmp_path), 2, collected(), ())
    assert [(stage.release, stage.name) for stage in found.stages] == [(1, "sft"), (2, "edits")]
    quick = found.stages[1]
    assert (quick.start, quick.loss) == (first, "dpo")
    # A demonstration is trained over an answer that says nothing, and is still known as what it is in the store.
    assert quick.rows["demonstration", "demonstration-train-1"].data["rejected"][0]["content"] == NOTHING
    assert ("preference", "preference-train-3") in quick.rows
    assert set(found.feedback) == {*found.stages[0].rows, *quick.rows}


def test_rows_that_are_gone_are_counted(tmp_path: Path) -> None:
    ids = ["demonstration-train-0", "was-erased", "was-withdrawn", "so-was-this"]
    write_round(tmp_path, 1, {"demonstration": ids}, ["sft"])
    release(tmp_path, 1)
    found = learnt(Releases(tmp_path), 1, collected(), {"was-erased", "elsewhere"})
    assert found.missing == {ERASED: 1, OTHERS: 2}
    assert [key for stage in found.stages for key in stage.rows] == [("demonstration", "demonstration-train-0")]


def test_what_cannot_be_traced_is_said(tmp_path: Path) -> None:
    release(tmp_path, None)
    write_round(tmp_path, 2, {"demonstration": ["demonstration-train-0"]}, ["sft"])
    by_hand = "Release 1 was made by hand, so what it learnt from is not known."
    release(tmp_path, 2, start=1)
    assert learnt(Releases(tmp_path), 2, collected(), ()).notes == [by_hand]
    release(tmp_path, 3, start=2)  # there is no manifest of round 3
    found = learnt(Releases(tmp_path), 3, collected(), ())
    assert found.notes == [by_hand, "The manifest of round 3, which made release 3, is gone or damaged."]
    assert [stage.release for stage in found.stages] == [2]


def test_pairs_that_the_model_drew_itself_are_not_traced_and_that_is_said(tmp_path: Path) -> None:
    rows = {"preference": ["preference-train-0", "preference-train-1"]}
    recipe = {"online_every": 4, "offline_share": 0.25, "learning_rate": 1e-3}
    run = {"figures": {"steps": 6}, "recipe": recipe}
    write_round(tmp_path, 1, rows, ["reward", "dpo"], training={"dpo": run})
    release(tmp_path, 1)
    found = learnt(Releases(tmp_path), 1, collected(), ())
    (dpo,) = found.stages
    assert dpo.weight == pytest.approx(1e-3 * 6 * 0.25 / 2)
    (note,) = found.notes
    assert "The stage dpo of round 1 drew pairs itself" in note


def test_a_release_whose_parent_is_gone_is_still_asked_about(tmp_path: Path) -> None:
    write_round(tmp_path, 1, {"preference": ["preference-train-0"]}, ["reward", "ppo"])
    release(tmp_path, 1, start=7)
    found = learnt(Releases(tmp_path), 1, collected(), ())
    assert not found.stages
    assert any("The stage ppo of round 1 learnt from the scores of a reward model" in note for note in found.notes)
    assert any("Release 7" in note and "gone" in note for note in found.notes)


def test_releases_that_learnt_from_nothing_here_are_refused(tmp_path: Path) -> None:
    release(tmp_path, None)
    release(tmp_path, 1, weights=False)
    release(tmp_path, 1)
    releases = Releases(tmp_path)
    for number, said in ((0, "the base model has learnt from nobody"), (1, "made by hand"), (2, "a whole model")):
        with pytest.raises(NothingToDo, match=said):
            release_of(releases, number)
    with pytest.raises(BadInput, match="There is no release 9"):
        release_of(releases, 9)
    assert release_of(releases, 3).number == 3
    write_home_base(tmp_path, HomeBase(name="other", sha256="c" * 64))
    with pytest.raises(BadInput, match="belongs to the base model tiny"):
        release_of(releases, 3)
