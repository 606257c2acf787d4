"""`/limits`: how many answers an hour a server's managers allow, below what the installation does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.managers import for_managers
from bot.discord.place import scopes
from bot.discord.presses import tell
from bot.discord.rules import HOURLY
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

Limit = app_commands.Range[int, 0, 100_000]


def add_limits(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the command to the bot's tree."""

    @tree.command(name="limits")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(
        where=[app_commands.Choice(name="here", value="here"), app_commands.Choice(name="server", value="server")],
    )
    async def limits(
        interaction: discord.Interaction[Bot],
        person: Limit | None = None,
        channel: Limit | None = None,
        server: Limit | None = None,
        where: app_commands.Choice[str] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words):
            return
        given = {"person": person, "channel": channel, "server": server}
        asked = {kind: limit for kind, limit in given.items() if limit is not None}
        wide = where is not None and where.value == "server"
        hindered = hindrance(asked, bot.talk.rules.installation, words, wide=wide)
        if asked and hindered is None:
            places = scopes(interaction.channel, interaction.guild_id)
            await bot.talk.store.change_setting(
                HOURLY,
                places[-1] if wide else places[0],
                lambda now: with_limits(now, asked),
                server=interaction.guild_id,
            )
            await bot.talk.audit(interaction, "limits", where="server" if wide else "here", **numbers(asked))
        await tell(interaction, hindered or await shown(bot.talk, interaction, words))


def numbers(asked: Mapping[str, int]) -> dict[str, int]:
    """The limits that were set, by names of their own: a deed's server is the one that it was done on."""
    return {f"per_{kind}": limit for kind, limit in asked.items()}


def hindrance(asked: Mapping[str, int], installation: Mapping[str, int], words: Texts, *, wide: bool) -> str | None:
    """Why limits cannot be set so, as a sentence; None when they can."""
    if "server" in asked and not wide:
        return words.limits_server_wide
    over = [limit for kind, limit in asked.items() if installation.get(kind) and limit > installation[kind]]
    if over:
        return words.limits_too_wide.format(limits=_told(installation, words))
    return None


def with_limits(now: Mapping[str, int] | None, asked: Mapping[str, int]) -> dict[str, int] | None:
    """A place's limits with those that were asked for; 0 leaves one to the wider places again."""
    return {kind: limit for kind, limit in {**(now or {}), **asked}.items() if limit} or None


async def shown(talk: Talk, interaction: discord.Interaction, words: Texts) -> str:
    """What limits there are: here, on the server, of the installation."""
    places = scopes(interaction.channel, interaction.guild_id)
    said = await talk.store.said(HOURLY, places)
    lines = [
        (words.limits_here, said.get(places[0], {})),
        (words.limits_on_server, said.get(places[-1], {})),
        (words.limits_installation, talk.rules.installation),
    ]
    return "\n".join(name.format(limits=_told(limits, words)) for name, limits in lines)


def _told(limits: Mapping[str, Any], words: Texts) -> str:
    names = {"person": words.limit_person, "channel": words.limit_channel, "server": words.limit_server}
    told = [name.format(limit=limits[kind]) for kind, name in names.items() if limits.get(kind)]
    return words.comma.join(told) or words.no_limit
