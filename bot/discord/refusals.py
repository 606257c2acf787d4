"""Whom the bot does not answer here, and how they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.access import Access, sentence
from bot.discord.refused import ACCESS as REASONS_OF_ACCESS
from bot.discord.telling import tell, tell_alone, texts_for
from bot.rate_limit import Cap, RateLimiter, Taken

if TYPE_CHECKING:
    from bot.discord.refused import RefusedMessages
    from bot.discord.rules import Rules
    from bot.texts import Texts


class Refusals:
    """Asks the rules whether a person may have what they want: an answer, another answer, or to rate one."""

    def __init__(self, rules: Rules, counted: RefusedMessages) -> None:
        self.rules = rules
        self.counted = counted
        self._told = RateLimiter()

    async def refused(self, interaction: discord.Interaction, *, shown: bool = False) -> bool:
        """Whether a person may neither be answered nor rate here; they alone are told why.

        `shown` is whether everybody was shown already that an answer is on its way.
        """
        manager = interaction.permissions.manage_guild
        found = await self.rules.access(interaction.user, interaction.channel, interaction.guild_id, manager=manager)
        if found is not Access.GIVEN:
            if shown:
                self.counted.add(interaction.guild_id, interaction.channel_id or 0, REASONS_OF_ACCESS[found])
            await (tell_alone if shown else tell)(interaction, sentence(texts_for(interaction), found))
        return found is not Access.GIVEN

    async def access(self, message: discord.Message) -> Access:
        """Whether a message is answered."""
        author = message.author
        guild = message.guild.id if message.guild else None
        manager = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
        return await self.rules.access(author, message.channel, guild, manager=manager)

    def public_reply(self, why: Access, message: discord.Message, texts: Texts) -> str | None:
        """Count a message that is not answered; returns what to say about it in the channel, None to be silent.

        Blocked people, and people in a place that is blocked, get no reply. Others cannot know why the bot is silent:
        they are told once an hour.
        """
        if message.guild is not None:
            self.counted.add(message.guild.id, message.channel.id, REASONS_OF_ACCESS[why])
        if why is not Access.UNLISTED or message.guild is None:
            return None
        once = Cap("person", (str(message.guild.id), str(message.author.id)), 1)
        return sentence(texts, why) if isinstance(self._told.take([once]), Taken) else None
