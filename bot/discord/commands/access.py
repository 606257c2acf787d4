"""`/access`: whom a server's managers let the bot answer, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot import access
from bot.access import ALLOW, BLOCK, TooMany
from bot.discord.managers import for_managers
from bot.discord.presses import PLATFORM, tell
from bot.discord.render import parts
from bot.discord.rules import ACCESS
from bot.texts import Texts, texts
from bot.texts.commands import CALLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley
    from data.scopes import Scope

Whom = discord.Member | discord.User | discord.Role
Where = app_commands.AppCommandChannel | app_commands.AppCommandThread


def add_access(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""
    group = app_commands.Group(
        name="access",
        description=CALLED["access"].for_en,
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    @group.command(name="allow")
    async def allow(
        interaction: discord.Interaction[Bot],
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _said(bot.talk, interaction, ALLOW, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="block")
    async def block(
        interaction: discord.Interaction[Bot],
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _said(bot.talk, interaction, BLOCK, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="clear")
    async def clear(
        interaction: discord.Interaction[Bot],
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _said(bot.talk, interaction, None, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="list")
    async def show(interaction: discord.Interaction[Bot]) -> None:
        words = texts(str(interaction.locale))
        if await _manages(interaction, words):
            said = await bot.talk.store.setting(ACCESS, [("server", str(interaction.guild_id))])
            await _tell_list(interaction, access.read(said), words)

    tree.add_command(group)


def entries(
    interaction: discord.Interaction, who: Whom | None, where: Where | None, *, everywhere: bool
) -> list[Scope]:
    """What was chosen, as entries of a server's list."""
    found: list[Scope] = []
    if who is not None:
        found.append(("role" if isinstance(who, discord.Role) else "user", str(who.id)))
    if where is not None:
        found.append(("channel", str(where.id)))
    if everywhere:
        found.append(("server", str(interaction.guild_id)))
    return found


async def _manages(interaction: discord.Interaction, words: Texts) -> bool:
    """Acknowledge a command; whether a manager gave it."""
    await interaction.response.defer(ephemeral=True)
    return await for_managers(interaction, words)


async def _said(talk: Talk, interaction: discord.Interaction, verdict: str | None, chosen: list[Scope]) -> None:
    """Put entries on a server's list, or take them off; then show it."""
    words = texts(str(interaction.locale))
    if not await _manages(interaction, words):
        return
    if not chosen:
        await tell(interaction, words.access_choose)
        return

    def change(setting: Mapping[str, str] | None) -> dict[str, str] | None:
        said = access.read(setting)
        for entry in chosen:
            said = access.with_entry(said, entry, verdict)
        return access.stored(said)

    try:
        now = await talk.store.change_setting(ACCESS, ("server", str(interaction.guild_id)), change)
    except TooMany:
        await tell(interaction, words.access_full.format(most=access.MOST))
        return
    for kind, number in chosen:
        # A person goes into the log by the number that leads nobody else to them.
        whom = await talk.store.person(PLATFORM, number) if kind == "user" else number
        await talk.audit(interaction, "access", verdict=verdict or "clear", kind=kind, whom=whom)
    await _tell_list(interaction, access.read(now), words)


async def _tell_list(interaction: discord.Interaction, said: Mapping[Scope, str], words: Texts) -> None:
    for part in parts(listed(said, words)):
        await tell(interaction, part.content)


def listed(said: Mapping[Scope, str], words: Texts) -> str:
    """A server's list, for its managers to read."""
    lines = []
    for line, verdict, kinds in (
        (words.access_people_allowed, ALLOW, ("user", "role")),
        (words.access_people_blocked, BLOCK, ("user", "role")),
        (words.access_places_allowed, ALLOW, ("channel", "server")),
        (words.access_places_blocked, BLOCK, ("channel", "server")),
    ):
        named = [_name(entry, words) for entry, value in said.items() if value == verdict and entry[0] in kinds]
        if named:
            lines.append(line.format(names=words.comma.join(named)))
    return "\n".join([*(lines or [words.access_nothing]), words.access_managers])


def _name(entry: Scope, words: Texts) -> str:
    kind, number = entry
    marks = {"user": f"<@{number}>", "role": f"<@&{number}>", "channel": f"<#{number}>"}
    return marks.get(kind, words.access_whole_server)
