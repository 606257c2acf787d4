"""`/new`: the conversation of a thread or of direct messages begins anew, for everybody in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord

from bot.anew import BEGAN
from bot.discord.place import NOBODY
from bot.discord.questions import last_answer
from bot.discord.telling import tell, tell_alone, texts_for

if TYPE_CHECKING:
    from discord import app_commands

    from bot.discord.app import App
    from bot.texts import Texts


def add_new(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="new")
    async def new(interaction: discord.Interaction) -> None:
        texts = texts_for(interaction)
        if not one_conversation(interaction):
            await tell(interaction, texts.anew_replies)
            return
        await interaction.response.defer()
        if not await app.refusals.refused(interaction, shown=True):
            await tell_anew(app, interaction, texts)


def one_conversation(interaction: discord.Interaction) -> bool:
    """Whether a place has one conversation: a thread or direct messages. Channels have trees of replies."""
    return interaction.guild_id is None or isinstance(interaction.channel, discord.Thread)


async def begin_anew(app: App, interaction: discord.Interaction) -> bool:
    """Let the next question in this place follow nothing from before; False where it would follow nothing anyway."""
    channel = interaction.channel_id or 0
    place = ("channel", str(channel))
    async with app.waiting.arriving(channel):
        waits = app.waiting.last_in(channel)
        if waits is not None:  # what is written from now on does not belong to that question
            app.waiting.remove(waits)
        elif not app.running.shows_in(channel) and await last_answer(app, interaction.channel) is None:
            return False
        await app.store.set_setting(BEGAN, place, interaction.id, server=interaction.guild_id)
    return True


async def tell_anew(app: App, interaction: discord.Interaction, texts: Texts) -> None:
    """Begin anew, and say so to everybody in the place, because they share the conversation."""
    command = interaction.type is discord.InteractionType.application_command
    if not one_conversation(interaction):
        await tell(interaction, texts.anew_replies)
    elif not await begin_anew(app, interaction):
        await (tell_alone if command else tell)(interaction, texts.anew_nothing)
    else:
        # After a deferred command, the first follow-up takes the place of its response.
        await interaction.followup.send(texts.anew_begun, allowed_mentions=NOBODY)
