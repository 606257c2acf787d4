"""`/access`: whom a server's managers let the bot answer, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import access
from bot.access import ALLOW, BLOCK, TooMany
from bot.discord.audit_log import record
from bot.discord.ids import person_of
from bot.discord.managers import for_managers
from bot.discord.render import parts
from bot.discord.rules import ACCESS
from bot.discord.telling import tell
from bot.texts.commands import CALLED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.discord.app import App
    from bot.texts import Texts
    from data.scopes import Scope

Whom = discord.Member | discord.User | discord.Role
Where = app_commands.AppCommandChannel | app_commands.AppCommandThread


def add_access(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""
    group = app_commands.Group(
        name="access",
        description=CALLED["access"].for_en,
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    @group.command(name="allow")
    async def allow(
        interaction: discord.Interaction,
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _change(app, interaction, ALLOW, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="block")
    async def block(
        interaction: discord.Interaction,
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _change(app, interaction, BLOCK, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="clear")
    async def clear(
        interaction: discord.Interaction,
        who: Whom | None = None,
        where: Where | None = None,
        everywhere: bool = False,
    ) -> None:
        await _change(app, interaction, None, entries(interaction, who, where, everywhere=everywhere))

    @group.command(name="list")
    async def show(interaction: discord.Interaction) -> None:
        if (texts := await for_managers(interaction)) is not None:
            listed = await app.store.setting(ACCESS, [("server", str(interaction.guild_id))])
            await _tell_list(interaction, access.read(listed), texts)

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


async def _change(app: App, interaction: discord.Interaction, verdict: str | None, chosen: list[Scope]) -> None:
    """Put entries on a server's list, or take them off (None); then show the list."""
    if (texts := await for_managers(interaction)) is None:
        return
    if not chosen:
        await tell(interaction, texts.access_choose)
        return

    def change(setting: Mapping[str, str] | None) -> dict[str, str] | None:
        listed = access.read(setting)
        for entry in chosen:
            listed = access.with_entry(listed, entry, verdict)
        return access.stored(listed)

    try:
        now = await app.store.change_setting(ACCESS, ("server", str(interaction.guild_id)), change)
    except TooMany:
        await tell(interaction, texts.access_full.format(most=access.MOST))
        return
    for kind, number in chosen:
        # A person is logged by the store's number, which tells nobody else who they are.
        whom = await person_of(app.store, int(number)) if kind == "user" else number
        await record(app.store, interaction, "access", verdict=verdict or "clear", kind=kind, whom=whom)
    await _tell_list(interaction, access.read(now), texts)


async def _tell_list(interaction: discord.Interaction, listed: Mapping[Scope, str], texts: Texts) -> None:
    for part in parts(list_text(listed, texts)):
        await tell(interaction, part.content)


def list_text(listed: Mapping[Scope, str], texts: Texts) -> str:
    """A server's list, for its managers to read."""
    lines = []
    for line, verdict, kinds in (
        (texts.access_people_allowed, ALLOW, ("user", "role")),
        (texts.access_people_blocked, BLOCK, ("user", "role")),
        (texts.access_places_allowed, ALLOW, ("channel", "server")),
        (texts.access_places_blocked, BLOCK, ("channel", "server")),
    ):
        named = [_name(entry, texts) for entry, value in listed.items() if value == verdict and entry[0] in kinds]
        if named:
            lines.append(line.format(names=texts.comma.join(named)))
    return "\n".join([*(lines or [texts.access_nothing]), texts.access_managers])


def _name(entry: Scope, texts: Texts) -> str:
    kind, number = entry
    marks = {"user": f"<@{number}>", "role": f"<@&{number}>", "channel": f"<#{number}>"}
    return marks.get(kind, texts.access_whole_server)
