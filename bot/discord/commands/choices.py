"""The choices that several commands offer."""

from __future__ import annotations

from discord import app_commands

ON_OFF = [app_commands.Choice(name=name, value=name) for name in ("on", "off")]
HERE_OR_SERVER = [app_commands.Choice(name=name, value=name) for name in ("here", "server")]


def server_wide(where: app_commands.Choice[str] | None) -> bool:
    """Whether the whole server was chosen of `HERE_OR_SERVER`; else this channel or thread."""
    return where is not None and where.value == "server"
