"""Whether a server computes with the base's weights, seen from afar: it reads a short conversation as the base does.

`base.json` has the conversation's token ids and their log-probabilities, as transformers computed them when the base
was added. Rounding moves those by hundredths of a nat, other weights by far more. A slightly fine-tuned model is not
noticed, and a base that was added without a GGUF has nothing to compare.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineAway, EngineBusy, EngineError

if TYPE_CHECKING:
    from bot.engine.wire import Wire
    from data.bases import BaseInfo

log = logging.getLogger(__name__)

LIMIT = 0.25  # nats a token on average; the same as in `alignment.serving.noise` for 8 bits


async def weights_problem(wire: Wire, base: BaseInfo) -> str | None:
    """What is wrong with the weights of vLLM's model `wire.model`; None if they are the base's as far as is known.

    Raises EngineError if the server is away. One that gives no log-probabilities of a prompt is not compared.
    """
    if not base.probe_ids:
        return None
    ids = list(base.probe_ids)
    body = {"model": wire.model, "prompt": ids, "max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}
    try:
        found = _log_probs(await wire.post("/v1/completions", body), ids)
    except (EngineAway, EngineBusy):
        raise
    except EngineError:
        found = None
    if found is None or len(found) != len(base.probe_log_probs):
        log.info("The server at %s gives no log-probabilities of a prompt: its weights are not compared.", wire.shown)
        return None
    apart = sum(abs(a - b) for a, b in zip(found, base.probe_log_probs, strict=True)) / len(found)
    if apart <= LIMIT:
        return None
    return (
        f"It has other weights than the base model {base.alias}: its log-probabilities of a short conversation are "
        f"{apart:.2f} nats away on average, and at most {LIMIT:g} are allowed."
    )


def _log_probs(answer: dict[str, Any], ids: list[int]) -> list[float] | None:
    """The log-probability of each token but the first, as vLLM answers; None for any other answer."""
    try:
        listed = answer["choices"][0]["prompt_logprobs"]
        found = [float(entry[str(token)]["logprob"]) for token, entry in zip(ids[1:], listed[1:], strict=True)]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return found if all(map(math.isfinite, found)) else None
