"""Who manages a server or a channel; checked at every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bot.discord.telling import acknowledge, tell, texts_for

if TYPE_CHECKING:
    import discord

    from bot.texts import Texts

Permission = Literal["manage_guild", "manage_channels", "manage_messages"]


def manages(interaction: discord.Interaction, permission: Permission = "manage_guild") -> bool:
    """Whether a person has a manager's permission here; in direct messages nobody has."""
    # A server can change to whom Discord shows a command. It cannot change whom the bot obeys.
    return interaction.guild_id is not None and bool(getattr(interaction.permissions, permission))


async def refused_unless_manager(interaction: discord.Interaction, permission: Permission = "manage_guild") -> bool:
    """Whether a person is not a manager here; they are told that the command is for managers."""
    if manages(interaction, permission):
        return False
    await tell(interaction, texts_for(interaction).managers_only)
    return True


async def for_managers(interaction: discord.Interaction, permission: Permission = "manage_guild") -> Texts | None:
    """Acknowledge a manager's command; returns the texts to answer with, None when the person is not a manager."""
    await acknowledge(interaction)
    return None if await refused_unless_manager(interaction, permission) else texts_for(interaction)
