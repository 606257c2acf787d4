"""A moderation endpoint like OpenAI's: `POST /v1/moderations` says whether a text is flagged, and for what."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from bot.moderation.words import Kind

SECONDS = 5.0  # the longest wait for its verdict


class EndpointFailed(Exception):
    """The endpoint gave no verdict. `str` says what happened, without any text that was sent."""


class Endpoint:
    """One endpoint. `outside` says that it may be on another machine, so a proxy may be used."""

    def __init__(self, url: str, *, model: str | None, api_key: str | None, outside: bool) -> None:
        import openai  # takes a second, which a bot without an endpoint should not spend

        self._model = model
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=api_key or "none",  # else the package would send the user's OPENAI_API_KEY there
            max_retries=0,
            # What people write goes to this address and nowhere else.
            http_client=openai.DefaultAsyncHttpxClient(trust_env=outside, follow_redirects=False, timeout=SECONDS),
        )

    async def kind(self, text: str) -> Kind | None:
        """What is wrong with a text; None if nothing is. Raises `EndpointFailed`."""
        import openai

        body = {"input": text, **({"model": self._model} if self._model else {})}
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._client.post("/moderations", cast_to=cast("Any", object), body=body)
        except openai.APIStatusError as error:
            raise EndpointFailed(f"HTTP {error.status_code}") from None
        except (openai.OpenAIError, TimeoutError) as error:
            raise EndpointFailed(type(error).__name__) from None
        try:
            return verdict(answer["results"])
        except (KeyError, TypeError, AttributeError):
            raise EndpointFailed("its answer is not a verdict") from None

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._client.close()


def verdict(results: list[dict[str, Any]]) -> Kind | None:
    """What an endpoint's results say about a text; None if nothing is flagged."""
    flagged = [result for result in results if result["flagged"]]
    if not flagged:
        return None
    named = [name for result in flagged for name, on in (result.get("categories") or {}).items() if on]
    own = any(name.replace("_", "-").startswith("self-harm") for name in named)
    return Kind.SELF_HARM if own else Kind.ENDPOINT
