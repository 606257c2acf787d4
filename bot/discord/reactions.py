"""Reactions as votes: 👍 and 👎 on an answer, with the consent that the buttons need.

Discord tells nothing to the person who reacts alone. So people who were never asked get the consent question in a
direct message, once; where they take none, the channel is told once how votes come to count.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import discord

from bot.access import Access
from bot.discord.consent import consent_question
from bot.discord.ids import PLATFORM, person_of
from bot.discord.place import NOBODY
from bot.ratings import RatingResult
from data.consent import CONSENT_VERSION
from data.settings import ASKED

if TYPE_CHECKING:
    from bot.discord.app import App
    from data.store import StoredGeneration

log = logging.getLogger(__name__)

SETTING = "reactions"  # of a server: whether reactions count
_TOLD = "told_reactions"  # of a channel: whether it was told how votes come to count
_VALUES = {"👍": "up", "👎": "down"}
_TONES = {*map(chr, range(0x1F3FB, 0x1F400)), "\ufe0f"}  # skin tones, and the mark that asks for a picture


def vote_of(emoji: str) -> str | None:
    """The vote that an emoji stands for, in any skin tone; None for all others."""
    return _VALUES.get("".join(each for each in emoji if each not in _TONES))


class Reactions:
    """Takes the votes of reactions."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[int, int], asyncio.Lock] = WeakValueDictionary()

    async def added(self, app: App, event: discord.RawReactionActionEvent) -> None:
        """A person put a reaction on a message."""
        value = _value(app, event)
        if value is None or (event.member is not None and event.member.bot):
            return
        async with self._turn(event):
            answer = await _answer(app, event)
            if answer is None or not await _counts(app, event):
                return
            rater = await person_of(app.store, event.user_id)
            source = _source()
            outcome = await app.ratings.vote(
                rater, answer.generation, value, platform=PLATFORM, source_id=f"{PLATFORM}:{source}"
            )
            if outcome is RatingResult.CONSENT_MISSING:
                await _ask_once(app, event, rater, f"{answer.generation}:{value}:{source}")

    async def removed(self, app: App, event: discord.RawReactionActionEvent) -> None:
        """A person took a reaction back: their vote goes with it, unless another reaction of theirs still says it."""
        value = _value(app, event)
        if value is None:
            return
        async with self._turn(event):
            if (answer := await _answer(app, event)) is None:
                return
            rater = await person_of(app.store, event.user_id)
            if await app.store.vote(answer.generation, rater) != value:
                return
            left = await _left(app, event)
            source = f"{PLATFORM}:{_source()}"
            if value in left:
                return
            if left and await _counts(app, event):
                await app.ratings.vote(rater, answer.generation, left.pop(), platform=PLATFORM, source_id=source)
            else:
                await app.ratings.retract(rater, answer.generation, platform=PLATFORM, source_id=source)

    def _turn(self, event: discord.RawReactionActionEvent) -> asyncio.Lock:
        """Held while an event is taken, so that a person's reactions to a message are taken in their order."""
        return self._turns.setdefault((event.message_id, event.user_id), asyncio.Lock())


def _value(app: App, event: discord.RawReactionActionEvent) -> str | None:
    if event.user_id == app.me or event.emoji.id is not None or event.message_author_id not in (None, app.me):
        return None
    return vote_of(event.emoji.name or "")


async def _answer(app: App, event: discord.RawReactionActionEvent) -> StoredGeneration | None:
    return await app.store.shown(PLATFORM, str(event.message_id))


async def _counts(app: App, event: discord.RawReactionActionEvent) -> bool:
    """Whether a person's reaction counts here: managers let people teach, and let the bot answer the person."""
    if event.guild_id is None:
        return True
    if not await app.rules.teaching(event.guild_id):
        return False
    if not await app.store.setting(SETTING, [("server", str(event.guild_id))], True):
        return False
    member = event.member
    if member is None:
        return True
    found = await app.rules.access(
        member, _channel(app, event), event.guild_id, manager=member.guild_permissions.manage_guild
    )
    return found is Access.GIVEN


def _channel(app: App, event: discord.RawReactionActionEvent) -> Any:
    guild = app.client.get_guild(event.guild_id) if event.guild_id else None
    known = guild.get_channel_or_thread(event.channel_id) if guild else app.client.get_channel(event.channel_id)
    return known or app.client.get_partial_messageable(event.channel_id, guild_id=event.guild_id)


def _source() -> str:
    # Discord gives reactions no id. An event that comes twice changes nothing: the vote is there already. The
    # message's id would outlive an erasure, and lead to the conversation.
    return f"reaction-{secrets.token_hex(12)}"


async def _left(app: App, event: discord.RawReactionActionEvent) -> set[str]:
    """The votes that a person's other reactions to the message still say."""
    channel = app.client.get_partial_messageable(event.channel_id, guild_id=event.guild_id)
    found = set()
    try:
        message = await channel.fetch_message(event.message_id)
        for reaction in message.reactions:
            value = vote_of(reaction.emoji) if isinstance(reaction.emoji, str) else None
            if value is None:
                continue
            async for user in reaction.users(limit=1, after=discord.Object(event.user_id - 1)):
                if user.id == event.user_id:
                    found.add(value)
    except discord.HTTPException as error:
        log.info("Discord did not show the other reactions: %s (code %s)", error.status, error.code)
    return found


async def _ask_once(app: App, event: discord.RawReactionActionEvent, person: int, rating: str) -> None:
    """Ask for consent in a direct message, once for each version of the text, and never a person who refused."""
    if await app.store.consent(person) is False:
        return
    place = ("person", str(person))
    if await app.store.setting(ASKED, [place]) == CONSENT_VERSION:
        return
    await app.store.set_setting(ASKED, place, CONSENT_VERSION)
    texts = await app.rules.texts(_channel(app, event), event.guild_id)
    question, buttons = await consent_question(app, person, rating, texts)
    try:
        user = event.member or app.client.get_user(event.user_id) or await app.client.fetch_user(event.user_id)
        await user.send(f"{texts.reaction_asks}\n{question}", view=buttons, allowed_mentions=NOBODY)
    except discord.HTTPException as error:
        log.info("a person takes no direct messages: %s (code %s)", error.status, error.code)
        await _tell_channel_once(app, event, texts.reaction_how)


async def _tell_channel_once(app: App, event: discord.RawReactionActionEvent, sentence: str) -> None:
    place = ("channel", str(event.channel_id))
    if event.guild_id is None or await app.store.setting(_TOLD, [place]):
        return
    await app.store.set_setting(_TOLD, place, True, server=event.guild_id)
    try:
        await app.client.get_partial_messageable(event.channel_id).send(sentence, allowed_mentions=NOBODY)
    except discord.HTTPException as error:
        log.info("a sentence did not reach Discord: %s (code %s)", error.status, error.code)
