"""What the log-probabilities of a short conversation say of a server's weights; one server that loads is in
`test_vllm.py`."""

from dataclasses import replace
from typing import Any, cast

import pytest

from bot.engine.api import EngineAway, EngineBusy, EngineError
from bot.engine.same_weights import LIMIT, weights_problem
from bot.engine.wire import Wire
from data.bases import BaseInfo

IDS, LOG_PROBS = (7, 8, 9, 10), (-0.5, -2.0, -3.25)
BASE = BaseInfo(alias="toy", control=(), context_length=64, eos_token="", probe_ids=IDS, probe_log_probs=LOG_PROBS)


class Played:
    """A wire to a vLLM that answers, or raises, what it was given."""

    model, shown = "toy", "http://played"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def post(self, *_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def gives(*log_probs: float) -> dict[str, Any]:
    entries = [{str(token): {"logprob": value}} for token, value in zip(IDS[1:], log_probs, strict=False)]
    return {"choices": [{"prompt_logprobs": [None, *entries]}]}


async def problem(answer: Any, base: BaseInfo = BASE) -> str | None:
    return await weights_problem(cast("Wire", Played(answer)), base)


async def test_differences_add_up_whichever_sign_they_have_and_the_limit_itself_passes() -> None:
    assert await problem(gives(*(value + LIMIT for value in LOG_PROBS))) is None
    found = await problem(gives(LOG_PROBS[0] + 0.75, LOG_PROBS[1] - 0.75, LOG_PROBS[2]))
    assert found is not None
    assert "0.50 nats away on average" in found


@pytest.mark.parametrize("gone", [EngineAway("It is away."), EngineBusy("It is busy.")])
async def test_a_server_that_is_away_is_asked_again_and_not_taken_for_the_base(gone: EngineError) -> None:
    with pytest.raises(type(gone)):
        await problem(gone)


@pytest.mark.parametrize(
    "answer",
    [
        EngineError("It takes no such field."),
        {"choices": []},
        gives(*LOG_PROBS[1:]),
        gives(float("nan"), *LOG_PROBS[1:]),
    ],
)
async def test_one_that_gives_no_log_probabilities_of_all_tokens_is_not_compared(answer: Any) -> None:
    assert await problem(answer) is None


async def test_a_base_whose_own_list_is_too_short_is_not_compared() -> None:
    assert await problem(gives(*LOG_PROBS), replace(BASE, probe_log_probs=LOG_PROBS[1:])) is None
