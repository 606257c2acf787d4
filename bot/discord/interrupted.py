"""Answers that a dead process left open: the next process closes them with their text, a note, and a ↻ below."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import discord.abc

from bot.answers import Unanswerable
from bot.discord.answering import ask_of, show
from bot.discord.buttons import Press, view
from bot.discord.draft import EMPTY
from bot.discord.hearing import hear
from bot.discord.ids import PLATFORM
from bot.discord.place import NOBODY, below, send_below
from bot.discord.render import LIMIT
from bot.discord.telling import tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.discord.app import App
    from bot.texts import Texts
    from data.store import OpenAnswer, StoredMessage

log = logging.getLogger(__name__)

SEARCHED = 50  # messages after a question that are searched for the beginning of its answer


def closed(content: str, note: str) -> str | None:
    """A message's content once it is closed: its text and the note in small print; None when the two do not fit."""
    small = f"-# {note}"
    if content.startswith("⏳") or content == EMPTY:  # it only said that an answer will come
        return small
    # A code block that never ended would swallow the note.
    fence = "\n```" if content.count("```") % 2 else ""
    whole = f"{content}{fence}\n{small}"
    return whole if len(whole) <= LIMIT else None


async def close_interrupted(app: App, answers: Sequence[OpenAnswer]) -> None:
    """Close the answers that an earlier process left open. Those that Discord refuses wait for the next start."""
    for answer in answers:
        if app.client.is_closed():
            return
        try:
            await _close(app, answer)
        except (discord.NotFound, discord.Forbidden) as error:
            log.info("an interrupted answer is out of reach: %s (code %s)", error.status, error.code)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.warning("an interrupted answer could not be closed yet: %s", type(error).__name__)
            continue
        except Exception:
            log.exception("an interrupted answer could not be closed")
            continue
        await app.store.close_answer(PLATFORM, answer.key)
    if answers:
        log.info("answers of an earlier process that were still open: %d", len(answers))


async def _close(app: App, answer: OpenAnswer) -> None:
    channel = app.client.get_partial_messageable(int(answer.channel))
    message = await channel.fetch_message(int(answer.message)) if answer.message else await _find(channel, answer)
    if message is None:
        return
    buttons = _buttons(message)
    if buttons and not any(name.startswith("parley:stop:") for name in buttons):
        return  # the end was shown, and only its record is missing
    note = app.texts.interrupted
    retry = view(Press("retry", answer.question)) if answer.question else None
    content = closed(message.content, note)
    part = channel.get_partial_message(message.id)
    await app.pace.turn(int(answer.channel))
    if content is not None:
        await part.edit(content=content, view=retry, allowed_mentions=NOBODY)
        return
    await part.edit(view=None, allowed_mentions=NOBODY)
    await send_below(channel, f"-# {note}", part.to_reference(fail_if_not_exists=False), retry)


async def _find(channel: discord.PartialMessageable, answer: OpenAnswer) -> discord.Message | None:
    """A message that went out before the process died and could not record its id: found by its stop button."""
    async for message in channel.history(limit=SEARCHED, after=discord.Object(int(answer.key))):
        if any(name.startswith(f"parley:stop:{answer.key}:") for name in _buttons(message)):
            return message
    return None


def _buttons(message: discord.Message) -> list[str]:
    """The ids of the bot's buttons below a message."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    names = [getattr(child, "custom_id", None) or "" for row in rows for child in row.children]
    return [name for name in names if name.startswith("parley:")]


async def retry(app: App, interaction: discord.Interaction, question: str, texts: Texts) -> None:
    """Answer a question again after an interruption. Anybody may ask for that while the question is stored.

    A question that still waited for its turn was never stored: only its author can ask it again, from Discord.
    """
    channel, message = interaction.channel, interaction.message
    if app.running.under(question) is not None or channel is None or message is None:
        return
    known = await app.store.message(PLATFORM, question)
    if known is None:
        if (refusal := await _hear_again(app, interaction, channel, question, texts)) is not None:
            await tell(interaction, refusal)
        return

    async def stored() -> StoredMessage:
        found = await app.store.whole_question(PLATFORM, question)
        if found is None:
            raise Unanswerable(texts.question_gone)
        return found

    persona = await app.rules.persona(channel, interaction.guild_id, known.conversation)
    failed = await show(
        app,
        await ask_of(app, interaction, persona, stored, texts),
        key=str(interaction.id),
        question=question,
        asker=interaction.user.id,
        place=below(interaction, channel, message),
    )
    if failed:
        await tell(interaction, failed)


async def _hear_again(
    app: App, interaction: discord.Interaction, channel: Any, question: str, texts: Texts
) -> str | None:
    """Answer a question from Discord that was never stored; returns a sentence where that is not possible."""
    message = await _fetched(channel, int(question))
    if message is None:
        return texts.question_gone
    if message.author.id != interaction.user.id:
        return texts.only_asker_retries
    # A fetched message does not have its author's roles. The person who pressed is the same one, and has them.
    message.author = interaction.user
    return None if await hear(app, message, again=True) else texts.question_gone


async def _fetched(channel: Any, question: int) -> discord.Message | None:
    """A question from the channel with its answer, or from the channel around the thread that was opened for it."""
    for place in (channel, getattr(channel, "parent", None)):
        if isinstance(place, discord.abc.Messageable):
            try:
                return await place.fetch_message(question)
            except discord.HTTPException as error:
                log.info("a question is out of reach: %s (code %s)", error.status, error.code)
    return None
