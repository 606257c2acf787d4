"""A person's consent, what is kept of them, all of it as a file, and its end."""

from __future__ import annotations

import asyncio
import json
import time

from fastapi import APIRouter
from starlette.responses import Response

from bot.ratings import consent_in_words
from bot.web.consent import question
from bot.web.pages.answers import rate_after_consent
from bot.web.rendering import shown
from bot.web.visitors import SIGNED_OUT, Member, Sent, Visitor, field
from data.consent import CONSENT_VERSION, still_says
from data.rounds import remove_leftovers

router = APIRouter()


@router.get("/privacy")
@router.get("/consent")
async def privacy(visitor: Member) -> Response:
    """What is kept and for how long, the consent question, and what the person answered."""
    return await _privacy(visitor, None)


async def _privacy(visitor: Visitor, said: str | None) -> Response:
    site, texts = visitor.site, visitor.texts
    told = texts.privacy.format(
        training=texts.training,
        days=site.settings.retention_days,
        consent=await consent_in_words(site.store, visitor.person, texts),
    )
    if site.settings.checked_outside:
        told += f" {texts.privacy_checked_outside}"
    return shown(
        visitor,
        "privacy.html",
        told=told,
        question=await question(visitor),
        version=CONSENT_VERSION,
        agreed=await site.store.agrees(visitor.person),
        said=said,
    )


@router.post("/consent")
async def answer(visitor: Member, sent: Sent) -> Response:
    """A yes or a no; a yes to an older text asks again. The rating that it was asked for is stored after it."""
    store, texts = visitor.site.store, visitor.texts
    agrees, version = field(sent, "answer") == "yes", field(sent, "version")
    generation, other = field(sent, "generation"), field(sent, "other")
    if agrees and not still_says(version):
        return await _privacy(visitor, texts.consent_changed)
    same = await store.agrees(visitor.person) if agrees else await store.consent(visitor.person) is False
    if not same:
        await store.set_consent(visitor.person, agrees, version if agrees else CONSENT_VERSION)
    said = texts.consent_given if agrees else texts.consent_refused
    if not generation.isdecimal() or len(generation) > 18:
        return await _privacy(visitor, said)
    if not agrees:
        return shown(visitor, "told.html", sentence=said)
    number = int(other) if other.isdecimal() and len(other) < 19 else None
    return await rate_after_consent(visitor, int(generation), field(sent, "value"), number)


@router.get("/export")
async def export(visitor: Member) -> Response:
    """Everything that is kept about the person."""
    kept = await visitor.site.store.kept_of(visitor.person)
    return Response(
        json.dumps(kept, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="parley.json"'},
    )


@router.get("/forget")
async def ask_to_forget(visitor: Member) -> Response:
    """The question before everything is erased."""
    return shown(visitor, "forget.html", told=None)


@router.post("/forget")
async def forget(visitor: Member, sent: Sent) -> Response:  # noqa: ARG001 - the form is checked
    """Erase everything of the person, what runs included; they are signed out everywhere."""
    site = visitor.site
    await site.store.set_setting(SIGNED_OUT, ("person", str(visitor.person)), time.time())  # no tab asks any more
    await site.live.stop_all(visitor.person)
    await site.chat.stop_all(visitor.person)  # on Discord too
    erased = await site.store.eraser.forget(visitor.person)
    await asyncio.to_thread(remove_leftovers, site.settings.home)
    response = shown(visitor, "forgotten.html", sentence=visitor.texts.forgotten.format(texts=erased))
    site.sessions.end(visitor.request, response)
    return response
