"""`/limits`: how many answers an hour a server's managers allow, below the installation's own limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.commands.choices import HERE_OR_SERVER, server_wide
from bot.discord.managers import for_managers
from bot.discord.place import scopes
from bot.discord.rules import HOURLY
from bot.discord.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.discord.app import App
    from bot.texts import Texts

Limit = app_commands.Range[int, 0, 100_000]


def add_limits(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="limits")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.choices(where=HERE_OR_SERVER)
    async def limits(
        interaction: discord.Interaction,
        person: Limit | None = None,
        channel: Limit | None = None,
        server: Limit | None = None,
        where: app_commands.Choice[str] | None = None,
    ) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        given = {"person": person, "channel": channel, "server": server}
        asked = {kind: limit for kind, limit in given.items() if limit is not None}
        wide = server_wide(where)
        hindered = hindrance(asked, app.rules.installation, texts, wide=wide)
        if asked and hindered is None:
            places = scopes(interaction.channel, interaction.guild_id)
            await app.store.change_setting(
                HOURLY,
                places[-1] if wide else places[0],
                lambda now: with_limits(now, asked),
                server=interaction.guild_id,
            )
            details = _for_the_log(asked)
            await record(app.store, interaction, "limits", where="server" if wide else "here", **details)
        await tell(interaction, hindered or await limits_here(app, interaction, texts))


def _for_the_log(asked: Mapping[str, int]) -> dict[str, int]:
    # The log uses other names, because "server" means there where the entry was made.
    return {f"per_{kind}": limit for kind, limit in asked.items()}


def hindrance(asked: Mapping[str, int], installation: Mapping[str, int], texts: Texts, *, wide: bool) -> str | None:
    """Why limits cannot be set like this, as a sentence; None when they can."""
    if "server" in asked and not wide:
        return texts.limits_server_wide
    over = [limit for kind, limit in asked.items() if installation.get(kind) and limit > installation[kind]]
    if over:
        return texts.limits_too_wide.format(limits=_in_text(installation, texts))
    return None


def with_limits(now: Mapping[str, int] | None, asked: Mapping[str, int]) -> dict[str, int] | None:
    """A place's limits with the new ones; 0 removes a limit, so that wider places decide again."""
    return {kind: limit for kind, limit in {**(now or {}), **asked}.items() if limit} or None


async def limits_here(app: App, interaction: discord.Interaction, texts: Texts) -> str:
    """The limits of this place, of the server and of the installation."""
    places = scopes(interaction.channel, interaction.guild_id)
    found = await app.store.said(HOURLY, places)
    lines = [
        (texts.limits_here, found.get(places[0], {})),
        (texts.limits_on_server, found.get(places[-1], {})),
        (texts.limits_installation, app.rules.installation),
    ]
    return "\n".join(name.format(limits=_in_text(limits, texts)) for name, limits in lines)


def _in_text(limits: Mapping[str, Any], texts: Texts) -> str:
    names = {"person": texts.limit_person, "channel": texts.limit_channel, "server": texts.limit_server}
    found = [name.format(limit=limits[kind]) for kind, name in names.items() if limits.get(kind)]
    return texts.comma.join(found) or texts.no_limit
