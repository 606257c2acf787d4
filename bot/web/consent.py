"""The consent question on the page: the same text as everywhere, and the rating that it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.web.rendering import shown
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    from starlette.responses import Response

    from bot.web.visitors import Visitor


async def question(visitor: Visitor) -> str:
    """The text that is agreed to."""
    site, texts = visitor.site, visitor.texts
    text = texts.consent_question.format(days=site.settings.retention_days)
    if await site.store.consent(visitor.person) and not await site.store.agrees(visitor.person):
        text = f"{texts.consent_changed}\n{text}"
    return text


async def question_for(visitor: Visitor, generation: int, *, value: str, other: int | None = None) -> Response:
    """The question before a first rating is kept. After a yes, the page sends the same rating again."""
    return shown(
        visitor,
        "ask_consent.html",
        question=await question(visitor),
        version=CONSENT_VERSION,
        generation=generation,
        value=value,
        other=other,
    )
