"""For operators: the review queue, which shows what the next round would train on and why each row counts how much.

Whether the visitor is an operator is checked at every request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import APIRouter

from bot.web.pages.operate import Operator
from bot.web.rendering import shown
from bot.web.site import PLATFORM
from bot.web.visitors import Sent, Visitor, field
from data.errors import ParleyError
from data.review import REASONS, Filters, NoSuchPage, NoSuchRow
from data.review_beside import answers_beside, review_beside
from data.row import KINDS
from data.voiding import void_row

if TYPE_CHECKING:
    from starlette.datastructures import FormData, QueryParams
    from starlette.responses import Response

router = APIRouter(prefix="/operate/review")

_LONGEST = 200  # characters of a filter
_DIGITS = 9  # of a page's number


@router.get("")
async def page(visitor: Operator) -> Response:
    """A page of the queue."""
    asked = visitor.request.query_params
    number = asked.get("page", "1")
    known = number.isdecimal() and len(number) <= _DIGITS
    return await _page(visitor, _filters(asked), int(number) if known else 0, None)


@router.post("/void")
async def void(visitor: Operator, sent: Sent) -> Response:
    """Void all ratings of the answers that a row is made of."""
    site, texts, row = visitor.site, visitor.texts, field(sent, "row")
    filters, permission = _filters(sent), site.settings.discord_training_permission
    try:
        async with site.reviewing:
            answers = await answers_beside(site.settings.home, row, discord_permission=permission)
    except NoSuchRow:
        return await _page(visitor, filters, 1, texts.web_review_no_row)
    except ParleyError as error:  # a setting or a file is wrong; the sentence says which
        return await _page(visitor, filters, 1, str(error))
    await void_row(site.store, visitor.person, row, answers, platform=PLATFORM)
    return await _page(visitor, filters, 1, texts.web_review_voided)


async def _page(visitor: Visitor, filters: Filters, number: int, said: str | None) -> Response:
    site, texts = visitor.site, visitor.texts
    found = None
    try:
        async with site.reviewing:
            permission = site.settings.discord_training_permission
            found = await review_beside(site.settings.home, filters, number, discord_permission=permission)
    except NoSuchPage:
        said = said or texts.web_review_no_page
    except ParleyError as error:  # a setting or a file is wrong; the sentence says which
        said = said or str(error)
    chosen = {"rater": filters.rater, "word": filters.word, "kind": filters.kind, "reason": filters.reason}
    return shown(
        visitor,
        "review.html",
        said=said,
        found=found,
        chosen=chosen,
        kinds=dict(zip(KINDS, texts.web_review_kinds, strict=True)),
        reasons=dict(zip(REASONS, texts.web_review_reasons, strict=True)),
        longest=_LONGEST,
        query=urlencode({name: value for name, value in chosen.items() if value}),
    )


def _filters(asked: FormData | QueryParams) -> Filters:
    """The filters of a form; what is no kind or reason filters nothing."""

    def said(name: str) -> str:
        value = asked.get(name)
        return value.strip()[:_LONGEST] if isinstance(value, str) else ""

    kind, reason = said("kind"), said("reason")
    return Filters(said("rater"), said("word"), kind if kind in KINDS else "", reason if reason in REASONS else "")
