"""Who is not answered here, and how they hear of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.access import Access, sentence
from bot.discord.presses import tell, tell_alone
from bot.rate_limit import Cap, RateLimiter, Taken

if TYPE_CHECKING:
    from bot.discord.rules import Rules
    from bot.texts import Texts


class Door:
    """Asks the rules, for whatever somebody wants of the bot: an answer, another one, to rate one."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._told = RateLimiter()

    async def refused(self, interaction: discord.Interaction, words: Texts, *, shown: bool) -> bool:
        """Whether somebody is neither answered here nor may rate; they are told why, alone.

        `shown` is whether all were shown already that an answer is on its way.
        """
        manager = interaction.permissions.manage_guild
        found = await self.rules.access(interaction.user, interaction.channel, interaction.guild_id, manager=manager)
        if found is not Access.GIVEN:
            await (tell_alone if shown else tell)(interaction, sentence(words, found))
        return found is not Access.GIVEN

    async def heard(self, message: discord.Message) -> Access:
        """Whether a message is answered."""
        author = message.author
        guild = message.guild.id if message.guild else None
        manager = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
        return await self.rules.access(author, message.channel, guild, manager=manager)

    def aloud(self, why: Access, message: discord.Message, words: Texts) -> str | None:
        """What to say, for all to read, about a message that is not answered; None to be silent.

        Who is blocked, and all where the bot is, get no noise out of it. Others cannot know why it is silent: they
        hear it once an hour.
        """
        if why is not Access.UNLISTED or message.guild is None:
            return None
        once = Cap("person", (str(message.guild.id), str(message.author.id)), 1)
        return sentence(words, why) if isinstance(self._told.take([once]), Taken) else None
