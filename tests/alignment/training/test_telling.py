"""What a stage prints while it trains and at its end, and which layers it adapts."""

import pytest

from alignment.training.errors import Diverged
from alignment.training.policy import adapted_layers
from alignment.training.progress import ShownLoss, check_held_out_figures
from alignment.training.telling import worse
from data.errors import BadInput

pytestmark = pytest.mark.tiny


def test_the_loss_on_the_screen_says_over_how_many_steps_it_is_averaged():
    shown = ShownLoss()
    assert shown.add(1, 4.0) == "4.000"
    assert shown.add(2, 2.0) == "3.000 (mean of 2 steps)"
    for step in range(3, 30):
        text = shown.add(step, 1.0)
    assert text == "1.000 (mean of 10 steps)"
    rare = ShownLoss()
    assert rare.add(5, 4.0) == "4.000 (mean of 5 steps)"
    assert rare.add(10, 2.0) == "3.000 (mean of 10 steps)"


def test_a_held_out_loss_that_got_worse_is_said_in_words():
    assert worse("sft", {"loss": 2.0}, {"loss": 1.9}) is None
    assert worse("ppo", {"loss": 2.0}, {"loss": 3.0}) is None
    assert worse("sft", {}, {}) is None
    sentence = worse("dpo", {"loss": 0.6931}, {"loss": 0.75})
    assert str(sentence).startswith("dpo: the loss on held-out rows got worse, from 0.6931 to 0.7500.")


def test_a_held_out_loss_that_is_not_finite_ends_the_stage():
    check_held_out_figures({"eval_loss": 1.0, "eval_rewards/chosen": float("nan")}, 3)
    with pytest.raises(Diverged, match="held-out loss is inf after step 3"):
        check_held_out_figures({"eval_loss": float("inf")}, 3)
    with pytest.raises(BadInput, match="before the first step: the weights of the base"):
        check_held_out_figures({"eval_loss": float("nan")}, 0)


LINEAR = {f"model.layers.{n}.self_attn.{name}" for n in (0, 1) for name in ("q_proj", "v_proj")} | {"lm_head"}


@pytest.mark.parametrize(
    ("asked", "adapted"),
    [
        (None, "all-linear"),
        ("all-linear", "all-linear"),
        ("q_proj", ["q_proj"]),  # what TRL makes of a list of one
        (["v_proj", "q_proj"], ["q_proj", "v_proj"]),
        ("self_attn.q_proj", ["self_attn.q_proj"]),
        (r".*\.1\..*_proj", r".*\.1\..*_proj"),
    ],
)
def test_targets_are_names_of_layers_or_an_expression(asked, adapted):
    assert adapted_layers(asked, LINEAR, "base") == adapted


@pytest.mark.parametrize("asked", ["q_prj", "proj", "self_attn", ["q_proj", "o_proj"], "*", ".*", "q_proj,v_proj"])
def test_targets_that_match_no_layer_or_the_head_are_refused(asked):
    with pytest.raises(BadInput, match=r"base has no linear layer .*; it has q_proj, v_proj\."):
        adapted_layers(asked, LINEAR, "base")
