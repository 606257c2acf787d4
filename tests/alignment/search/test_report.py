"""The report that a search writes at its end."""

import yaml

from alignment.search import report


def test_the_best_recipe_keeps_comments_where_lines_can_be_edited():
    text = "# Why.\nloss_type:\n  - sigmoid\n  - sft\n# beta: 0.1\n\n# Tried.\nsearch:\n  beta: {low: 1}\nseed: 0\n"
    made = report.best_recipe(text, {"loss_type": ["ipo"], "beta": 0.25, "seed": 0, "lora_r": 4}, ["Best."])
    assert made.startswith("# Best.\n\n# Why.\nloss_type: [ipo]\nbeta: 0.25\n")
    assert "Tried" not in made
    assert yaml.safe_load(made) == {"loss_type": ["ipo"], "beta": 0.25, "seed": 0, "lora_r": 4}
    strange = "{learning_rate: 1.0,\n lora_r: 2}\n"
    assert yaml.safe_load(report.best_recipe(strange, {"lora_r": 4})) == {"lora_r": 4}
