"""What is flagged, and questions that moderation sees first."""

from dataclasses import replace
from typing import Any

from bot.answers import Ask
from bot.moderation.endpoint import Endpoint
from bot.texts import EN
from tests.bot.core import World
from tests.fakes.moderation import FakeModeration

SLUR, THREAT, GRIEF = "you faggot", "kill yourself now", "I want to kill myself"


def at(fake: FakeModeration, **more: Any) -> Endpoint:
    return Endpoint(fake.url, **{"model": None, "api_key": None, "outside": False, **more})


def asked(world: World, text: str, **more: Any) -> Ask:
    """A question like a platform's: admitted, then stored."""
    ask = world.ask(text, **more)
    stored = ask.question

    async def question() -> Any:
        await world.chat.moderation.admit(text, EN)
        return await stored()

    return replace(ask, question=question)
