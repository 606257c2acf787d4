"""An embedding endpoint like OpenAI's: `POST /v1/embeddings` turns texts into vectors."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any, cast

from bot.inside import Inside, Outside

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

SECONDS = 2.0  # the longest wait; every question waits for it
AGAIN = 30.0  # seconds after a failure in which it is not asked


class Embeddings:
    """One endpoint, on this machine or in its network. While it fails, lessons are found by their words alone."""

    def __init__(self, url: str, *, model: str | None, api_key: str | None) -> None:
        import openai  # takes a second, which a bot without an endpoint should not spend

        self._model = model
        self._failed = -math.inf
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=api_key or "none",  # else the package would send the user's OPENAI_API_KEY there
            max_retries=0,
            # What people write goes to this address and nowhere else.
            http_client=openai.DefaultAsyncHttpxClient(
                transport=Inside(trust_env=False), trust_env=False, follow_redirects=False, timeout=SECONDS
            ),
        )

    async def vectors(self, texts: Sequence[str]) -> list[list[float]] | None:
        """The vectors of texts, in their order; None while the endpoint fails, which is logged once in a while."""
        import openai

        if time.monotonic() < self._failed + AGAIN:
            return None
        body = {"input": list(texts), "encoding_format": "float", **({"model": self._model} if self._model else {})}
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._client.post("/embeddings", cast_to=cast("Any", object), body=body)
            return read(answer, len(texts))
        except openai.APIStatusError as error:
            problem = f"HTTP {error.status_code}"
        except (openai.OpenAIError, TimeoutError) as error:
            problem = str(error.__cause__) if isinstance(error.__cause__, Outside) else type(error).__name__
        except (KeyError, TypeError, ValueError):
            problem = "its answer has no vectors"
        self._failed = time.monotonic()
        log.warning("PARLEY_EMBEDDINGS_URL fails (%s): lessons are found by their words alone.", problem)
        return None

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._client.close()


def read(answer: dict[str, Any], count: int) -> list[list[float]]:
    """The vectors in an endpoint's answer. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    found = sorted(answer["data"], key=lambda each: int(each["index"]))
    vectors = [[float(value) for value in each["embedding"]] for each in found]
    if len(vectors) != count or len({len(each) for each in vectors}) != 1 or not vectors[0]:
        raise ValueError
    if not all(math.isfinite(value) for each in vectors for value in each):
        raise ValueError
    return vectors
