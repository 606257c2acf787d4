"""Questions that are asked by a command: `/ask`, and "Answer this" on what somebody wrote.

Both go through the interaction alone, so they work where the bot is no member, too: for those who installed it for
themselves.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord
from discord import app_commands

from bot.answers import Ask
from bot.discord.chat import text_of
from bot.discord.feedback import PLATFORM, tell
from bot.discord.place import Behind
from bot.discord.render import readable
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.discord.chat import Talk
    from bot.discord.client import Bot
    from data.store import StoredMessage

log = logging.getLogger(__name__)


def add_asking(bot: Bot, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""

    @tree.command(name="ask", description="Ask Parley something, here or anywhere.")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def ask(interaction: discord.Interaction[Bot], question: app_commands.Range[str, 1, 2000]) -> None:
        await interaction.response.defer()
        words = texts(str(interaction.locale))
        text = readable(question, bot.talk.me, {}, {}, {})
        if not text:
            await tell(interaction, words.mention_only)
            return
        await _answer(bot.talk, interaction, words, lambda: asked(bot.talk, interaction, text, interaction.user.id))

    @tree.context_menu(name="Answer this")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    async def answer(interaction: discord.Interaction[Bot], message: discord.Message) -> None:
        words = texts(str(interaction.locale))
        text = text_of(message, bot.talk.me)
        if message.author.bot or not text:
            await interaction.response.defer(ephemeral=True)
            await tell(interaction, words.nothing_to_answer)
            return
        await interaction.response.defer()

        async def question() -> StoredMessage:
            known = await bot.talk.store.message(PLATFORM, str(message.id))
            return known or await asked(bot.talk, interaction, text, message.author.id, str(message.id))

        await _answer(bot.talk, interaction, words, question, str(message.id))


async def asked(
    talk: Talk, interaction: discord.Interaction, text: str, author: int, message: str | None = None
) -> StoredMessage:
    """Store a question, at the beginning of a conversation of its own. Who wrote it is its author, whoever asks.

    It is known by its `message`, or by the command where it stands in none.
    """
    guild = interaction.guild_id
    who = await talk.persona(interaction.channel, guild)
    conversation = await talk.store.conversation(
        PLATFORM,
        f"{interaction.channel_id}:{interaction.id}",
        persona=who.name,
        language=who.language,
        server=await talk.store.server(PLATFORM, str(guild)) if guild else None,
    )
    person = await talk.store.person(PLATFORM, str(author))
    place = message or str(interaction.id)
    return await talk.store.add_message(conversation, "user", text, author=person, platform_id=place)


async def _answer(
    talk: Talk,
    interaction: discord.Interaction,
    words: Texts,
    question: Callable[[], Awaitable[StoredMessage]],
    message: str | None = None,
) -> None:
    """Answer below the command; whatever goes wrong, the person gets a sentence. `message` holds the question."""
    ask = Ask(
        person=await talk.store.person(PLATFORM, str(interaction.user.id)),
        channel=str(interaction.channel_id),
        platform=PLATFORM,
        persona=await talk.persona(interaction.channel, interaction.guild_id),
        question=question,
        texts=words,
    )
    try:
        failed = await talk.show(
            ask,
            key=str(interaction.id),
            question=message,
            asker=interaction.user.id,
            place=Behind(interaction, command=True),
        )
    except Exception:
        log.exception("a command could not be answered")
        failed = words.internal_error
    if failed:
        await tell(interaction, failed)
