"""What goes into the audit log: an action of a manager or an operator, never a text that somebody wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.discord.ids import person_of, server_of

if TYPE_CHECKING:
    import discord

    from data.store import Store


async def record(store: Store, interaction: discord.Interaction, action: str, **details: str | int | None) -> None:
    """Record what a person did, for the server where they did it."""
    person = await person_of(store, interaction.user.id)
    server = await server_of(store, interaction.guild_id)
    await store.record_deed(person, action, server=server, **details)


async def record_for_all(
    store: Store, interaction: discord.Interaction, action: str, **details: str | int | None
) -> None:
    """Record what an operator did to the whole installation, wherever they were."""
    await store.record_deed(await person_of(store, interaction.user.id), action, server=None, **details)
