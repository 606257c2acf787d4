"""`/language`: the language of the bot's sentences and personas, in a channel or on a whole server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.commands.choices import HERE_OR_SERVER, server_wide
from bot.discord.managers import for_managers
from bot.discord.place import scopes
from bot.discord.rules import LANGUAGE
from bot.discord.telling import tell
from data.personas import LANGUAGES

if TYPE_CHECKING:
    import discord

    from bot.discord.app import App

DEFAULT = "default"  # the choice that means: use the language of the wider place
_CHOICES = [app_commands.Choice(name=name, value=name) for name in (*LANGUAGES, DEFAULT)]


def add_language(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="language")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(name=_CHOICES, where=HERE_OR_SERVER)
    async def language(
        interaction: discord.Interaction,
        name: app_commands.Choice[str] | None = None,
        where: app_commands.Choice[str] | None = None,
    ) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        if name is not None:
            wide = server_wide(where)
            places = scopes(interaction.channel, interaction.guild_id)
            value = None if name.value == DEFAULT else name.value
            place = places[-1] if wide else places[0]
            await app.store.set_setting(LANGUAGE, place, value, server=interaction.guild_id)
            await record(app.store, interaction, "language", name=name.value, where="server" if wide else "here")
        now = await app.rules.language(interaction.channel, interaction.guild_id)
        await tell(interaction, texts.language_now.format(name=texts.languages[LANGUAGES.index(now)]))
