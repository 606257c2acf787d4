"""The moderation step that every text passes: questions and corrections before they are kept, answers as they grow.

What is flagged is never logged and never kept; only how often it happened is counted.
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
    """Says what is wrong with a text. Without words and without an endpoint nothing ever is.

    When the endpoint fails, the words still hold; `closed` says that nothing passes that it has not seen.
    `counts` says how often what was found, by "incoming" or "outgoing" and the kind.
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
        """What is wrong with what a person wrote; None when it may be answered and kept."""
        return self._count("incoming", self._words.find(text) or await self._asked(text))

    async def admit(self, text: str, texts: Texts) -> None:
        """To be awaited before a question is stored. Raises `Flagged` for one that may not be answered."""
        if kind := await self.incoming(text):
            raise Flagged(refusal(texts, kind))

    @property
    def holds(self) -> bool:
        """Whether nothing of an answer may be shown before all of it was looked at."""
        return self._closed and self._endpoint is not None

    def growing(self) -> Growing:
        """An answer that begins to grow."""
        return Growing(self._words)

    async def outgoing(self, text: str, found: Kind | None) -> Kind | None:
        """What is wrong with a whole answer, in which the words have `found` something already or nothing."""
        return self._count("outgoing", found or (await self._asked(text) if text.strip() else None))

    async def close(self) -> None:
        """Let go of the endpoint, and say how much was held back. Idempotent."""
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
                holds = "nothing passes until it answers" if self._closed else "the word lists alone hold"
                log.warning("the moderation endpoint failed (%s); %s", error, holds)
            return Kind.UNCHECKED if self._closed else None


def open_moderation(settings: Settings) -> Moderation:
    """The moderation step that the settings ask for. Raises `BadInput` for a list that cannot be read."""
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
    """The lists that come with the bot, in all languages, and a file of `more` words."""
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
        log.info("words and phrases of your own that are looked for: %d", len(own))
    else:
        log.warning("PARLEY_MODERATION_WORDS: %s holds no words. Write one word or phrase a line.", more)
    return WordLists({**lists, Kind.OWN: own})


def refusal(texts: Texts, kind: Kind) -> str:
    """What to tell somebody whose question is not answered."""
    return {Kind.SELF_HARM: texts.moderated_self_harm, Kind.UNCHECKED: texts.moderation_away}.get(
        kind, texts.moderated_question
    )


def withdrawal(texts: Texts, kind: Kind) -> str:
    """What stands in the place of an answer that was stopped."""
    return texts.moderation_away_answer if kind is Kind.UNCHECKED else texts.moderated_answer
