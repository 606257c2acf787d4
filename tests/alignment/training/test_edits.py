"""DPO as corrections are trained: demonstration, preference and the edit in one loss, on a tiny base."""

import math

import pytest
import torch

from alignment.training.edits import demonstration_loss, token_weights
from alignment.training.preflight import loss_at_reference
from alignment.training.recipe import RECIPES
from alignment.training.trainers import Dpo
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.running import built, dying, losses, metrics, train, weights

pytestmark = pytest.mark.tiny

EDITS = {"demonstration_weight": 0.5, "kept_weight": 0.25}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("llama", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Sixteen corrections, each of a few words of an answer."""
    pairs = tiny.preferences(16)
    for number, pair in enumerate(pairs):
        pair["chosen"][0]["content"] = f"Little and often, never let the pot {number} stand in water. Thank you."
        pair["rejected"][0]["content"] = f"No, never let the pot {number} stand in wine. Thank you." + " Hm." * (
            number % 3
        )
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", pairs)


def preference_losses(out):
    return [entry["loss/preference"] for entry in metrics(out) if "loss/preference" in entry]


def test_the_preference_starts_at_the_reference_and_both_parts_fall(base, rows, tmp_path):
    run = train("dpo", base, rows, tmp_path / "out", num_train_epochs=4, eval_fraction=0.25, **EDITS)
    assert preference_losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-4)
    before, after = run["figures"]["eval_before"], run["figures"]["eval_after"]
    assert before["loss/preference"] == pytest.approx(math.log(2), abs=1e-4)
    assert before["loss"] == pytest.approx(before["loss/preference"] + 0.5 * before["loss/demonstration"], abs=1e-3)
    for part in ("loss/preference", "loss/demonstration"):
        assert after[part] < before[part]


@pytest.mark.long
def test_how_a_batch_is_cut_changes_nothing(base, rows, tmp_path):
    for name, size, steps in (("one", 1, 8), ("eight", 8, 1)):
        cut = {"per_device_train_batch_size": size, "gradient_accumulation_steps": steps}
        train("dpo", base, rows, tmp_path / name, eval_fraction=0, **cut, **EDITS)
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "eight"), abs=1e-4)


@pytest.mark.long
def test_an_interrupted_run_ends_with_the_same_weights(base, rows, tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    train("dpo", base, rows, whole, save_steps=2, **EDITS)
    with dying(Dpo, at=6):
        train("dpo", base, rows, stopped, save_steps=2, **EDITS)
    assert train("dpo", base, rows, stopped, save_steps=2, **EDITS)["figures"]["resumed_from_step"] == 4
    assert losses(stopped) == losses(whole)
    resumed, through = weights(stopped / "adapter"), weights(whole / "adapter")
    assert all(torch.equal(resumed[name], through[name]) for name in through)


def test_the_loss_at_the_reference_is_checked_with_the_demonstrations_part(base, rows, tmp_path, monkeypatch):
    trainer, _ = built("dpo", base, rows, tmp_path / "out", **EDITS)
    assert loss_at_reference(trainer) > math.log(2)
    seen = Dpo._compute_loss
    monkeypatch.setattr(Dpo, "_compute_loss", lambda self, *given: seen(self, *given) + 0.01)
    with pytest.raises(Exception, match="where policy and reference agree"):
        loss_at_reference(trainer)


def test_the_shipped_recipe_of_corrections_trains(base, rows, tmp_path):
    given = {"num_train_epochs": 1, "learning_rate": None, "save_steps": None, "eval_fraction": None}
    run = train("dpo", base, rows, tmp_path / "out", config=RECIPES / "edits.yaml", **given)
    assert preference_losses(tmp_path / "out")[0] == pytest.approx(math.log(2), abs=1e-4)
    assert 0 < run["recipe"]["kept_weight"] < 1
    assert run["recipe"]["demonstration_weight"] > 0


@pytest.mark.parametrize("setting", [{"kept_weight": 0.5}, {"demonstration_weight": 1}])
def test_the_edit_needs_the_references_pass(setting, base, rows, tmp_path):
    with pytest.raises(BadInput, match="they need precompute_ref_log_probs true"):
        train("dpo", base, rows, tmp_path / "out", precompute_ref_log_probs="false", **setting)


def test_the_weights_are_of_answers_alone_and_lower_where_tokens_were_kept():
    # The prompt is 7 7; the answers are 1 2 3 4 5 and 1 2 3 4 6 8, the first one padded.
    ids = torch.tensor([[7, 7, 1, 2, 3, 4, 5, 0], [7, 7, 1, 2, 3, 4, 6, 8]])
    completion = torch.tensor([[0, 0, 1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1, 1, 1]])
    found = token_weights(ids, completion, 0.25)
    assert found.tolist() == [[0, 0.25, 0.25, 0.25, 0.25, 1, 0], [0, 0.25, 0.25, 0.25, 0.25, 1, 1]]
    log_probs = torch.tensor([[9.0, -1, -1, -1, -1, -3, 9], [9.0] * 7])
    assert float(demonstration_loss(log_probs, found)) == pytest.approx((4 * 0.25 + 3) / 2)
