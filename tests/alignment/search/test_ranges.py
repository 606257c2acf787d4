"""The ranges of a search and its metric, as recipes and flags name them."""

import pytest

from alignment.search.ranges import Goal, Range, goal, ranges
from alignment.training.recipe import RECIPES, help_text, load
from data.errors import BadInput

LOSS = Goal("loss", lower_is_better=True)


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "reward", "ppo"])
def test_every_shipped_recipe_can_be_searched(stage):
    mapping = load(RECIPES / f"{stage}.yaml")["search"]
    found = ranges(mapping, goal(stage, None), stage)
    assert "learning_rate" in [each.name for each in found]
    assert "--search N" in help_text(stage)


def test_metrics_have_a_direction():
    assert goal("sft", None) == LOSS
    assert goal("dpo", "eval_rewards/margins") == Goal("rewards/margins", lower_is_better=False)
    assert goal("dpo", "preference_accuracy").direction == "maximize"
    with pytest.raises(BadInput, match=r"--search_metric accurcy: .*Did you mean 'accuracy'"):
        goal("sft", "accurcy")


def test_ranges_are_read():
    mapping = {
        "learning_rate": {"low": "1e-5", "high": 1e-3, "log": True},
        "num_train_epochs": {"low": 1, "high": 3},
        "use_rslora": {"choices": [True, False]},
    }
    assert ranges(mapping, LOSS, "r") == [
        Range("learning_rate", low=1e-5, high=1e-3, log=True),
        Range("num_train_epochs", low=1, high=3, whole=True),
        Range("use_rslora", choices=(True, False)),
    ]


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        (None, "has no ranges to search"),
        ([1], "expected lines of"),
        ({"seed": {"choices": [1, 2]}}, "seed cannot be searched"),
        ({"beta": {"low": 0.1, "high": 1.0}}, "beta changes what the held-out loss measures"),
        ({"lora_r": 8}, "must be {low"),
        ({"lora_r": {"low": 8, "hihg": 9}}, "unknown key 'hihg'. Did you mean 'high'"),
        ({"lora_r": {"low": 8, "high": 8}}, "low below high"),
        ({"lora_r": {"low": True, "high": 8}}, "low below high"),
        ({"lora_r": {"low": 0, "high": 8, "log": True}}, "above 0"),
        ({"lora_r": {"low": 1, "high": 8, "log": 3}}, "log is true or false"),
        ({"lora_r": {"choices": [8]}}, "at least two"),
        ({"lora_r": {"choices": [8, [9]]}}, "a choice is"),
        ({"lora_r": {"choices": [8, 9], "log": True}}, "one of them"),
    ],
)
def test_an_invalid_range_is_reported(mapping, sentence):
    with pytest.raises(BadInput) as caught:
        ranges(mapping, LOSS, "r.yaml")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_help_describes_the_search(stage):
    text = help_text(stage)
    assert "--search N, --search_metric NAME" in text
    assert "        learning_rate: {low: " in text
