"""The board, for everybody who is signed in: what answers, how it came to that, and what the next verdict needs."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter

from bot.overview import (
    HIDES,
    Overview,
    counts_in_words,
    left_of,
    overview,
    release_name,
    serving,
    thumbs_hidden,
    verdict_text,
)
from bot.progress import in_words
from bot.release_chart import compared, figures
from bot.web.rendering import shown
from bot.web.visitors import Member
from data.counts import count_ratings
from data.errors import BadInput
from data.gate_verdicts import gate_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from bot.texts import Texts
    from data.gate_verdicts import Interval

log = logging.getLogger(__name__)

router = APIRouter()

_SHOWN = 30  # rounds, the newest


@dataclass(frozen=True)
class Event:
    """A decided round on the timeline. `won` is how often its candidate's answers won, None without evidence."""

    round: int
    day: str
    release: str | None
    promoted: bool
    serves: bool
    verdict: str
    won: Interval | None
    figures: str


@dataclass(frozen=True)
class Bar:
    """How often something won, for a bar: its middle and its ends in percent."""

    name: str
    figures: str
    mean: float
    low: float
    high: float


@router.get("/board")
async def board(visitor: Member) -> Response:
    """The board."""
    site, texts = visitor.site, visitor.texts
    try:
        now = await asyncio.to_thread(overview, site.settings.home)
    except BadInput as error:  # a damaged file; the sentence says which, and where it lies is for operators
        log.warning("%s", error)
        told = str(error) if visitor.operator else texts.internal_error
        return shown(visitor, "board.html", lines=[told], far=[], events=[], bars=[], trial=None)
    left = await asyncio.to_thread(left_of, site.settings.home)
    known = await site.progress.now(now.champion, now.candidate)
    async with site.store.database.read() as session:
        counted = await count_ratings(session, None)
    far = known.distance if known else None
    trial = known.trial if known and now.candidate is not None else None
    served = await site.store.champions()
    return shown(
        visitor,
        "board.html",
        lines=[
            *serving(now, trial, left, texts),
            texts.stats_everywhere.format(counts=counts_in_words(counted), people=counted.raters),
        ],
        far=in_words(far, texts, hidden=thumbs_hidden(far) if far else ()),
        events=await asyncio.to_thread(timeline, now, texts),
        bars=[
            Bar(release_name(each.release, texts), figures(each.win), *_percent(each.win))
            for each in compared(now.releases, served)
        ],
        trial=round(trial.share * 100) if trial and trial.people >= HIDES else None,
    )


def timeline(now: Overview, texts: Texts) -> Sequence[Event]:
    """The newest decided rounds, the newest first. `BadInput` in one release leaves its verdict out."""
    by_number = {release.number: release for release in now.releases}
    events = []
    for each in now.rounds[:_SHOWN]:
        number = each.decision.release if each.decision else None
        found = by_number.get(number) if number is not None else None
        verdict = gate_verdict(found) if found else None
        if verdict is not None:
            told = verdict_text(verdict, now.champion, texts)
        else:
            told = " ".join(each.decision.reasons) if each.decision else each.reason or ""
        win = verdict.win if verdict else None
        events.append(
            Event(
                each.number,
                (each.ended_at or each.created_at or "")[:10],
                release_name(number, texts) if number is not None else None,
                each.status == "promoted",
                number == now.champion,
                told,
                win,
                figures(win),
            )
        )
    return events


def _percent(win: Interval) -> tuple[float, float, float]:
    return tuple(round(min(1.0, max(0.0, value)) * 100, 1) for value in (win.mean, win.low, win.high))  # type: ignore[return-value]  # three values give three
