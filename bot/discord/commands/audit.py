"""`/audit`: what managers and operators did, for managers and operators to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord

from bot.discord.ids import person_of, server_of
from bot.discord.managers import manages
from bot.discord.telling import acknowledge, tell, texts_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from discord import app_commands

    from bot.discord.app import App
    from bot.texts import Texts
    from data.audit_log import AuditEntry

NEWEST = 20
LONGEST = 90  # characters of a line, so that all lines fit into one message


def add_audit(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="audit")
    async def audit(interaction: discord.Interaction) -> None:
        await acknowledge(interaction)
        await tell(interaction, await newest(app, interaction, texts_for(interaction)))


async def newest(app: App, interaction: discord.Interaction, texts: Texts) -> str:
    """The newest entries: on a server its own, for people who manage it; elsewhere all of them, for operators."""
    guild = interaction.guild_id
    if not manages(interaction) and not await app.operators.include(interaction.user.id):
        return texts.operators_only if guild is None else texts.audit_managers_only
    found = await app.store.deeds(await server_of(app.store, guild), NEWEST)
    names = {str(each.id): each.name for each in app.client.guilds} if guild is None else {}
    return lines(found, await person_of(app.store, interaction.user.id), names, texts)


def lines(entries: Sequence[AuditEntry], reader: int, servers: Mapping[str, str], texts: Texts) -> str:
    """Entries as people read them; `servers` are names of servers by their ids, none for a single server."""
    if not entries:
        return texts.audit_empty
    return "\n".join([texts.audit_newest, *(_line(entry, reader, servers, texts) for entry in entries)])


def _line(entry: AuditEntry, reader: int, servers: Mapping[str, str], texts: Texts) -> str:
    who = texts.audit_you if entry.person == reader else entry.pseudonym
    text = " ".join([entry.deed, *(f"{name}={value}" for name, value in entry.what.items() if value is not None)])
    if entry.server is not None and entry.server in servers:
        text += f" @ {servers[entry.server]}"
    # It may contain names that people gave: in a code span they format nothing and mention nobody.
    plain = " ".join(text.replace("`", "'").split())[: LONGEST - len(who) - 24]
    return f"<t:{int(entry.at.timestamp())}:f> {who} `{plain}`"
