"""For operators: the releases with their verdicts, which one serves, whether rounds may begin, and what was done.

Whether the visitor is an operator is checked at every request.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends

from bot.overview import overview, release_name, verdict_text
from bot.release_chart import figures
from bot.web.rendering import shown
from bot.web.visitors import Member, NotYours, Sent, Visitor, field
from data.errors import BadInput
from data.gate_verdicts import gate_verdict
from data.promotion import promote
from data.releases import BASE_RELEASE, NoEarlier, Releases, Superseded
from data.rounds import pause, paused_since, resume, runs

if TYPE_CHECKING:
    from starlette.responses import Response

log = logging.getLogger(__name__)

router = APIRouter(prefix="/operate")

_ENTRIES, _RELEASES = 50, 30


async def operator(visitor: Member) -> Visitor:
    """The visitor, if they are an operator now. For everybody else these pages are not there."""
    if not visitor.operator:
        raise NotYours
    return visitor


Operator = Annotated[Visitor, Depends(operator)]


@dataclass(frozen=True)
class Listed:
    """A release on the page. `refused` says that the gate did not let it through."""

    number: int
    name: str
    made: str
    serves: bool
    tried: bool
    won: str
    verdict: str
    refused: bool


@router.get("")
async def page(visitor: Operator) -> Response:
    """The page."""
    return await _page(visitor, None)


async def _page(visitor: Visitor, said: str | None) -> Response:
    site, texts = visitor.site, visitor.texts
    home = site.settings.home
    listed, problem = [], None
    try:
        now = await asyncio.to_thread(overview, home)
    except BadInput as error:  # a damaged file; the sentence says which
        problem, champion = str(error), BASE_RELEASE
    else:
        champion = now.champion
        for release in list(now.releases)[::-1][:_RELEASES]:
            verdict = gate_verdict(release)
            listed.append(
                Listed(
                    release.number,
                    release_name(release.number, texts),
                    release.manifest.created_at[:10],
                    release.number == now.champion,
                    release.number == now.candidate,
                    figures(verdict.win),
                    verdict_text(verdict, now.champion, texts),
                    verdict.promote is False,
                )
            )
        listed.append(
            Listed(
                BASE_RELEASE, release_name(BASE_RELEASE, texts), "", champion == BASE_RELEASE, False, "", "", False
            )
        )
    since = await asyncio.to_thread(paused_since, home)
    running, waiting = site.chat.load
    return shown(
        visitor,
        "operate.html",
        said=said,
        problem=problem,
        champion=champion,
        releases=listed,
        paused=since.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if since else None,
        round_runs=await asyncio.to_thread(runs, home),
        load=texts.web_load.format(running=running, waiting=waiting),
        entries=await site.store.deeds(None, _ENTRIES),
    )


@router.post("/promote")
async def let_serve(visitor: Operator, sent: Sent) -> Response:
    """Let a release serve, if the champion that the operator saw still does; a refused one only with `anyway`."""
    site, texts = visitor.site, visitor.texts
    number, champion = _number(field(sent, "release")), _number(field(sent, "champion"))
    releases = Releases(site.settings.home)
    try:
        if number != BASE_RELEASE and not field(sent, "anyway"):
            verdict = gate_verdict(await asyncio.to_thread(releases.get, number))
            if verdict.promote is False:
                return await _page(visitor, verdict_text(verdict, champion, texts))
        await promote(site.store, releases, number, instead_of=champion)
    except Superseded:
        return await _page(visitor, texts.web_superseded)
    except BadInput as error:  # there is no such release, or a file is damaged
        return await _page(visitor, str(error))
    log.info("release %d was promoted by an operator", number)
    await site.store.record_deed(visitor.person, "promote", release=number, before=champion)
    names = {"release": release_name(number, texts), "before": release_name(champion, texts)}
    return await _page(visitor, texts.web_promoted.format(**names))


@router.post("/rollback")
async def roll_back(visitor: Operator, sent: Sent) -> Response:
    """Go back to the previous champion, if the one that the operator saw still serves: a reload sends this twice."""
    site, texts = visitor.site, visitor.texts
    releases = Releases(site.settings.home)
    try:
        before = _number(field(sent, "champion"))
        number = await asyncio.to_thread(releases.rollback, instead_of=before)
    except Superseded:
        return await _page(visitor, texts.web_superseded)
    except NoEarlier:
        return await _page(visitor, texts.no_earlier_champion)
    except BadInput as error:
        return await _page(visitor, str(error))
    log.info("release %d was rolled back by an operator", before)
    await site.store.record_deed(visitor.person, "rollback", release=number, before=before)
    names = {"release": release_name(number, texts), "before": release_name(before, texts)}
    return await _page(visitor, texts.rolled_back.format(**names))


@router.post("/rounds")
async def switch_rounds(visitor: Operator, sent: Sent) -> Response:
    """Pause or resume rounds."""
    site, texts = visitor.site, visitor.texts
    stop = field(sent, "action") == "pause"
    if await asyncio.to_thread(pause if stop else resume, site.settings.home):
        await site.store.record_deed(visitor.person, "pause" if stop else "resume")
    return await _page(visitor, texts.web_rounds_paused if stop else texts.rounds_resumed_now)


def _number(said: str) -> int:
    if not said.isdecimal() or len(said) > 9:
        raise NotYours
    return int(said)
