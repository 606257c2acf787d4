"""Best-of-n and the reward judge: the answers that a reward model likes."""

from collections.abc import Sequence

import pytest

from alignment.evaluation.best_of import best_of
from alignment.evaluation.judges import RewardJudge
from alignment.serving.engine import Completion

pytestmark = pytest.mark.tiny


class ByLength:
    """A reward model that likes long answers."""

    def score(self, prompts: Sequence, completions: Sequence[str]) -> list[float]:
        assert len(prompts) == len(completions)
        return [float(len(text)) for text in completions]


@pytest.fixture
def by_length(monkeypatch) -> None:
    monkeypatch.setattr("alignment.rewards.model.read_facts", lambda _: {})
    monkeypatch.setattr("alignment.rewards.model.load_reward_model", lambda _: ByLength())


@pytest.mark.tiny
@pytest.mark.usefixtures("by_length")
def test_best_of_n_takes_what_the_reward_model_likes_best(tmp_path) -> None:
    class Model:
        def draw(self, prompts, seeds, *, max_tokens):
            assert len(set(seeds)) == len(seeds)
            return [
                None if prompt[0]["content"] == "long" and seed == 1 else Completion("x" * (seed + 1), "stop")
                for prompt, seed in zip(prompts, seeds, strict=True)
            ]

    prompts = [[{"role": "user", "content": text}] for text in ("short", "long")]
    first, second = best_of(Model(), tmp_path, prompts, 3)  # type: ignore[arg-type]  # a stand-in
    assert first is not None
    assert first.answers == ("x", "xxx", "xxxxx")
    assert first.best == 2
    assert second is None


@pytest.mark.tiny
@pytest.mark.usefixtures("by_length")
def test_a_reward_judge_prefers_the_higher_reward(tmp_path) -> None:
    judge = RewardJudge(tmp_path)
    prompts = [[{"role": "user", "content": "Hi"}]] * 3
    assert judge.compare(prompts, ["aa", "a", "a"], ["a", "aa", "b"]) == [1.0, 0.0, 0.5]  # type: ignore[arg-type]  # plain lists
