"""Feedback: what a program says that its user thinks of an answer becomes the core's ratings."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bot.moderation.words import Kind
from bot.ratings import RatingResult, comparable, sentence
from bot.texts import texts
from bot.web.api.asked import Asker
from bot.web.api.errors import UNKNOWN_COMPLETION, UNKNOWN_FEEDBACK, ApiError, refused
from bot.web.api.models import release_name
from bot.web.api.people import person_of
from bot.web.api.requests import Consent, User
from data.home import installation_key, keyed_hash
from data.home_base import other_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.web.site import Site
    from data.api_keys import ApiKey
    from data.store import StoredGeneration

LONGEST = 20_000  # characters of a text
Completion = Annotated[str, Field(min_length=1, max_length=64, description="The `id` of a completion.")]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class _Feedback(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    completion_id: Completion
    user: User | None = None
    consent: Consent | None = None


class Vote(_Feedback):
    """A thumb up or down, with a comment if there is one. The newest vote is the one that counts."""

    kind: Literal["vote"]
    value: Literal["up", "down"]
    comment: Text | None = None


class Comparison(_Feedback):
    """Which of two answers to the same prompt is better: a is `completion_id`, which was shown first."""

    kind: Literal["comparison"]
    other_id: Completion
    value: Literal["a", "b", "tie", "both_bad"]


class Correction(_Feedback):
    """What the answer should have been."""

    kind: Literal["correction"]
    text: Text


class Comment(_Feedback):
    """What the user says about their vote. `value` is only needed where there is no vote yet."""

    kind: Literal["comment"]
    text: Text
    value: Literal["up", "down"] | None = None


class FollowUp(_Feedback):
    """What the user who asked said next, where the program does not ask the model about it."""

    kind: Literal["follow_up"]
    text: Text


Feedback = Annotated[Vote | Comparison | Correction | Comment | FollowUp, Field(discriminator="kind")]


class Kept(BaseModel):
    """What became of feedback. `id` takes it back, and `answered_by` says which release gave which answer.

    During a trial only a comparison is told that: who knows which release gave an answer may prefer it for that.
    """

    id: str
    object: Literal["feedback"] = "feedback"
    created: int
    kind: str
    status: Literal["stored", "lesson", "already"]
    message: str
    answered_by: dict[str, str]


_STATUS: dict[RatingResult, Literal["stored", "lesson", "already"]] = {
    RatingResult.STORED: "stored",
    RatingResult.TAUGHT: "lesson",
    RatingResult.ALREADY: "already",
}


async def give(site: Site, key: ApiKey, body: Feedback, asker: Asker, once: str | None) -> Kept:
    """Keep feedback. The same `once` (the header Idempotency-Key) is the same feedback. Raises `ApiError`."""
    person = await person_of(site.store, key, asker)
    answer = await _answer(site, key, body.completion_id)
    number = _number(site, key, person, once)
    if once is not None:
        await _check_once(site, key, number, body, answer)
    how: dict[str, Any] = {"platform": key.platform, "source_id": source(key, number)}
    rated = [(body.completion_id, answer)]
    said: str | None = None  # the vote that a comment belongs to
    match body:
        case Vote():
            why = body.comment.strip() if body.comment else None
            outcome = await site.ratings.vote(person, answer.generation, body.value, **how, why=why)
        case Comment():
            said, outcome = await _comment(site, person, answer.generation, body, how)
        case Correction():
            outcome = await site.ratings.correct(person, answer.generation, body.text, **how)
        case Comparison():
            other = await _answer(site, key, body.other_id)
            _check_pair(answer, other)
            rated.append((body.other_id, other))
            outcome = await site.ratings.compare(person, answer.generation, other.generation, body.value, **how)
        case FollowUp():
            outcome = await _follow_up(site, key, person, answer, body.text, number)
    kind, value = _words(body)
    value = said or value
    sentences = texts(site.settings.language)
    if error := refused(outcome, kind, sentences):
        raise error
    if outcome is RatingResult.ALREADY:
        number = await _given_before(site, key, person, kind, [each for _, each in rated]) or number
    return Kept(
        id=number,
        created=int(time.time()),
        kind=body.kind,
        status=_STATUS[outcome],
        message=sentences.stored_follow_up if kind == "follow_up" else sentence(sentences, outcome, kind, value),
        answered_by={name: _release(each) for name, each in rated} if _told(site, kind) else {},
    )


async def take_back(site: Site, key: ApiKey, number: str, asker: Asker) -> None:
    """Take feedback back. Raises `ApiError` where this user gave none with this id, or took it back already."""
    person = await person_of(site.store, key, asker)
    said = await site.store.message(key.platform, number)
    if said is not None and said.author == person and said.role == "user":
        await site.store.eraser.erase_message(key.platform, number)
        return
    back = source(key, f"back-{secrets.token_hex(12)}")
    outcome = await site.ratings.take_back(person, source(key, number), platform=key.platform, source_id=back)
    if outcome is RatingResult.NOTHING:
        raise UNKNOWN_FEEDBACK
    if error := refused(outcome, "retraction", texts(site.settings.language)):
        raise error


def source(key: ApiKey, number: str) -> str:
    """The source id of a rating that has this number on a key's platform."""
    return f"api:{key.platform}:{number}"


def _number(site: Site, key: ApiKey, person: int, once: str | None) -> str:
    """The number of new feedback; the same for the same `once` of the same person."""
    if once is None:
        return f"fb-{secrets.token_hex(12)}"
    secret = installation_key(site.settings.home)
    return f"fb-{keyed_hash(secret, 'once', key.platform, str(person), once)[:24]}"


async def _check_once(site: Site, key: ApiKey, number: str, body: Feedback, answer: StoredGeneration) -> None:
    """Raise `ApiError` where an Idempotency-Key stands for other feedback already."""
    before = await site.store.rating(source(key, number))
    followed = await site.store.message(key.platform, number)
    if before is None and followed is None:
        return
    if isinstance(body, FollowUp):
        same = followed is not None and followed.parent == answer.message
    elif before is None:
        same = False
    else:
        kind, value = _words(body)
        other = (await _answer(site, key, body.other_id)).generation if isinstance(body, Comparison) else None
        said = (kind, value or before.value, answer.generation, other)
        same = said == (before.kind, before.value, before.generation, before.other)
    if not same:
        raise ApiError(
            400,
            "This Idempotency-Key was sent with other feedback before. Each one needs a key of its own.",
            "idempotency_key_reused",
        )


def _told(site: Site, kind: str) -> bool:
    """Whether it is told which release gave an answer."""
    return kind == "comparison" or site.trial.candidate() is None


async def _given_before(
    site: Site, key: ApiKey, person: int, kind: str, rated: Sequence[StoredGeneration]
) -> str | None:
    """The number of the same feedback, which was given before, about one answer or two."""
    answer, *other = (each.generation for each in rated)
    found = await site.store.rated_as(kind, answer, person, *other)
    begins = source(key, "")
    return found.removeprefix(begins) if found and found.startswith(begins) else None


async def _answer(site: Site, key: ApiKey, completion: str) -> StoredGeneration:
    found = await site.store.shown(key.platform, completion)
    if found is None or not found.text:
        raise UNKNOWN_COMPLETION
    return found


def _check_pair(one: StoredGeneration, other: StoredGeneration) -> None:
    if one.generation == other.generation:
        raise ApiError(400, "An answer cannot be compared with itself.", "invalid_value", param="other_id")
    if not comparable(one, other):
        raise ApiError(
            400,
            "These two answers were not given to the same prompt, so a comparison would say nothing. Send the same "
            "messages twice to get two answers to compare.",
            "not_comparable",
            param="other_id",
        )


async def _comment(
    site: Site, person: int, generation: int, body: Comment, how: dict[str, Any]
) -> tuple[str, RatingResult]:
    """A comment is the reason of a vote, as on other platforms: the vote, and what became of it."""
    value = body.value or await site.store.vote(generation, person)
    if value is None:
        raise ApiError(
            400,
            "This user has no vote on this answer that the comment could belong to. Send `value` too: up or down.",
            "missing_required_parameter",
            param="value",
        )
    return value, await site.ratings.vote(person, generation, value, **how, why=body.text.strip() or None)


async def _follow_up(
    site: Site, key: ApiKey, person: int, answer: StoredGeneration, text: str, number: str
) -> RatingResult:
    """What the person who asked said next becomes the message below the answer."""
    if not text.strip():
        return RatingResult.EMPTY
    if not await site.store.agrees(person):
        return RatingResult.CONSENT_MISSING
    asked = await site.store.path(answer.parent) if answer.parent is not None else []
    if not asked or asked[-1].author != person:
        raise ApiError(
            403, "Only the user whose question it was can follow it up.", "not_the_asker", param="completion_id"
        )
    if await site.store.message(key.platform, number) is not None:
        return RatingResult.ALREADY
    if found := await site.chat.moderation.incoming(text):
        return RatingResult.UNCHECKED if found is Kind.UNCHECKED else RatingResult.FLAGGED
    below = await site.store.histories.add_below(answer.message, person, text, platform_id=number)
    return RatingResult.STORED if below else RatingResult.GONE


def _words(body: Any) -> tuple[str, str | None]:
    """The store's words for what was said."""
    if isinstance(body, Comment):
        return "vote", body.value
    return ("vote" if isinstance(body, Vote) else body.kind), getattr(body, "value", None)


def _release(answer: StoredGeneration) -> str:
    if answer.model and other_model(answer.model):
        return answer.model
    return release_name(answer.release)
