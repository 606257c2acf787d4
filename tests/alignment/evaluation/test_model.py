"""A loaded and served model."""

import pytest

from alignment.evaluation.model import LoadedModel
from alignment.serving.engine import PromptRefused, RunningEngine, sampling
from data.errors import ParleyError
from tests.fakes.judge import FakeJudge


def test_a_refused_prompt_is_not_a_failure_and_a_failure_is_not_a_refusal() -> None:
    with FakeJudge(lambda question: 400 if question == "long" else "fine") as fake:
        model = LoadedModel(None, None, RunningEngine(fake.url, (), sampling()))
        prompts = [[{"role": "user", "content": text}] for text in ("short", "long", "short")]
        drawn = model.draw(prompts, [1, 2, 3], max_tokens=5)  # type: ignore[arg-type]  # plain dictionaries
        assert [answer and answer.text for answer in drawn] == ["fine", None, "fine"]
        with pytest.raises(PromptRefused):
            model.answers(prompts, max_tokens=5)  # type: ignore[arg-type]  # plain dictionaries
        with pytest.raises(PromptRefused):
            model.engine.complete(prompts[1], seed=0, max_tokens=5)  # type: ignore[union-attr, arg-type]  # plain dictionaries, and there is an engine
    with FakeJudge(lambda _: 500) as fake, pytest.raises(ParleyError, match="status 500"):
        RunningEngine(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0, max_tokens=5)
    with pytest.raises(ParleyError, match="broke off"):
        RunningEngine(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0, max_tokens=5)
