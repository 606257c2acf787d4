"""What people do with an answer: rate it, correct it, compare it, ask for another one, let it go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from fastapi import APIRouter
from starlette.responses import Response

from bot.answers import Unanswerable
from bot.ratings import RatingResult, comparable, sentence, vote_is, which_was_which
from bot.web.answers import turn_of
from bot.web.asking import LONGEST, ask_of, begin, begin_two, nothing_runs, own_answer, persona_of
from bot.web.consent import question_for
from bot.web.live import LiveAnswer
from bot.web.rendering import difference, shown
from bot.web.site import PLATFORM
from bot.web.visitors import Member, NotYours, Sent, Unusable, Visitor, field

if TYPE_CHECKING:
    from bot.texts import Texts
    from data.store import StoredGeneration, StoredMessage
    from data.talks import Talk

router = APIRouter(prefix="/answers/{number}")

VERDICTS = ("a", "b", "tie", "both_bad")


def source() -> str:
    """The source of a rating: one form that was sent counts once."""
    return f"{PLATFORM}:{uuid4().hex}"


# -- votes


@router.post("/vote")
async def vote(visitor: Member, sent: Sent, number: int) -> Response:
    """👍 or 👎, or the same again to take it back."""
    return await _vote(visitor, number, field(sent, "value"), back=bool(field(sent, "back")))


async def _vote(visitor: Visitor, number: int, value: str, *, back: bool = False) -> Response:
    answer, _ = await own_answer(visitor, number)
    if value not in ("up", "down"):
        raise Unusable(visitor.texts.nothing_to_rate)
    ratings, rater = visitor.site.ratings, visitor.person
    if back:
        outcome = await ratings.retract(rater, number, platform=PLATFORM, source_id=source())
        return await _voted(visitor, answer, sentence(visitor.texts, outcome, "retraction"))
    outcome = await ratings.vote(rater, number, value, platform=PLATFORM, source_id=source())
    if outcome is RatingResult.CONSENT_MISSING:
        return await question_for(visitor, answer.generation, value=value)
    said = sentence(visitor.texts, outcome, "vote", value)
    if outcome not in (RatingResult.STORED, RatingResult.ALREADY):
        return await _voted(visitor, answer, said)
    return await _voted(visitor, answer, said, why=value == "down")


@router.post("/why")
async def why(visitor: Member, sent: Sent, number: int) -> Response:
    """What was wrong with an answer; the vote against it is stored since the click."""
    answer, _ = await own_answer(visitor, number)
    reasons = [reason for reason in visitor.texts.reasons if reason in sent.getlist("reason")]
    comment = _bounded(visitor, field(sent, "comment").strip())
    said = ": ".join(part for part in (", ".join(reasons), comment) if part)
    if not said:
        return await _voted(visitor, answer, vote_is(visitor.texts, "down"))
    outcome = await visitor.site.ratings.vote(
        visitor.person, number, "down", platform=PLATFORM, source_id=source(), why=said
    )
    return await _voted(visitor, answer, sentence(visitor.texts, outcome, "vote", "down"))


async def _voted(visitor: Visitor, answer: StoredGeneration, said: str, *, why: bool = False) -> Response:
    turn = await turn_of(visitor, answer)
    if turn is None or turn.answer is None:
        raise NotYours
    return shown(visitor, "voted.html", answer=turn.answer, sentence=said, why=why)


# -- corrections


@router.get("/correct")
async def open_correction(visitor: Member, number: int) -> Response:
    """The window for a correction; whoever has not agreed is asked before they write it."""
    answer, _ = await own_answer(visitor, number)
    if not answer.text:
        raise Unusable(visitor.texts.answer_gone)
    if not await visitor.site.store.agrees(visitor.person):
        return await question_for(visitor, answer.generation, value="correct")
    return shown(visitor, "correct.html", generation=answer.generation, text=answer.text, longest=LONGEST)


@router.post("/correct")
async def correct(visitor: Member, sent: Sent, number: int) -> Response:
    """What the answer should have been."""
    answer, _ = await own_answer(visitor, number)
    text = _bounded(visitor, field(sent, "text").replace("\r\n", "\n"))
    outcome = await visitor.site.ratings.correct(visitor.person, number, text, platform=PLATFORM, source_id=source())
    changed = outcome in (RatingResult.STORED, RatingResult.TAUGHT)
    return shown(
        visitor,
        "corrected.html",
        sentence=corrected(visitor.texts, outcome),
        changes=await asyncio.to_thread(difference, answer.text, text.strip()) if changed else None,
    )


def corrected(texts: Texts, outcome: RatingResult) -> str:
    """What to tell a person about their correction."""
    return texts.fix_empty if outcome is RatingResult.EMPTY else sentence(texts, outcome, "correction")


def _bounded(visitor: Visitor, text: str) -> str:
    if len(text) > LONGEST:
        raise Unusable(visitor.texts.web_too_long.format(characters=LONGEST))
    return text


# -- further answers


@router.post("/again")
async def again(visitor: Member, sent: Sent, number: int) -> Response:  # noqa: ARG001 - the form is checked
    """Another answer to the same question, which takes the place of this one on the page."""
    answer, talk = await own_answer(visitor, number)
    live = await _beside(visitor, answer, talk)
    asked = ask_of(visitor, talk.key, persona_of(visitor, talk), _asked_before)
    begin(visitor, live, lambda: visitor.site.chat.again(asked, answer))
    return shown(visitor, "live.html", live=live)


@router.post("/two")
async def two(visitor: Member, sent: Sent, number: int) -> Response:  # noqa: ARG001 - the form is checked
    """A second answer beside this one, to say which is better."""
    answer, talk = await own_answer(visitor, number)
    live = await _beside(visitor, answer, talk, two=True)
    asked = ask_of(visitor, talk.key, persona_of(visitor, talk), _asked_before)
    chat = visitor.site.chat
    begin_two(visitor, live, lambda candidate: chat.pair(asked, answer, engine=candidate), answer.release)
    return shown(visitor, "live.html", live=live)


@router.post("/more")
async def more(visitor: Member, sent: Sent, number: int) -> Response:  # noqa: ARG001 - the form is checked
    """The rest of an answer that was cut off: a turn of its own."""
    _, talk = await own_answer(visitor, number)
    nothing_runs(visitor, talk.key)

    async def go_on() -> StoredMessage:
        now = await visitor.site.store.generation(number)
        if now is None or not now.text:  # erased, perhaps while this waited for its turn
            raise Unanswerable(visitor.texts.question_gone)
        return await visitor.site.store.add_message(
            now.conversation, "user", visitor.texts.go_on_please, author=visitor.person, parent=now.message
        )

    asked = ask_of(visitor, talk.key, persona_of(visitor, talk), go_on)
    live = LiveAnswer(visitor.person, talk.key, visitor.texts.go_on_please)
    begin(visitor, live, lambda: visitor.site.chat.answer(asked))
    return shown(visitor, "live.html", live=live)


async def _beside(visitor: Visitor, answer: StoredGeneration, talk: Talk, *, two: bool = False) -> LiveAnswer:
    """A further answer to the question of this one."""
    turn = await turn_of(visitor, answer)
    if turn is None or not turn.question:
        raise Unusable(visitor.texts.question_gone)
    nothing_runs(visitor, talk.key)
    return LiveAnswer(visitor.person, talk.key, turn.question, two=two, again=answer.generation)


async def _asked_before() -> StoredMessage:
    raise AssertionError("the same question is asked again")


# -- comparisons


@router.post("/compare/{other}")
async def compare(visitor: Member, sent: Sent, number: int, other: int) -> Response:
    """Which of two answers is better; `number` was shown first. Then it is told which release was which."""
    return await _compare(visitor, number, other, field(sent, "verdict"))


async def _compare(visitor: Visitor, number: int, other: int, verdict: str) -> Response:
    first, talk = await own_answer(visitor, number)
    second, _ = await own_answer(visitor, other)
    if verdict not in VERDICTS or not comparable(first, second) or first.parent != second.parent:
        raise Unusable(visitor.texts.not_comparable)
    outcome = await visitor.site.ratings.compare(
        visitor.person, number, other, verdict, platform=PLATFORM, source_id=source()
    )
    if outcome is RatingResult.CONSENT_MISSING:
        return await question_for(visitor, number, value=verdict, other=other)
    said = sentence(visitor.texts, outcome, "comparison")
    if outcome in (RatingResult.STORED, RatingResult.ALREADY):
        said = f"{said} {which_was_which(visitor.texts, first, second)}"
    better = second if verdict == "b" else first
    turn = await turn_of(visitor, better)  # the conversation goes on from there
    return shown(visitor, "compared.html", turn=turn, sentence=said, key=talk.key)


async def rate_after_consent(visitor: Visitor, number: int, value: str, other: int | None) -> Response:
    """The rating that the consent question was asked for."""
    if value == "correct":
        return await open_correction(visitor, number)
    if other is not None:
        return await _compare(visitor, number, other, value)
    return await _vote(visitor, number, value)
