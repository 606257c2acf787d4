"""Answers a question of the API: the core's events become a body or a stream."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, StreamingResponse

from bot.answers import Answered, Ask, Failed, Held, Paired, Piece, TakenBack, Thinking, Unanswerable
from bot.rate_limit import Cap
from bot.texts import texts
from bot.web.api.errors import ApiError, broke_off, failed
from bot.web.api.models import USUAL, engine_for
from bot.web.api.people import person_of
from bot.web.api.replies import DONE, event
from data.personas import persona

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from bot.answers import AnswerEvent, RunningAnswer
    from bot.web.api.asked import Question
    from bot.web.api.replies import Reply, TextReply
    from bot.web.site import Site
    from data.api_keys import ApiKey
    from data.store import StoredMessage

CALLERS = "caller"  # the persona of conversations in which the program says who the model is


async def respond(
    site: Site, request: Request, key: ApiKey, question: Question, reply: Reply | TextReply
) -> Response:
    """Answer a question, whole or as a stream. A client that goes away stops the answer, as it does at OpenAI.

    Raises `ApiError`, also for a stream: it begins with the first thing that there is to show.
    """
    person = await person_of(site.store, key, question.asker)
    answer = await _begun(site, key, question, person, reply.id)
    events = aiter(answer)
    try:
        first = await _unless_gone(request, _first(events, whole=not question.stream))
    finally:
        if not question.stream:
            answer.stop()  # it has ended, or nobody waits for it
    if first is None:
        answer.stop()
        raise ApiError(499, "The client has gone away.", "stopped")
    if isinstance(first, Failed):
        raise failed(first)
    if question.stream:
        stream = _stream(answer, first, events, question, reply)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
    assert isinstance(first, Answered)
    if first.finish_reason == "error":
        raise broke_off(first.note)
    return JSONResponse(reply.whole(first))


async def _begun(site: Site, key: ApiKey, question: Question, person: int, name: str) -> RunningAnswer:
    """The running answer to a question. Whichever engine gives it stays open until it is recorded."""
    account = await site.store.id_hash_of(person)
    beside = None
    if site.trial.candidate() is not None:
        place = await site.store.histories.find(person, question.said)
        if place.message is not None and place.known == len(question.said):
            beside = await site.store.histories.answered_by(place.message.message)
    begun: asyncio.Future[RunningAnswer] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        try:
            async with engine_for(site, question.model, person, beside=beside) as engine:
                answer = site.chat.answer(_ask(site, key, question, person, account, name), engine=engine)
                begun.set_result(answer)
                await answer.wait()
        except Exception as error:
            if begun.done():
                raise
            begun.set_exception(error)

    task = asyncio.create_task(run())
    _RUNNING.add(task)
    task.add_done_callback(_RUNNING.discard)
    return await begun


_RUNNING: set[asyncio.Task[None]] = set()  # the event loop itself keeps only weak references


def _ask(site: Site, key: ApiKey, question: Question, person: int, account: str | None, name: str) -> Ask:
    settings, sentences = site.settings, texts(site.settings.language)
    usual = persona(settings.persona, settings.language)
    mine = replace(usual, name=CALLERS, system_prompt="", thinks=False) if question.system else usual

    async def stored() -> StoredMessage:
        place = await site.store.histories.find(person, question.said)
        for new in question.said[place.known :]:
            await site.chat.moderation.admit(new.text, sentences)
        if await site.store.id_hash_of(person) != account:  # they were forgotten while this waited
            raise Unanswerable(sentences.question_gone)
        return await site.store.histories.add(
            key.platform, person, question.said, persona=mine.name, language=mine.language
        )

    opening = next(one.text for one in question.said if one.role == "user")
    caps = (
        Cap("key", ("key", key.name), key.hourly),
        Cap("person", ("key", key.name, str(person)), key.hourly_per_user),
    )
    return Ask(
        person=person,
        channel=f"{key.platform}:{person}:{hash(opening)}",  # one answer at a time in each conversation
        platform=key.platform,
        persona=mine,
        question=stored,
        shown=lambda: (name,),
        texts=sentences,
        caps=tuple(cap for cap in caps if cap.limit),
        wishes=question.wishes,
        by_name=question.model != USUAL,
    )


async def _first(events: AsyncIterator[AnswerEvent], *, whole: bool) -> AnswerEvent:
    """The first event that a client is shown; with `whole`, the end."""
    shown = (Answered, Failed, Paired) if whole else (Piece, Thinking, Held, Answered, Failed, Paired)
    async for each in events:
        if isinstance(each, shown):
            return each
    raise AssertionError("an answer has an end")


async def _unless_gone(request: Request, wait: Coroutine[None, None, AnswerEvent]) -> AnswerEvent | None:
    """What is waited for; None if the client goes away first."""
    waiting = asyncio.create_task(wait)
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else None
    finally:
        waiting.cancel()
        gone.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _stream(
    answer: RunningAnswer,
    first: AnswerEvent,
    rest: AsyncIterator[AnswerEvent],
    question: Question,
    reply: Reply | TextReply,
) -> AsyncIterator[bytes]:
    """The events of a stream. It ends only when the answer and its id are recorded."""
    try:
        if begin := reply.begin():
            yield event(begin)
        for chunk in _chunks(first, question, reply):
            yield chunk
        if not isinstance(first, Answered):
            async for each in rest:
                for chunk in _chunks(each, question, reply):
                    yield chunk
    finally:
        answer.stop()  # it has ended, or its client has gone away


def _chunks(each: AnswerEvent, question: Question, reply: Reply | TextReply) -> Iterator[bytes]:
    """What a client gets of one event."""
    match each:
        case Piece(text):
            yield event(reply.piece(text))
        case Thinking(text):
            if thought := reply.thought(text):
                yield event(thought)
        case TakenBack():
            yield event(reply.taken_back())
        case Failed():
            yield event(failed(each).body)
        case Answered() if each.finish_reason == "error":
            yield event(broke_off(each.note).body)
        case Answered():
            yield event(reply.end(each))
            if question.usage:
                yield event(reply.counted(each))
            yield DONE
