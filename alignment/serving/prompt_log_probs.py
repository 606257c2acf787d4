"""Log-probabilities of given tokens from vLLM, which computes them on the GPU where it serves.

vLLM's route `/v1/completions` takes token ids as the prompt, and with `prompt_logprobs` it says of each of them how
likely it was after those before it. So nothing is rendered or tokenised twice, and no second copy of the model is
needed to score answers.
"""

import urllib.error
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

from alignment.rows.tokens import EncodedAnswer
from alignment.serving.engine import RunningEngine
from alignment.serving.passages import Passage
from data.errors import BadInput, ParleyError

COMPARED = 16  # tokens at each position of a check
_LISTED = 20  # vLLM lists no more unless it is started with --max-logprobs
_AT_ONCE = 8

# For each token of a prompt the likeliest ones at its place, and itself, by id; none for the first.
Listed = list[dict[int, float]]


def log_prob_tables(engine: RunningEngine, passages: Sequence[Passage]) -> list[dict[int, float]]:
    """vLLM's log-probabilities by token id, in nats, before each position of the passages."""
    tables = []
    for passage in passages:
        listed = _prompt_log_probs(engine, passage.ids[: passage.positions[-1] + 1], _LISTED)
        tables += [listed[position] for position in passage.positions]
    return tables


def answer_log_probs(engine: RunningEngine, answers: Sequence[EncodedAnswer]) -> list[tuple[float, int]]:
    """For each answer: the sum of its tokens' log-probabilities after its prompt, in nats, and how many tokens."""

    def one(answer: EncodedAnswer) -> tuple[float, int]:
        ids = [*answer.prompt, *answer.answer]
        listed = _prompt_log_probs(engine, ids, 0)
        start = len(answer.prompt)
        return sum(listed[at][ids[at]] for at in range(start, len(ids))), len(answer.answer)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(one, answers))


def _prompt_log_probs(engine: RunningEngine, ids: list[int], count: int) -> Listed:
    body = {"model": engine.model, "prompt": ids, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": count}
    try:
        found: list[dict[str, Any] | None] = engine.post("/v1/completions", body)["choices"][0]["prompt_logprobs"]
        # A token that is listed only because it stands there has a lower rank than the others.
        listed = [
            {int(token): float(entry["logprob"]) for token, entry in (each or {}).items() if _wanted(entry, count)}
            for each in found
        ]
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.BAD_REQUEST:
            raise BadInput(
                f"vLLM at {engine.shown} does not score a text of {len(ids)} tokens. Its context is too short for "
                "that: start it with a larger --max-model-len."
            ) from None
        raise ParleyError(f"vLLM at {engine.shown} failed with status {error.code} on a text to score.") from None
    except (OSError, HTTPException) as error:
        raise ParleyError(f"vLLM at {engine.shown} broke off while it scored a text: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ParleyError(f"vLLM at {engine.shown} answered without log-probabilities of the prompt.") from error
    if len(listed) != len(ids):
        raise ParleyError(f"vLLM at {engine.shown} scored {len(listed)} tokens of {len(ids)}.")
    return listed


def _wanted(entry: dict[str, Any], count: int) -> bool:
    return not count or entry["rank"] <= count
