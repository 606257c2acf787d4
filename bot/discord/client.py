"""The Discord client: which events there are, and what they are handed to. No privileged intent is asked for."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.asking import add_asking
from bot.discord.chat import Talk
from bot.discord.commands import add_commands
from bot.discord.draft import SECONDS_PER_EDIT, Pace
from bot.discord.feedback import PLATFORM, Press, tell
from bot.discord.interrupted import close_interrupted
from bot.discord.modals import submitted
from bot.discord.place import NOBODY
from bot.discord.reports import add_reports
from bot.discord.watch import counted_requests, watched
from bot.texts import texts
from bot.trial import Trial
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.conversation import Chat
    from bot.settings import Settings
    from data.store import Store

log = logging.getLogger(__name__)


def intents() -> discord.Intents:
    """What the bot listens to. Without Message Content it reads what mentions it, replies to it, or is sent to it."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_messages = True
    wanted.dm_messages = True
    return wanted


class Bot(discord.Client):
    """Parley on Discord."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        chat: Chat,
        trial: Trial | None = None,
        *,
        seconds_per_edit: float = SECONDS_PER_EDIT,
    ) -> None:
        super().__init__(
            intents=intents(),
            allowed_mentions=NOBODY,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            http_trace=counted_requests(chat.metrics),
        )
        trial = trial or Trial(settings.home, None, usual=settings.compare_share)
        self.talk = Talk(self, settings, store, chat, Pace(seconds_per_edit), trial)
        self.tree: app_commands.CommandTree[Bot] = app_commands.CommandTree(self)
        self.tree.error(_say_that_it_failed)
        add_commands(self, self.tree)
        add_asking(self, self.tree)
        add_reports(self, self.tree)
        self._answering: set[asyncio.Task[None]] = set()

    async def setup_hook(self) -> None:
        """Listen to the buttons of every earlier process, and publish the commands."""
        self.add_dynamic_items(Press)
        # Looked up before anything is heard, so that none of this process is among them.
        left = await self.talk.store.open_answers(PLATFORM)
        closing = asyncio.create_task(close_interrupted(self.talk, left))
        self._answering.add(closing)
        closing.add_done_callback(self._answering.discard)
        try:
            await self.tree.sync()
        except discord.HTTPException as error:
            log.warning("the slash commands were not published: %s (code %s)", error.status, error.code)

    async def on_ready(self) -> None:
        """Say that it works."""
        log.info("on Discord as %s, in %d servers", self.user, len(self.guilds))
        await self._remember_servers()

    async def on_guild_join(self, _: discord.Guild) -> None:
        """A server added the bot, for the first time or again."""
        await self._remember_servers()

    async def on_guild_remove(self, _: discord.Guild) -> None:
        """A server removed the bot: what was said there is erased when the time for texts is over."""
        await self._remember_servers()

    async def _remember_servers(self) -> None:
        await self.talk.store.servers_now(PLATFORM, {str(guild.id) for guild in self.guilds})

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote."""
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            await self.talk.heard(message)
        finally:
            self._answering.discard(task)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Somebody sent what they wrote in a window."""
        if interaction.type is discord.InteractionType.modal_submit:
            await submitted(self.talk, interaction)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message was deleted, by its author or by a moderator."""
        await self.talk.deleted(payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Many messages were deleted at once."""
        for message in payload.message_ids:
            await self.talk.deleted(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A message was edited, or a link in it got its preview."""
        if "content" in payload.data:
            await self.talk.edited(payload.message)

    async def close(self) -> None:
        """Stop and record what runs, show it for as long as that takes, then leave."""
        if not self.is_closed():
            await self.talk.chat.close()
            if answering := (self._answering | self.talk.showing) - {asyncio.current_task()}:
                await asyncio.wait(answering, timeout=10)
        await super().close()


async def _say_that_it_failed(interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
    log.error("a command failed", exc_info=error)
    with suppress(discord.HTTPException):
        await tell(interaction, texts(str(interaction.locale)).internal_error)


async def talk_on_discord(settings: Settings, store: Store, chat: Chat, trial: Trial | None = None) -> None:
    """Log in and talk until the process is told to end. Raises BadInput when Discord lets nobody in."""
    assert settings.discord_token is not None
    if settings.discord_api:
        Route.BASE = settings.discord_api
    if settings.discord_gateway:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway)
    bot = Bot(settings, store, chat, trial)
    ending: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, lambda: ending.add(loop.create_task(bot.close())))
    async with bot, watched(bot.talk):
        try:
            await bot.start(settings.discord_token.get_secret_value())
        except discord.LoginFailure:
            raise BadInput(
                "Discord does not accept the token in DISCORD_TOKEN. Copy it again from the bot's page in Discord's "
                "developer portal, or reset it there."
            ) from None
        except discord.HTTPException as error:
            raise BadInput(
                f"Discord refused the login (HTTP {error.status}, code {error.code}). Try again later."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BadInput(f"Discord cannot be reached at {Route.BASE} ({type(error).__name__}).") from None
    if ending:
        await asyncio.gather(*ending, return_exceptions=True)
