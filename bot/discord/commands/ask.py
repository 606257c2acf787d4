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
from bot.discord.changes import Said
from bot.discord.commands.personas import no_such_persona, offered, there
from bot.discord.place import Behind, around, key
from bot.discord.presses import PLATFORM, tell, tell_alone
from bot.discord.reading import text_of
from bot.discord.render import readable
from bot.discord.rules import PERSONA
from bot.texts import Texts, texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley
    from data.personas import Persona
    from data.store import StoredMessage

log = logging.getLogger(__name__)


def add_asking(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""

    @tree.command(name="ask")
    @app_commands.allowed_installs(guilds=True, users=True)
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    @app_commands.autocomplete(persona=offered(bot.talk))
    async def ask(
        interaction: discord.Interaction[Bot],
        question: app_commands.Range[str, 1, 2000],
        persona: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        await interaction.response.defer()
        words = texts(str(interaction.locale))
        text = readable(question, bot.talk.me, {}, {}, {})
        who = await there(bot.talk, interaction, persona) if persona else None
        if not text:
            await tell_alone(interaction, words.mention_only)
        elif persona and who is None:
            await tell_alone(interaction, await no_such_persona(bot.talk, interaction, persona, words))
        else:
            await _answer(
                bot.talk,
                interaction,
                words,
                lambda: asked(bot.talk, interaction, text, interaction.user.id, chosen=who),
                who or await bot.talk.persona(interaction.channel, interaction.guild_id),
            )

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
        known = await bot.talk.store.message(PLATFORM, str(message.id))
        conversation = known.conversation if known else None

        async def question() -> StoredMessage:
            known = await bot.talk.store.message(PLATFORM, str(message.id))
            return known or await asked(bot.talk, interaction, text, message.author.id, message.id)

        who = await bot.talk.persona(interaction.channel, interaction.guild_id, conversation)
        bot.talk.changes.saw(message)
        with bot.talk.changes.awaiting(message.id):
            await _answer(bot.talk, interaction, words, question, who, str(message.id))


async def asked(
    talk: Talk,
    interaction: discord.Interaction,
    text: str,
    author: int,
    message: int | None = None,
    *,
    chosen: Persona | None = None,
) -> StoredMessage:
    """Store a question, at the beginning of a conversation of its own. Who wrote it is its author, whoever asks.

    A persona that was `chosen` for the conversation stays with it, whatever the places around it say.
    It is known by its `message`, or by the command where it stands in none.
    """
    words = texts(str(interaction.locale))
    await talk.chat.moderation.admit(text, words)
    guild = interaction.guild_id
    who = chosen or await talk.persona(interaction.channel, guild)
    conversation = await talk.store.conversation(
        PLATFORM,
        key(interaction.channel, interaction.channel_id or 0, interaction.id),
        persona=who.name,
        language=who.language,
        server=await talk.store.server(PLATFORM, str(guild)) if guild else None,
    )
    if chosen is not None:
        await talk.store.set_setting(PERSONA, ("conversation", str(conversation)), chosen.name)
    where = around(interaction.channel, interaction.channel_id or 0)
    said = Said(message or interaction.id, where, author, text)
    return await talk.changes.keep(said, conversation, None, words)


async def ask_of(
    talk: Talk,
    interaction: discord.Interaction,
    who: Persona,
    question: Callable[[], Awaitable[StoredMessage]],
    words: Texts,
) -> Ask:
    """What somebody asks by a command or a button, where they did."""
    person = await talk.store.person(PLATFORM, str(interaction.user.id))
    talk.names.saw(person, interaction.user.display_name)
    return Ask(
        person=person,
        channel=str(interaction.channel_id),
        platform=PLATFORM,
        persona=who,
        question=question,
        names=talk.names,
        texts=words,
        caps=await talk.rules.caps(person, interaction.channel, interaction.guild_id),
    )


async def _answer(
    talk: Talk,
    interaction: discord.Interaction,
    words: Texts,
    question: Callable[[], Awaitable[StoredMessage]],
    who: Persona,
    message: str | None = None,
) -> None:
    """Answer below the command; whatever goes wrong, the person gets a sentence. `message` holds the question."""
    if await talk.refused(interaction, words, shown=True):
        return
    try:
        failed = await talk.show(
            await talk.ask_of(interaction, who, question, words),
            key=str(interaction.id),
            question=message,
            asker=interaction.user.id,
            place=Behind(interaction, command=True),
        )
    except Exception:
        log.exception("a command could not be answered")
        failed = words.internal_error
    if failed:
        await tell_alone(interaction, failed)
