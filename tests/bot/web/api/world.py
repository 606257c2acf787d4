"""A program that uses the API of a page in the test's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from data.api_keys import CHAT, FEEDBACK, ApiKey
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    import httpx2

    from tests.bot.web.world import World

MODEL = "parley"


class Program:
    """A program with a key. Its users are people on its platform."""

    def __init__(self, page: World, secret: str) -> None:
        self.page = page
        self.secret = secret
        self.client = page.browser(authorization=f"Bearer {secret}").http

    @classmethod
    async def with_key(cls, page: World, name: str = "telegram", **key: Any) -> Program:
        """A program with a new key, whose users' consent it may give."""
        values = {"platform": name, "rights": (CHAT, FEEDBACK), "consent_text": CONSENT_VERSION, **key}
        return cls(page, await page.store.api_keys.add(ApiKey(name=name, **values)))

    async def chat(self, *messages: str | dict[str, Any], **body: Any) -> httpx2.Response:
        """Ask with a history: texts are questions and answers in turn."""
        turns = [
            {"role": "assistant" if number % 2 else "user", "content": each} if isinstance(each, str) else each
            for number, each in enumerate(messages)
        ]
        return await self.client.post("/v1/chat/completions", json={"model": MODEL, "messages": turns, **body})

    async def answer(self, *messages: str | dict[str, Any], **body: Any) -> dict[str, Any]:
        """The completion; it must be one."""
        found = await self.chat(*messages, **body)
        assert found.status_code == 200, found.text
        return found.json()

    async def feedback(self, completion: str, kind: str, **body: Any) -> httpx2.Response:
        """Say what a user thinks of an answer."""
        given = {"completion_id": completion, "kind": kind, **body}
        headers = {name: given.pop(name) for name in ("Idempotency-Key",) if name in given}
        return await self.client.post("/v1/feedback", json=given, headers=headers)


def text(completion: dict[str, Any]) -> str:
    return completion["choices"][0]["message"]["content"]


def error(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code of a refusal, whose body must be OpenAI's."""
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    assert body["message"].endswith((".", "?", ")", "。"))
    return answer.status_code, body["code"]
