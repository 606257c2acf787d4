"""Conversations: the page of one, a new question in it, and what stands in it when its answer is there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from bot.answers import Unanswerable
from bot.web.answers import turns_shown
from bot.web.asking import LONGEST, ask_of, begin, begin_two, nothing_runs, persona_of
from bot.web.live import LiveAnswer
from bot.web.rendering import shown
from bot.web.site import PLATFORM
from bot.web.tree import last_answer, way
from bot.web.visitors import Member, NotYours, Sent, Unusable, Visitor, field, signed_in
from data.personas import persona, persona_names
from data.talks import Talk, everything_said, key_taken, talk_at, talks_of

if TYPE_CHECKING:
    from data.store import StoredMessage

router = APIRouter()

_KEY = re.compile(r"[0-9a-f]{32}")
_LISTED = 100  # conversations beside the page


@router.get("/")
@router.get("/new")
async def home(visitor: Member) -> Response:
    """The way to a new conversation."""
    return RedirectResponse(f"{visitor.request.scope.get('root_path', '')}/chat", status_code=303)


@router.get("/chat")
async def new_conversation(visitor: Member) -> Response:
    """A conversation in which nothing was said yet; its key is drawn here."""
    chosen = visitor.request.query_params.get("persona", "")
    names = persona_names()
    name = chosen if chosen in names else visitor.site.settings.persona
    who = persona(name, visitor.language)
    return await _page(visitor, uuid4().hex, None, persona=who, personas=names)


@router.get("/chat/{key}")
async def conversation(visitor: Member, key: str, at: int | None = None) -> Response:
    """A conversation of the visitor's; `at` is a message on the way that is shown."""
    async with visitor.site.store.database.read() as session:
        talk = await talk_at(session, PLATFORM, key, visitor.person)
    if talk is None and not visitor.site.live.running(visitor.person, key):
        raise NotYours
    who = persona_of(visitor, talk) if talk else persona(visitor.site.settings.persona, visitor.language)
    return await _page(visitor, key, talk, persona=who, personas=(), at=at)


@router.get("/talks/{key}")
async def conversations(visitor: Member, key: str) -> Response:
    """The list of the visitor's conversations, beside the one with this key."""
    async with visitor.site.store.database.read() as session:
        talks = await talks_of(session, PLATFORM, visitor.person, _LISTED)
    return shown(visitor, "talks.html", talks=talks, key=key)


async def _page(visitor: Visitor, key: str, talk: Talk | None, *, at: int | None = None, **more: Any) -> Response:
    site = visitor.site
    async with site.store.database.read() as session:
        talks = await talks_of(session, PLATFORM, visitor.person, _LISTED)
        said = await everything_said(session, talk.conversation) if talk else []
    turns = way(said, at)
    return shown(
        visitor,
        "chat.html",
        key=key,
        talks=talks,
        turns=await turns_shown(visitor, talk, turns) if talk else [],
        live=site.live.running(visitor.person, key),
        parent=last_answer(turns) or "",
        agreed=await site.store.agrees(visitor.person),
        longest=LONGEST,
        **more,
    )


@router.post("/chat/{key}")
async def ask(visitor: Member, sent: Sent, key: str) -> Response:
    """A question: the turn in which its answer will stream."""
    site, text = visitor.site, field(sent, "text").strip()
    if not text:
        raise Unusable(visitor.texts.web_empty)
    if len(text) > LONGEST:
        raise Unusable(visitor.texts.web_too_long.format(characters=LONGEST))
    async with site.store.database.read() as session:
        talk = await talk_at(session, PLATFORM, key, visitor.person)
        if talk is None and (not _KEY.fullmatch(key) or await key_taken(session, PLATFORM, key)):
            raise NotYours
        said = await everything_said(session, talk.conversation) if talk else []
    names = persona_names()
    chosen = field(sent, "persona")
    name = chosen if chosen in names else site.settings.persona
    who = persona_of(visitor, talk) if talk else persona(name, visitor.language)
    parent = _parent(field(sent, "parent"), {each.message for each in said})

    async def question() -> StoredMessage:
        await site.chat.moderation.admit(text, visitor.texts)
        if not await signed_in(site, visitor.session):  # they may have been forgotten while this waited
            raise Unanswerable(visitor.texts.question_gone)
        number = await site.store.conversation(PLATFORM, key, persona=who.name, language=who.language)
        return await site.store.add_message(number, "user", text, author=visitor.person, parent=parent)

    asked = ask_of(visitor, key, who, question)
    nothing_runs(visitor, key)
    two = site.trial.due()
    live = LiveAnswer(visitor.person, key, text, two=two)
    if two:
        begin_two(visitor, live, lambda candidate: site.chat.pair(asked, engine=candidate))
    else:
        begin(visitor, live, lambda: site.chat.answer(asked))
    return shown(visitor, "live.html", live=live)


@router.post("/chat/{key}/retry")
async def retry(visitor: Member, sent: Sent, key: str) -> Response:
    """The answer to a question that has none, because the engine failed or this process ended."""
    site = visitor.site
    async with site.store.database.read() as session:
        talk = await talk_at(session, PLATFORM, key, visitor.person)
        said = await everything_said(session, talk.conversation) if talk else []
    number = _parent(field(sent, "message"), {each.message for each in said if each.role == "user" and each.text})
    if talk is None or number is None:
        raise NotYours

    async def question() -> StoredMessage:
        path = await site.store.path(number)
        if not path or path[-1].message != number:
            raise Unanswerable(visitor.texts.question_gone)
        return path[-1]

    asked = ask_of(visitor, key, persona_of(visitor, talk), question)
    text = next(each.text or "" for each in said if each.message == number)
    nothing_runs(visitor, key)
    live = begin(visitor, LiveAnswer(visitor.person, key, text), lambda: site.chat.answer(asked))
    return shown(visitor, "live.html", live=live)


def _parent(said: str, known: set[int]) -> int | None:
    """The message that a question follows; one of another conversation counts as none."""
    number = int(said) if said.isdecimal() and len(said) < 19 else 0
    return number if number in known else None
