"""The moderation step for every text: questions and corrections before they are kept, answers while they stream.

Flagged texts are never logged and never kept; they are only counted.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from importlib.resources import files
from typing import TYPE_CHECKING

from bot.answers import Flagged
from bot.moderation.endpoint import Endpoint, EndpointFailed
from bot.moderation.words import Growing, Kind, WordLists, phrases
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.settings import Settings
    from bot.texts import Texts

log = logging.getLogger(__name__)

OURS = (Kind.SELF_HARM, Kind.VIOLENCE, Kind.SLUR)
LANGUAGES = ("en", "zh")
MINUTE = 60.0


class Moderation:
    """Says what is wrong with a text. Without word lists and an endpoint, everything passes.

    If the endpoint fails, the word lists still apply; with `closed`, nothing passes without the endpoint's verdict.
    `counts` holds how often something was found, by "incoming" or "outgoing" and by kind.
    """

    def __init__(
        self,
        words: WordLists | None = None,
        endpoint: Endpoint | None = None,
        *,
        closed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[tuple[str, Kind]] = Counter()
        self._words = words or WordLists({})
        self._endpoint = endpoint
        self._closed = closed
        self._clock = clock
        self._complained: float | None = None

    async def incoming(self, text: str) -> Kind | None:
        """What is wrong with what a person wrote; None if it may be answered and kept."""
        return self._count("incoming", self._words.find(text) or await self._asked(text))

    async def admit(self, text: str, texts: Texts) -> None:
        """Check a question before it is stored. Raises `Flagged` if it may not be answered."""
        if kind := await self.incoming(text):
            raise Flagged(refusal(texts, kind))

    @property
    def holds(self) -> bool:
        """Whether no part of an answer may be shown before all of it was checked."""
        return self._closed and self._endpoint is not None

    def growing(self) -> Growing:
        """A check for an answer that is about to stream."""
        return Growing(self._words)

    async def outgoing(self, text: str, found: Kind | None) -> Kind | None:
        """What is wrong with a whole answer. `found` is what the word lists have already found in it."""
        return self._count("outgoing", found or (await self._asked(text) if text.strip() else None))

    async def close(self) -> None:
        """Close the endpoint, and log how much was held back. Idempotent."""
        if self._endpoint is not None:
            await self._endpoint.close()
        if self.counts:
            told = ", ".join(f"{way} {kind}: {number}" for (way, kind), number in sorted(self.counts.items()))
            log.info("held back by moderation since the start: %s", told)
            self.counts.clear()

    def _count(self, way: str, kind: Kind | None) -> Kind | None:
        if kind is not None:
            self.counts[way, kind] += 1
        return kind

    async def _asked(self, text: str) -> Kind | None:
        if self._endpoint is None:
            return None
        try:
            return await self._endpoint.kind(text)
        except EndpointFailed as error:
            now = self._clock()
            if self._complained is None or now - self._complained >= MINUTE:
                self._complained = now
                effect = "nothing passes until it answers" if self._closed else "only the word lists apply"
                log.warning("the moderation endpoint failed (%s); %s", error, effect)
            return Kind.UNCHECKED if self._closed else None


def open_moderation(settings: Settings) -> Moderation:
    """The moderation step for these settings. Raises `BadInput` for a list that cannot be read."""
    if settings.moderation == "off":
        return Moderation()
    endpoint = None
    if settings.moderation_url is not None:
        key = settings.moderation_api_key
        endpoint = Endpoint(
            settings.moderation_url,
            model=settings.moderation_model,
            api_key=key.get_secret_value() if key else None,
            outside=settings.moderation_outside,
        )
    return Moderation(our_words(settings.moderation_words), endpoint, closed=settings.moderation_fail == "closed")


def our_words(more: Path | None = None) -> WordLists:
    """The word lists that come with the bot, in all languages, and a file with `more` words."""
    here = files("bot.moderation") / "lists"
    lists = {
        kind: [
            phrase
            for language in LANGUAGES
            for phrase in phrases((here / f"{kind}.{language}.txt").read_text("utf-8"), f"{kind}.{language}.txt")
        ]
        for kind in OURS
    }
    if more is None:
        return WordLists(lists)
    try:
        text = more.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"PARLEY_MODERATION_WORDS: {more} is not a UTF-8 text file.") from None
    except OSError as error:
        raise BadInput(f"PARLEY_MODERATION_WORDS: {more} cannot be read ({error.strerror}).") from None
    own = phrases(text, str(more))
    if own:
        log.info("your own words and phrases on the word list: %d", len(own))
    else:
        log.warning("PARLEY_MODERATION_WORDS: %s holds no words. Write one word or phrase a line.", more)
    return WordLists({**lists, Kind.OWN: own})


def refusal(texts: Texts, kind: Kind) -> str:
    """What to tell a person whose question is not answered."""
    return {Kind.SELF_HARM: texts.moderated_self_harm, Kind.UNCHECKED: texts.moderation_away}.get(
        kind, texts.moderated_question
    )


def withdrawal(texts: Texts, kind: Kind) -> str:
    """What is shown in place of an answer that was stopped."""
    return texts.moderation_away_answer if kind is Kind.UNCHECKED else texts.moderated_answer
