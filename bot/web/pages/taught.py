"""What becomes of what people teach, and what this person taught: their lessons and their ratings."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from fastapi import APIRouter
from starlette.responses import Response

from bot.overview import counts_in_words, thumbs_hidden
from bot.progress import in_words
from bot.web.asking import LONGEST
from bot.web.pages.answers import corrected
from bot.web.rendering import shown
from bot.web.site import PLATFORM
from bot.web.visitors import Member, NotYours, Sent, Unusable, Visitor, field
from data.counts import count_ratings
from data.followed import followed_now
from data.lessons import EVERYWHERE, REMOVED, SERVER, StoredLesson
from data.talks import ratings_of

router = APIRouter()

_KINDS = ("comparison", "correction", "report", "retraction")  # as `web_kinds` names them, after the votes
_LISTED = 200  # of each list, the newest


@router.get("/teach")
async def teach(visitor: Member) -> Response:
    """How to teach here, what happens with it, and how far it is to the next verdict."""
    site, texts = visitor.site, visitor.texts
    async with site.store.database.read() as session:
        counted = await count_ratings(session, None)
    known = await site.progress.now()
    far = known.distance if known else None
    becomes = texts.teach_trains
    if site.settings.followups:
        becomes = f"{becomes} {texts.teach_followups}"
    return shown(
        visitor,
        "teach.html",
        becomes=becomes,
        counts=texts.stats_everywhere.format(counts=counts_in_words(counted), people=counted.raters),
        far=in_words(far, texts, hidden=thumbs_hidden(far) if far else ()),
    )


@router.get("/lessons")
async def lessons(visitor: Member) -> Response:
    """The person's lessons."""
    return await _lessons(visitor, None)


async def _lessons(visitor: Visitor, said: str | None) -> Response:
    mine = await visitor.site.store.lessons.of(visitor.person)
    learnt = await asyncio.to_thread(followed_now, visitor.site.settings.home)
    scopes = {SERVER: visitor.texts.lessons_on_server, EVERYWHERE: visitor.texts.lessons_everywhere}
    return shown(
        visitor,
        "lessons.html",
        lessons=mine[::-1][:_LISTED],
        more=max(0, len(mine) - _LISTED),
        learnt=learnt,
        scopes=scopes,
        said=said,
        longest=LONGEST,
    )


@router.post("/lessons/{number}/remove")
async def remove(visitor: Member, sent: Sent, number: int) -> Response:  # noqa: ARG001 - the form is checked
    """The model no longer sees a lesson."""
    await _own(visitor, number)
    await visitor.site.store.lessons.set_scope(number, REMOVED)
    return await _lessons(visitor, visitor.texts.lesson_removed.format(number=number))


@router.post("/lessons/{number}/edit")
async def edit(visitor: Member, sent: Sent, number: int) -> Response:
    """A new answer for a lesson: a new correction of the same answer, whichever platform that was given on."""
    lesson, text = await _own(visitor, number), field(sent, "text").replace("\r\n", "\n")
    if len(text) > LONGEST:
        raise Unusable(visitor.texts.web_too_long.format(characters=LONGEST))
    assert lesson.generation is not None
    outcome = await visitor.site.ratings.correct(
        visitor.person, lesson.generation, text, platform=PLATFORM, source_id=f"{PLATFORM}:{uuid4().hex}"
    )
    return await _lessons(visitor, corrected(visitor.texts, outcome))


async def _own(visitor: Visitor, number: int) -> StoredLesson:
    mine = await visitor.site.store.lessons.of(visitor.person)
    found = next((each for each in mine if each.lesson == number and each.generation is not None), None)
    if found is None:
        raise NotYours
    return found


@router.get("/ratings")
async def ratings(visitor: Member) -> Response:
    """The person's ratings, the newest first."""
    async with visitor.site.store.database.read() as session:
        found = await ratings_of(session, visitor.person, _LISTED)
    kinds = [("vote", "up"), ("vote", "down"), *((kind, None) for kind in _KINDS)]
    names = dict(zip(kinds, visitor.texts.web_kinds, strict=True))
    return shown(visitor, "ratings.html", ratings=found, names=names, here=PLATFORM)
