"""Scores while a policy learns: only numbers, whoever gives them."""

import math

import pytest

from alignment.rl.scoring import Numbers, scoring
from alignment.training.errors import Diverged

pytestmark = pytest.mark.tiny

SECRET = "what somebody said"
ASKED = {"prompts": [[{"role": "user", "content": SECRET}]] * 2, "completions": [[{"content": SECRET}]] * 2}


def test_numbers_pass_with_everything_that_was_asked():
    seen = []

    def share(prompts, completions, completion_ids, **more):
        seen.append((prompts, completions, completion_ids, more))
        return [1.0, -2.0]

    found = Numbers(share)
    assert found(**ASKED, completion_ids=[[1], [2]], step=3) == [1.0, -2.0]
    assert seen == [(ASKED["prompts"], ASKED["completions"], [[1], [2]], {"step": 3})]
    assert found.__name__ == "share"  # TRL's log calls the reward so


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, None])
def test_anything_else_ends_the_stage_and_no_text_is_told(wrong):
    with pytest.raises(Diverged, match="1 of 2 answers got a reward that is not a finite number") as raised:
        Numbers(lambda **_: [0.0, wrong])(**ASKED)
    assert SECRET not in str(raised.value)


def test_all_trainers_get_scores_that_are_looked_at():
    """PPO, RLOO and GRPO take TRL's sum over rewards, in which NaN is 0."""
    found = scoring(None, lambda **_: [math.nan])
    with pytest.raises(Diverged):
        found.score(**ASKED)
