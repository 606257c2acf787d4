"""A running answer: its events for the browser, its end, and the button that stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from markupsafe import escape
from starlette.responses import Response, StreamingResponse

from bot.answers import Answered, Paired
from bot.web.answers import pair_of, turn_of
from bot.web.rendering import fragment, shown
from bot.web.visitors import Member, NotYours, Sent, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.web.live import LiveAnswer, News

router = APIRouter()


def _live(visitor: Visitor, number: str) -> LiveAnswer:
    found = visitor.site.live.under(number, visitor.person)
    if found is None:
        raise NotYours
    return found


@router.get("/live/{number}/events")
async def events(visitor: Member, number: str) -> Response:
    """The answer as server-sent events, the whole text so far first."""
    live = _live(visitor, number)

    async def stream() -> AsyncIterator[str]:
        async for news in live.news():
            yield ": still there\n\n" if news is None else _event(visitor, news)

    return StreamingResponse(
        stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _event(visitor: Visitor, news: News) -> str:
    match news.kind:
        case "status":
            waiting = visitor.texts.waiting.format(ahead=news.text) if news.text.isdecimal() else ""
            data = str(escape(waiting or (visitor.texts.on_its_way if news.text else "")))
        # A new place for the pieces, so that what is there already is replaced. It listens at once (`settle:0ms`):
        # a piece that came before it listens would be missing until the end.
        case "whole":
            data = fragment(visitor, "growing.html", text=news.text)
        case "done":
            data = "done"
        case _:
            data = f"<span>{escape(news.text)}</span>"
    lines = "".join(f"data: {line}\n" for line in data.replace("\r", "").split("\n"))
    return f"event: {news.kind}\n{lines}\n"


@router.get("/live/{number}/end")
async def end(visitor: Member, number: str) -> Response:
    """What takes the place of the running answer when it has ended."""
    live = _live(visitor, number)
    response = await _end(visitor, live)
    response.headers["HX-Trigger"] = "talks"  # the list of conversations may have a new one
    return response


async def _end(visitor: Visitor, live: LiveAnswer) -> Response:
    if (pair := pair_of(live)) is not None:
        first = await turn_of(visitor, pair[0].generation)
        return shown(visitor, "pair.html", live=live, pair=pair, turn=first)
    found = live.end
    if isinstance(found, Paired):
        remark = None
        if live.again is not None:  # the first answer was there before
            remark = getattr(found.other, "sentence", None) or visitor.texts.no_two_answers
        found = found.usual
        turn = await turn_of(visitor, found.generation, found.note)
        return shown(visitor, "ended.html", live=live, turn=turn, sentence=remark, stuck=False)
    if isinstance(found, Answered):
        turn = await turn_of(visitor, found.generation, found.note)
        return shown(visitor, "ended.html", live=live, turn=turn, sentence=None, stuck=False)
    if found is None:
        raise NotYours
    first_answer = await visitor.site.store.generation(live.again) if live.again is not None else None
    turn = await turn_of(visitor, first_answer) if first_answer is not None else None
    return shown(visitor, "ended.html", live=live, turn=turn, sentence=found.sentence, stuck=found.stuck)


@router.post("/live/{number}/stop")
async def stop(visitor: Member, sent: Sent, number: str) -> Response:  # noqa: ARG001 - the form is checked
    """Stop it; the text so far is kept."""
    _live(visitor, number).stop()
    return Response(status_code=204)
