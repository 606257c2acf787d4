"""A person's own data: `/privacy` and `/consent`, `/export` and `/forget`."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.buttons import Press, view
from bot.discord.consent import ask_consent, consent_text
from bot.discord.ids import person_of
from bot.discord.telling import acknowledge, tell, tell_file, texts_for
from bot.ratings import consent_in_words
from data.consent import CONSENT_VERSION

if TYPE_CHECKING:
    from bot.discord.app import App


def add_privacy(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""

    @tree.command(name="privacy")
    async def privacy(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        texts = texts_for(interaction)
        person = await person_of(app.store, interaction.user.id)
        given = await consent_in_words(app.store, person, texts)
        training = texts.training if app.may_train else texts.training_held
        text = texts.privacy.format(training=training, days=app.settings.retention_days, consent=given)
        if app.settings.checked_outside:
            text += f" {texts.privacy_checked_outside}"
        await tell(interaction, text)

    @tree.command(name="consent")
    @app_commands.choices(
        answer=[app_commands.Choice(name="yes", value="yes"), app_commands.Choice(name="no", value="no")]
    )
    async def consent(interaction: discord.Interaction, answer: app_commands.Choice[str]) -> None:
        await acknowledge(interaction)
        texts = texts_for(interaction)
        if answer.value == "yes":  # they read first what they agree to
            await ask_consent(app, interaction, "", texts)
            return
        person = await person_of(app.store, interaction.user.id)
        await app.store.set_consent(person, False, CONSENT_VERSION)
        await tell(interaction, consent_text(app, False, texts))

    @tree.command(name="export")
    async def export(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        kept = await app.store.kept_of(await person_of(app.store, interaction.user.id))
        kept["server_lists"] = await app.rules.lists(interaction.user.id)
        file = io.BytesIO(json.dumps(kept, ensure_ascii=False, indent=2).encode())
        texts = texts_for(interaction)
        if not await tell_file(interaction, texts.kept, discord.File(file, "parley.json")):
            await tell(interaction, texts.no_files_here)

    @tree.command(name="forget")
    async def forget(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        texts = texts_for(interaction)
        await tell(interaction, texts.forget_question, view(Press("forget", "", texts.forget_yes)))
