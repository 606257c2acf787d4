"""Whether everybody on a server sees a channel. What is taught elsewhere stays there until a manager accepts it."""

from __future__ import annotations

import discord


def everybody_sees(interaction: discord.Interaction) -> bool:
    """Whether all members of a server see the channel of an interaction. Unknown means no.

    Only the channels that Discord announced to the bot are looked at: those that come with an interaction lack the
    permissions that a role has there.
    """
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    if guild is None:
        return False
    channel = guild.get_channel_or_thread(interaction.channel_id or 0)
    if isinstance(channel, discord.Thread):
        if channel.type is discord.ChannelType.private_thread:
            return False
        channel = channel.parent
    return channel is not None and channel.permissions_for(guild.default_role).view_channel
