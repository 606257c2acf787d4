"""Consent on Discord: the question before the first rating is kept, and what a person answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.discord.buttons import Press, view
from bot.discord.ids import person_of
from bot.discord.telling import acknowledge, replace_question, tell
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    import discord

    from bot.discord.app import App
    from bot.texts import Texts


async def ask_consent(app: App, interaction: discord.Interaction, rating: str, texts: Texts) -> None:
    """Ask a person before their first rating is kept.

    The button for "yes" remembers the version of the text, and the `rating` that is kept after a yes ("" for none).
    """
    await acknowledge(interaction)
    text, buttons = await consent_question(app, await person_of(app.store, interaction.user.id), rating, texts)
    await tell(interaction, text, buttons)


async def consent_question(app: App, person: int, rating: str, texts: Texts) -> tuple[str, discord.ui.View]:
    """The consent question for a person, with its buttons; see `ask_consent`."""
    question = texts.consent_question if app.may_train else texts.consent_question_held
    buttons = view(Press("agree", f"{CONSENT_VERSION}:{rating}", texts.yes), Press("no", "", texts.no))
    text = question.format(days=app.settings.retention_days)
    if await app.store.consent(person) and not await app.store.agrees(person):
        text = f"{texts.consent_changed}\n{text}"  # they agreed to an older version of the text
    return text, buttons


async def record_consent(
    app: App, interaction: discord.Interaction, granted: bool, version: str, texts: Texts
) -> None:
    """Record the answer to the consent question, and put what it means in the question's place."""
    person = await person_of(app.store, interaction.user.id)
    same = await app.store.agrees(person) if granted else await app.store.consent(person) is False
    if not same:  # a double click is one answer
        await app.store.set_consent(person, granted, version)
    await replace_question(interaction, consent_text(app, granted, texts))


def consent_text(app: App, granted: bool, texts: Texts) -> str:
    """What a person's answer to the consent question means here."""
    given = texts.consent_given if app.may_train else texts.consent_given_held
    return given if granted else texts.consent_refused
