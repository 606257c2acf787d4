"""The question whether Parley may learn from the person at the terminal, and what is kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.ratings import consent_in_words
from bot.terminal.asking import yes_or_no
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.settings import Settings
    from bot.terminal.console import Lines
    from bot.texts import Texts
    from data.store import Store


class ConsentQuestion:
    """Shows the question, asks it, and records the answer. `say` writes a sentence."""

    def __init__(
        self, store: Store, settings: Settings, texts: Texts, lines: Lines, say: Callable[[str], None]
    ) -> None:
        self._store, self._settings, self._texts, self._lines, self._say = store, settings, texts, lines, say
        self.shown = False  # the person can have read the text

    async def show(self, person: int) -> None:
        """Show the text that is agreed to."""
        if await self._store.consent(person):
            self._say(self._texts.consent_changed)
        self._say(self._texts.consent_question.format(days=self._settings.retention_days))
        self.shown = True

    async def ask(self, person: int) -> bool:
        """Ask below the text; whether the person agreed. A question without an answer is asked again another time."""
        await self.show(person)
        agreed = await yes_or_no(self._lines, self._texts.ask_consent, lambda: self._say(self._texts.yes_or_no))
        if agreed is not None:
            await self.record(person, agreed)
        return bool(agreed)

    async def record(self, person: int, granted: bool) -> None:
        """Record an answer, and say what follows from it."""
        await self._store.set_consent(person, granted, CONSENT_VERSION)
        self._say(self._texts.consent_given if granted else self._texts.consent_refused)

    async def usage(self, person: int) -> str:
        """How to answer, and what the person answered last."""
        return self._texts.consent_usage.format(consent=await self._in_words(person))

    async def privacy(self, person: int) -> str:
        """What is kept, and for how long."""
        told = self._texts.privacy.format(
            training=self._texts.training, days=self._settings.retention_days, consent=await self._in_words(person)
        )
        return f"{told} {self._texts.privacy_checked_outside}" if self._settings.checked_outside else told

    async def _in_words(self, person: int) -> str:
        return await consent_in_words(self._store, person, self._texts)
