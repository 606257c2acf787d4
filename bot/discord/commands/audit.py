"""The audit log: what managers and operators did, written down as they do it, for managers and operators to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.discord.managers import manages
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from discord import app_commands

    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley
    from data.audit_log import AuditEntry

NEWEST = 20
LONGEST = 90  # characters of a line, so that all of them fit into one message


def add_audit(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the command to the bot's tree."""

    @tree.command(name="audit")
    async def audit(interaction: discord.Interaction[Bot]) -> None:
        await interaction.response.defer(ephemeral=True)
        told = await shown(bot.talk, interaction, texts(str(interaction.locale)))
        await interaction.followup.send(told, ephemeral=True, allowed_mentions=NOBODY)


async def record(talk: Talk, interaction: discord.Interaction, deed: str, **what: str | int | None) -> None:
    """Write down what a person did on the server that they did it on."""
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    guild = interaction.guild_id
    server = await talk.store.server(PLATFORM, str(guild)) if guild else None
    await talk.store.record_deed(person, deed, server=server, **what)


async def shown(talk: Talk, interaction: discord.Interaction, words: Texts) -> str:
    """The newest deeds: on a server those there, for who may manage it; else all of them, for operators."""
    guild = interaction.guild_id
    if not manages(interaction) and not await talk.operators.include(interaction.user.id):
        return words.operators_only if guild is None else words.audit_managers_only
    server = await talk.store.server(PLATFORM, str(guild)) if guild else None
    found = await talk.store.deeds(server, NEWEST)
    names = {str(each.id): each.name for each in talk.client.guilds} if guild is None else {}
    return lines(found, await talk.store.person(PLATFORM, str(interaction.user.id)), names, words)


def lines(deeds: Sequence[AuditEntry], asker: int, servers: Mapping[str, str], words: Texts) -> str:
    """Deeds as people read them; `servers` are the names of those to be told apart, by their ids on Discord."""
    if not deeds:
        return words.audit_empty
    return "\n".join([words.audit_newest, *(_line(deed, asker, servers, words) for deed in deeds)])


def _line(deed: AuditEntry, asker: int, servers: Mapping[str, str], words: Texts) -> str:
    who = words.audit_you if deed.person == asker else deed.pseudonym
    told = " ".join([deed.deed, *(f"{name}={value}" for name, value in deed.what.items() if value is not None)])
    if deed.server is not None and deed.server in servers:
        told += f" @ {servers[deed.server]}"
    # Names that people gave stand in it: in a code span they format nothing and mention nobody.
    plain = " ".join(told.replace("`", "'").split())[: LONGEST - len(who) - 24]
    return f"<t:{int(deed.at.timestamp())}:f> {who} `{plain}`"
