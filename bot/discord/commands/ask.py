"""Questions by a command: `/ask`, and "Answer this" on a message.

Both answer through the interaction alone, so they also work where the bot is not a member: for people who installed
it for themselves.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.answering import ask_of, show
from bot.discord.changes import NewText
from bot.discord.commands.personas import no_such_persona, offered, persona_named
from bot.discord.ids import PLATFORM
from bot.discord.place import FollowUp, around
from bot.discord.questions import begin_conversation
from bot.discord.reading import text_of
from bot.discord.render import readable
from bot.discord.rules import PERSONA
from bot.discord.telling import acknowledge, tell, tell_alone, texts_for
from bot.unexpected import unexpected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.discord.app import App
    from data.personas import Persona
    from data.store import StoredMessage

log = logging.getLogger(__name__)


def add_ask(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""

    @tree.command(name="ask")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.autocomplete(persona=offered(app))
    async def ask(
        interaction: discord.Interaction,
        question: app_commands.Range[str, 1, 2000],
        persona: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        await interaction.response.defer()
        texts = texts_for(interaction)
        text = readable(question, app.me, {}, {}, {}, name=app.name)
        chosen = await persona_named(app, interaction, persona) if persona else None
        if not text:
            await tell_alone(interaction, texts.mention_only)
        elif persona and chosen is None:
            await tell_alone(interaction, await no_such_persona(app, interaction, persona, texts))
        else:
            await _answer(
                app,
                interaction,
                lambda: _store_question(app, interaction, text, interaction.user.id, chosen=chosen),
                chosen or await app.rules.persona(interaction.channel, interaction.guild_id),
            )

    @tree.context_menu(name="Answer this")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def answer(interaction: discord.Interaction, message: discord.Message) -> None:
        text = text_of(message, app.me)
        if message.author.bot or not text:
            await acknowledge(interaction)
            await tell(interaction, texts_for(interaction).nothing_to_answer)
            return
        await interaction.response.defer()
        known = await app.store.message(PLATFORM, str(message.id))
        conversation = known.conversation if known else None

        async def question() -> StoredMessage:
            known = await app.store.message(PLATFORM, str(message.id))
            return known or await _store_question(app, interaction, text, message.author.id, message.id)

        persona = await app.rules.persona(interaction.channel, interaction.guild_id, conversation)
        app.changes.saw(message)
        with app.changes.awaiting(message.id):
            await _answer(app, interaction, question, persona, str(message.id))


async def _store_question(
    app: App,
    interaction: discord.Interaction,
    text: str,
    author: int,
    message: int | None = None,
    *,
    chosen: Persona | None = None,
) -> StoredMessage:
    """Store a question, which begins a conversation. `author` wrote it, and need not be the person who asks.

    `message` is the id of its message; without one, the command's id stands for it. A `chosen` persona stays with
    the conversation, whatever the settings of the places around it are.
    """
    texts = texts_for(interaction)
    await app.chat.moderation.admit(text, texts)
    channel, guild = interaction.channel_id or 0, interaction.guild_id
    conversation = await begin_conversation(
        app.store,
        chosen or await app.rules.persona(interaction.channel, guild),
        channel=interaction.channel,
        number=channel,
        message=interaction.id,
        guild=guild,
    )
    if chosen is not None:
        await app.store.set_setting(PERSONA, ("conversation", str(conversation)), chosen.name)
    new = NewText(message or interaction.id, around(interaction.channel, channel), author, text)
    return await app.changes.keep(new, conversation, None, texts)


async def _answer(
    app: App,
    interaction: discord.Interaction,
    question: Callable[[], Awaitable[StoredMessage]],
    persona: Persona,
    message: str | None = None,
) -> None:
    """Answer below the command; whatever goes wrong, the person is told. `message` is the question's id."""
    if await app.refusals.refused(interaction, shown=True):
        return
    texts = texts_for(interaction)
    try:
        failed = await show(
            app,
            await ask_of(app, interaction, persona, question, texts),
            key=str(interaction.id),
            question=message,
            asker=interaction.user.id,
            place=FollowUp(interaction, command=True),
        )
    except Exception as error:
        failed = unexpected(log, texts, error, "a command could not be answered")
    if failed:
        await tell_alone(interaction, failed)
