"""The plan of a round."""

from pathlib import Path

import pytest

from alignment.rounds.plan import read_plan
from data.errors import BadInput


def test_an_impossible_plan_is_refused(tmp_path: Path) -> None:
    for flags, problem in (
        (["--max_prompts", "0"], "--max_prompts must be at least 1"),
        (["--eval_prompts", "0"], "--eval_prompts must be at least 1"),
        (["--canaries", "99"], "--canaries must be from 0 to 48"),
        (["--base", "gpt2"], "There is no base model 'gpt2' in"),
        (["--dpo_config", str(tmp_path / "no.yaml")], "there is no recipe"),
    ):
        with pytest.raises(BadInput, match=problem):
            read_plan(flags)
