"""Ratings: votes, corrections, comparisons and retractions, with the same rules on all platforms.

Nothing is stored from a person who has not agreed. One action is one event: the same `source_id` counts once, and a
vote that equals the person's current vote adds nothing.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from bot.metrics import Metrics
from bot.moderation.step import Moderation
from bot.moderation.words import Kind
from bot.streaming import WHOLE
from data.home_base import other_model
from data.store import NewRating, Store, StoredGeneration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.answers import Answered
    from bot.texts import Texts
    from data.lessons import StoredLesson


class RatingResult(Enum):
    """What happened to a rating."""

    STORED = "stored"
    TAUGHT = "the correction is stored, and it is a lesson for similar questions"
    ALREADY = "already there"
    CONSENT_MISSING = "the person has to agree first"
    GONE = "the answer is not there any more"
    FILTERED = "the engine's filter cut the answer"
    NOTHING = "there is no rating to take back"
    SAME = "the correction is the answer itself"
    EMPTY = "the correction is empty"
    FLAGGED = "the text is not allowed"
    UNCHECKED = "the text could not be checked"


class Ratings:
    """The ratings of all platforms. `fits` says whether a lesson is short enough for a prompt."""

    def __init__(
        self,
        store: Store,
        moderation: Moderation | None = None,
        metrics: Metrics | None = None,
        fits: Callable[[StoredLesson], Awaitable[bool]] | None = None,
    ) -> None:
        self.store = store
        self._fits = fits
        self.moderation = moderation or Moderation()
        self.metrics = metrics or Metrics()
        self._locks: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()

    async def vote(
        self, rater: int, generation: int, value: str, *, platform: str, source_id: str, why: str | None = None
    ) -> RatingResult:
        """Vote "up" or "down", with a reason if there is one; the newest vote is the one that counts."""
        async with self._alone(rater, generation):  # two clicks at once are one vote
            if (hindrance := await self._hindrance(rater, generation)) is not None:
                return hindrance
            if not why and await self.store.vote(generation, rater) == value:
                return RatingResult.ALREADY
            return await self._store("vote", rater, generation, platform, source_id, value=value, text=why or None)

    async def retract(self, rater: int, generation: int, *, platform: str, source_id: str) -> RatingResult:
        """Take a vote back. This needs no consent."""
        async with self._alone(rater, generation):
            if await self.store.vote(generation, rater) is None:
                return RatingResult.NOTHING
            return await self._store("retraction", rater, generation, platform, source_id)

    async def correct(
        self,
        rater: int,
        generation: int,
        text: str,
        *,
        platform: str,
        source_id: str,
        everybody_sees: bool = False,
    ) -> RatingResult:
        """Store what the answer should have been: `TAUGHT` where that is a lesson now, else `STORED`.

        `everybody_sees` says that all members of the server see the place.
        """
        if not text.strip():
            return RatingResult.EMPTY
        if (hindrance := await self._hindrance(rater, generation)) is not None:
            return hindrance
        answer = await self.store.generation(generation)
        if answer and answer.text.strip() == text.strip():
            return RatingResult.SAME
        stored = await self._store(
            "correction", rater, generation, platform, source_id, text=text.strip(), everybody_sees=everybody_sees
        )
        if stored is not RatingResult.STORED:
            return stored
        lesson = await self.store.lessons.made_of(generation, rater)
        taught = lesson is not None and (self._fits is None or await self._fits(lesson))
        return RatingResult.TAUGHT if taught else stored

    async def compare(
        self, rater: int, first: int, second: int, value: str, *, platform: str, source_id: str
    ) -> RatingResult:
        """Store which of two answers to the same prompt is better: "a" (shown first), "b", "tie" or "both_bad".

        The first verdict counts, because after it the person is told which release gave which answer.
        """
        async with self._alone(rater, min(first, second)):
            for generation in (first, second):
                if (hindrance := await self._hindrance(rater, generation)) is not None:
                    return hindrance
            if await self.store.compared(first, second, rater):
                return RatingResult.ALREADY
            return await self._store("comparison", rater, first, platform, source_id, value=value, other=second)

    async def take_back(self, rater: int, rating: str, *, platform: str, source_id: str) -> RatingResult:
        """Take one of a person's ratings back, named by its own source id. This needs no consent.

        A text that they wrote with it is erased. A comparison that was taken back cannot be made again, since the
        person knows by then which release gave which answer.
        """
        found = await self.store.rating(rating)
        if found is None or found.rater != rater:
            return RatingResult.NOTHING
        about = found.generation if found.other is None else min(found.generation, found.other)
        async with self._alone(rater, about):
            erased = await self.store.eraser.erase_rating_text(rating)
            newest = found.kind == "vote" and await self.store.rated_as("vote", found.generation, rater) == rating
            if newest and await self.store.vote(found.generation, rater) is not None:
                return await self._store("retraction", rater, found.generation, platform, source_id)
            if found.kind == "comparison" and found.other is not None:
                if await self.store.took_back(found.generation, found.other, rater):
                    return RatingResult.NOTHING
                about = found.generation
                return await self._store("retraction", rater, about, platform, source_id, other=found.other)
            return RatingResult.STORED if erased else RatingResult.NOTHING

    def _alone(self, rater: int, generation: int) -> asyncio.Lock:
        return self._locks.setdefault((rater, generation), asyncio.Lock())

    async def _hindrance(self, rater: int, generation: int) -> RatingResult | None:
        answer = await self.store.generation(generation)
        if answer is None or not answer.text:
            return RatingResult.GONE
        if answer.finish_reason == "filtered":
            return RatingResult.FILTERED
        return None if await self.store.agrees(rater) else RatingResult.CONSENT_MISSING

    async def _store(
        self,
        kind: str,
        rater: int,
        generation: int,
        platform: str,
        source_id: str,
        *,
        value: str | None = None,
        text: str | None = None,
        other: int | None = None,
        everybody_sees: bool = False,
    ) -> RatingResult:
        if text and (found := await self.moderation.incoming(text)):
            return RatingResult.UNCHECKED if found is Kind.UNCHECKED else RatingResult.FLAGGED
        rating = NewRating(
            source_id=source_id,
            rater=rater,
            kind=kind,
            generation=generation,
            other=other,
            value=value,
            text=text,
            platform=platform,
            everybody_sees=everybody_sees,
        )
        if not await self.store.rate(rating):
            return RatingResult.ALREADY
        self.metrics.ratings.labels(rating.kind).inc()
        return RatingResult.STORED


async def consent_in_words(store: Store, person: int, texts: Texts) -> str:
    """The person's latest answer about consent, in words."""
    given = await store.consent(person)
    if given is None:
        return texts.consent_unanswered
    if not given:
        return texts.no
    return texts.yes if await store.agrees(person) else texts.consent_older


def comparable(first: StoredGeneration, second: StoredGeneration) -> bool:
    """Whether two answers were given to exactly the same prompt, so that a comparison means something."""
    return first.rendered_sha256 == second.rendered_sha256 != ""


def worth_comparing(usual: Answered, other: Answered) -> bool:
    """Whether two answers of one turn are shown to be compared: both whole, to the same prompt, and different."""
    if other.finish_reason not in WHOLE or not comparable(usual.generation, other.generation):
        return False
    texts = {usual.generation.text.strip(), other.generation.text.strip()}
    return len(texts) == 2 and "" not in texts


def which_was_which(texts: Texts, first: StoredGeneration | None, second: StoredGeneration | None) -> str:
    """Which releases gave two compared answers; told to a person after their verdict."""
    one, other = (_answered_by(texts, answer) for answer in (first, second))
    if one == other:
        return texts.of_one_release.format(first=one)
    return texts.which_was_which.format(first=one, second=other)


def _answered_by(texts: Texts, answer: StoredGeneration | None) -> str:
    if answer and answer.model and other_model(answer.model):
        return answer.model
    return texts.of_release.format(release=answer.release) if answer and answer.release else texts.the_base


def vote_is(texts: Texts, vote: str | None) -> str:
    """A person's current vote on an answer, in words. Only they are told. `vote` is the store's word for it."""
    return {"up": texts.vote_up, "down": texts.vote_down, None: texts.vote_none}[vote]


def sentence(texts: Texts, outcome: RatingResult, kind: str, value: str | None = None) -> str:
    """What to tell a person about their rating. `kind` and `value` are the store's words."""
    if outcome is RatingResult.STORED:
        return {
            "vote": texts.stored_up if value == "up" else texts.stored_down,
            "correction": texts.stored_correction_alone,
            "comparison": texts.stored_comparison,
            "retraction": texts.stored_retraction,
        }[kind]
    return {
        RatingResult.TAUGHT: texts.stored_correction,
        RatingResult.ALREADY: texts.already,
        RatingResult.CONSENT_MISSING: texts.consent_first,
        RatingResult.GONE: texts.answer_gone,
        RatingResult.FILTERED: texts.filtered_not_rated,
        RatingResult.NOTHING: texts.nothing_to_retract,
        RatingResult.SAME: texts.correction_same,
        RatingResult.EMPTY: texts.correction_empty,
        RatingResult.FLAGGED: texts.moderated_rating,
        RatingResult.UNCHECKED: texts.moderation_away,
    }[outcome]
