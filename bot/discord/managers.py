"""Who manages a server or a channel, asked at every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bot.discord.presses import tell

if TYPE_CHECKING:
    import discord

    from bot.texts import Texts

Permission = Literal["manage_guild", "manage_channels", "manage_messages"]


def manages(interaction: discord.Interaction, permission: Permission = "manage_guild") -> bool:
    """Whether somebody has a manager's permission here; alone with the bot nobody has."""
    # Whom Discord shows a command to, a server can change; whom we obey, it cannot.
    return interaction.guild_id is not None and bool(getattr(interaction.permissions, permission))


async def for_managers(
    interaction: discord.Interaction, words: Texts, permission: Permission = "manage_guild"
) -> bool:
    """Whether a manager gave this command; others are told that it is not theirs."""
    if manages(interaction, permission):
        return True
    await tell(interaction, words.managers_only)
    return False
