"""What a visitor asks, as the core wants it, and the answers that begin with it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bot import rate_limit
from bot.answers import Ask, Unanswerable
from bot.rate_limit import Asker, Cap
from bot.web.live import LiveAnswer
from bot.web.site import PLATFORM
from bot.web.visitors import NotYours, Unusable, signed_in
from data.errors import BadInput
from data.personas import LANGUAGES, Persona, persona
from data.talks import Talk, talk_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from bot.answers import RunningAnswer
    from bot.engine.api import Engine
    from bot.web.visitors import Visitor
    from data.store import StoredGeneration, StoredMessage

LONGEST = 20_000  # characters of one message


def persona_of(visitor: Visitor, talk: Talk) -> Persona:
    """The persona that a conversation began with; the installation's where that is gone by now."""
    language = talk.language if talk.language in LANGUAGES else visitor.language
    try:
        return persona(talk.persona, language)
    except BadInput:
        return persona(visitor.site.settings.persona, language)


def ask_of(visitor: Visitor, key: str, who: Persona, question: Callable[[], Awaitable[StoredMessage]]) -> Ask:
    """The question of a visitor in the conversation with this key. Nothing is stored for somebody who is gone."""

    async def still_there() -> StoredMessage:
        if not await signed_in(visitor.site, visitor.session):  # they may have left while they waited
            raise Unanswerable(visitor.texts.question_gone)
        return await question()

    settings = visitor.site.settings
    limits = {"person": settings.hourly_per_person}
    caps = rate_limit.caps(Asker(visitor.person, key, None, ()), limits, {})
    if visitor.session.guest and settings.web_hourly_per_address:
        caps = (*caps, Cap("person", ("address", visitor.address), settings.web_hourly_per_address))
    return Ask(
        person=visitor.person,
        channel=PLATFORM,  # one line for each person: many conversations at once must not fill everybody's
        platform=PLATFORM,
        persona=who,
        question=still_there,
        texts=visitor.texts,
        caps=caps,
    )


async def own_answer(visitor: Visitor, number: int) -> tuple[StoredGeneration, Talk]:
    """An answer in a conversation of the visitor's on the page. Raises `NotYours`."""
    if not 0 < number < 1 << 63:  # SQLite holds no other numbers
        raise NotYours
    answer = await visitor.site.store.generation(number)
    if answer is None:
        raise NotYours
    async with visitor.site.store.database.read() as session:
        talk = await talk_of(session, answer.conversation, PLATFORM, visitor.person)
    if talk is None:
        raise NotYours
    return answer, talk


def nothing_runs(visitor: Visitor, key: str) -> None:
    """Raise `Unusable` while an answer runs in this conversation. Await nothing between this and the next answer's
    beginning: two forms that were sent at once would both begin one.
    """
    if visitor.site.live.running(visitor.person, key):
        raise Unusable(visitor.texts.on_its_way)


def begin(visitor: Visitor, live: LiveAnswer, run: Callable[[], RunningAnswer]) -> LiveAnswer:
    """Begin one answer."""

    @asynccontextmanager
    async def start() -> AsyncIterator[RunningAnswer]:
        yield run()

    visitor.site.live.add(live)
    live.begin(start, visitor.texts.internal_error)
    return live


def begin_two(
    visitor: Visitor, live: LiveAnswer, run: Callable[[Engine | None], RunningAnswer], beside: int | None = None
) -> LiveAnswer:
    """Begin two answers to compare; during a trial one is the candidate's. `beside` is the first one's release."""

    @asynccontextmanager
    async def start() -> AsyncIterator[RunningAnswer]:
        async with visitor.site.trial.engine(beside) as candidate:
            yield run(candidate)

    visitor.site.live.add(live)
    live.begin(start, visitor.texts.internal_error)
    return live
