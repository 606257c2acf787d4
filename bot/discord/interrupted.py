"""Answers that a dead process left open: the next one closes them, with what was said, a note, and a ↻ below.

What is needed for that is on disk before the first message of an answer goes out, and goes when all of it is shown.
It holds no word of the question or the answer; the words that stand on Discord stay there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import discord.abc

from bot.answers import Unanswerable
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM, Press, below, tell, view
from bot.discord.render import LIMIT
from bot.texts import Texts, texts
from data.store import OpenAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.discord.app import Talk
    from bot.discord.place import Place
    from data.store import Store, StoredMessage

log = logging.getLogger(__name__)

SEARCHED = 50  # messages behind a question among which the beginning of its answer is looked for


class Open:
    """A place for one answer, which is on record as open from before its first message until it is `whole`."""

    def __init__(self, place: Place, store: Store, key: str, question: str) -> None:
        self.channel, self.guild, self.channels = place.channel, place.guild, place.channels
        self._place = place
        self._store = store
        self._answer = OpenAnswer(PLATFORM, key, str(place.channel), question)
        self._kept = False

    async def send(self, content: str, view: discord.ui.View | None) -> int:
        """See `Place.send`."""
        if not self._kept:
            self._kept = True
            await self._keep(None)
        return await self._place.send(content, view)

    async def edit(self, message: int, content: str, view: discord.ui.View | None) -> None:
        """See `Place.edit`."""
        await self._place.edit(message, content, view)

    async def typing(self) -> None:
        """See `Place.typing`."""
        await self._place.typing()

    def below(self, message: int) -> Place:
        """See `Place.below`."""
        return self._place.below(message)

    async def shown(self, message: int) -> None:
        """Its newest message is this one. Told behind all that a reply to it needs, which may come at once."""
        await self._keep(str(message))

    async def whole(self) -> None:
        """All of it is shown. One that could not be is left for the next start, like one whose process died."""
        if self._kept:
            await self._store.close_answer(PLATFORM, self._answer.key)

    async def _keep(self, message: str | None) -> None:
        try:
            await self._store.keep_open(replace(self._answer, message=message))
        except Exception:  # an answer that nobody could close later is still better than none
            log.exception("an answer could not be recorded as open")


def closed(content: str, note: str) -> str | None:
    """What a message says once it is closed: its text and the note in small print; None when both don't fit."""
    small = f"-# {note}"
    if content.startswith("⏳"):  # it said that an answer is to come
        return small
    # A code block that never ended would swallow the note.
    fence = "\n```" if content.count("```") % 2 else ""
    whole = f"{content}{fence}\n{small}"
    return whole if len(whole) <= LIMIT else None


async def close_interrupted(talk: Talk, answers: Sequence[OpenAnswer]) -> None:
    """Close the answers that an earlier process left open. One that Discord refuses for now is left for the next."""
    for answer in answers:
        if talk.client.is_closed():
            return
        try:
            await _close(talk, answer)
        except (discord.NotFound, discord.Forbidden) as error:
            log.info("an interrupted answer is out of reach: %s (code %s)", error.status, error.code)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.warning("an interrupted answer could not be closed yet: %s", type(error).__name__)
            continue
        except Exception:
            log.exception("an interrupted answer could not be closed")
            continue
        await talk.store.close_answer(PLATFORM, answer.key)
    if answers:
        log.info("answers of an earlier process that were still open: %d", len(answers))


async def _close(talk: Talk, answer: OpenAnswer) -> None:
    channel = talk.client.get_partial_messageable(int(answer.channel))
    message = await channel.fetch_message(int(answer.message)) if answer.message else await _find(channel, answer)
    if message is None:
        return
    buttons = _buttons(message)
    if buttons and not any(name.startswith("parley:stop:") for name in buttons):
        return  # the end was shown, and only the record of it is missing
    words = texts(talk.settings.language)
    retry = view(Press("retry", answer.question)) if answer.question else None
    content = closed(message.content, words.interrupted)
    part = channel.get_partial_message(message.id)
    await talk.pace.turn(int(answer.channel))
    if content is not None:
        await part.edit(content=content, view=retry, allowed_mentions=NOBODY)
        return
    await part.edit(view=None, allowed_mentions=NOBODY)
    extra: dict[str, Any] = {"view": retry} if retry else {}
    reference = part.to_reference(fail_if_not_exists=False)
    await channel.send(
        f"-# {words.interrupted}", reference=reference, allowed_mentions=NOBODY, mention_author=False, **extra
    )


async def _find(channel: discord.PartialMessageable, answer: OpenAnswer) -> discord.Message | None:
    """The message that went out when its process died before it could record which one it is: by its stop button."""
    async for message in channel.history(limit=SEARCHED, after=discord.Object(int(answer.key))):
        if any(name.startswith(f"parley:stop:{answer.key}:") for name in _buttons(message)):
            return message
    return None


def _buttons(message: discord.Message) -> list[str]:
    """The ids of the bot's buttons below a message."""
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    names = [getattr(child, "custom_id", None) or "" for row in rows for child in row.children]
    return [name for name in names if name.startswith("parley:")]


async def retried(talk: Talk, interaction: discord.Interaction, question: str, words: Texts) -> None:
    """Ask a question again whose answer was interrupted. Anyone may, as long as the question is known.

    One that was still waiting for its turn was never stored: only who wrote it can ask it again, from Discord.
    """
    channel, message = interaction.channel, interaction.message
    if question in talk.running or channel is None or message is None:
        return
    known = await talk.store.message(PLATFORM, question)
    if known is None:
        if (told := await _heard_again(talk, interaction, channel, question, words)) is not None:
            await tell(interaction, told)
        return

    async def asked() -> StoredMessage:
        found = await talk.store.whole_question(PLATFORM, question)
        if found is None:
            raise Unanswerable(words.question_gone)
        return found

    who = await talk.persona(channel, interaction.guild_id, known.conversation)
    failed = await talk.show(
        await talk.ask_of(interaction, who, asked, words),
        key=str(interaction.id),
        question=question,
        asker=interaction.user.id,
        place=below(interaction, channel, message),
    )
    if failed:
        await tell(interaction, failed)


async def _heard_again(
    talk: Talk, interaction: discord.Interaction, channel: Any, question: str, words: Texts
) -> str | None:
    """Answer what was never stored, from Discord; returns a sentence where that cannot be."""
    message = await _fetched(channel, int(question))
    if message is None:
        return words.question_gone
    if message.author.id != interaction.user.id:
        return words.only_asker_retries
    # A message that is fetched says nothing of its author's roles. Who pressed is the same person, with theirs.
    message.author = interaction.user
    return None if await talk.hearing.heard(message, again=True) else words.question_gone


async def _fetched(channel: Any, question: int) -> discord.Message | None:
    """A question from where it was answered, or from the channel in which a thread was opened for its answer."""
    for place in (channel, getattr(channel, "parent", None)):
        if isinstance(place, discord.abc.Messageable):
            try:
                return await place.fetch_message(question)
            except discord.HTTPException as error:
                log.info("a question is out of reach: %s (code %s)", error.status, error.code)
    return None
