"""The link that adds the bot to a server; it asks only for the permissions that the bot uses."""

from __future__ import annotations

import discord

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    read_message_history=True,
    attach_files=True,
)


def invite_link(application: int) -> str:
    """The link by which a person who manages a server adds the application's bot to it."""
    return discord.utils.oauth_url(application, permissions=PERMISSIONS, scopes=("bot", "applications.commands"))
