"""The Discord client: which events there are, and what they are handed to."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import discord
import yarl
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.app import Talk
from bot.discord.commands import publish
from bot.discord.commands.personas import written
from bot.discord.commands.publish import Chinese, say_that_it_failed
from bot.discord.draft import SECONDS_PER_EDIT, Pace
from bot.discord.health import counted_requests, watched
from bot.discord.interrupted import close_interrupted
from bot.discord.invite import invite_link
from bot.discord.place import NOBODY
from bot.discord.presses import PLATFORM, Press
from bot.discord.shards import Launching, keep_session
from bot.discord.windows import submitted
from bot.trial import Trial
from data.errors import BadInput

if TYPE_CHECKING:
    from discord import app_commands

    from bot.conversation import Chat
    from bot.discord.commands.publish import Made
    from bot.settings import Settings
    from data.store import Store

log = logging.getLogger(__name__)

INTENT_REFUSED = (
    "Discord refused the login, because PARLEY_DISCORD_MESSAGE_CONTENT asks for the Message Content Intent and it is "
    "off for this application. Switch it on at https://discord.com/developers/applications (your application, Bot, "
    "Privileged Gateway Intents, Message Content Intent), or unset PARLEY_DISCORD_MESSAGE_CONTENT."
)
Host = commands.Bot | commands.AutoShardedBot


def intents(settings: Settings) -> discord.Intents:
    """What the bot listens to. Without Message Content it reads what mentions it, replies to it, or is sent to it."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_messages = True
    wanted.dm_messages = True
    wanted.message_content = settings.discord_message_content
    return wanted


class Parley:
    """Parley on a bot of discord.py's, our own or somebody else's: what it listens to, its commands, its buttons.

    `guest`: on somebody else's, the slash commands stand below one `/parley`, and what is a command of the host's is
    left to it.
    """

    def __init__(
        self,
        client: Host,
        settings: Settings,
        store: Store,
        chat: Chat,
        trial: Trial | None = None,
        *,
        seconds_per_edit: float = SECONDS_PER_EDIT,
        guest: bool = False,
    ) -> None:
        self.client = client
        self.guest = guest
        trial = trial or Trial(settings.home, None, usual=settings.compare_share)
        self.talk = Talk(client, settings, store, chat, Pace(seconds_per_edit), trial)
        self._answering: set[asyncio.Task[None]] = set()
        self._closing: asyncio.Task[None] | None = None
        self._published: list[Made] = []

    def attach(self) -> None:
        """Add everything to the bot. Raises BadInput when the commands find no room."""
        made = publish.commands(self)
        if self.guest:
            self._published = publish.put_in_group(made, self.client.tree)
        else:
            for command in made:
                self.client.tree.add_command(command)
        for listener in self._listeners():
            self.client.add_listener(listener)
        self.client.add_dynamic_items(Press)
        cast(Any, self.client).parley = self  # a button knows the bot only, not who made it

    async def begin(self) -> None:
        """Close, in the background, the answers that an earlier process left open."""
        # Looked up before anything is heard, so that none of this process is among them.
        left = await self.talk.store.open_answers(PLATFORM)

        async def close() -> None:
            if self.guest:  # its host may not be logged in yet
                await self.client.wait_until_ready()
            await close_interrupted(self.talk, left)

        self._closing = closing = asyncio.create_task(close())
        self._answering.add(closing)
        closing.add_done_callback(self._answering.discard)

    async def detach(self) -> None:
        """Take everything away again, as far as it is there, and finish what runs."""
        if self._closing is not None:  # the next start closes what is left; a host that never logs in would hold it
            self._closing.cancel()
        for listener in self._listeners():
            self.client.remove_listener(listener)
        tree: app_commands.CommandTree[Any] = self.client.tree
        for command in self._published:
            kind = getattr(command, "type", discord.AppCommandType.chat_input)
            if tree.get_command(command.name, type=kind) is command:
                tree.remove_command(command.name, type=kind)
        await self.finish()
        self.client.remove_dynamic_items(Press)  # not before: every message with buttons adds them
        with suppress(AttributeError):
            del cast(Any, self.client).parley

    async def finish(self) -> None:
        """Stop and record what runs, and show it for as long as that takes."""
        await self.talk.chat.close()
        if answering := (self._answering | self.talk.showing) - {asyncio.current_task()}:
            await asyncio.wait(answering, timeout=10)

    def _listeners(self) -> list[Any]:
        return [getattr(self, name) for name in dir(self) if name.startswith("on_")]

    async def on_ready(self) -> None:
        """All servers that the bot is in are known."""
        await self._remember_servers()
        await self.talk.operators.look()

    async def on_guild_join(self, _: discord.Guild) -> None:
        """A server added the bot, for the first time or again."""
        await self._remember_servers()

    async def on_guild_remove(self, _: discord.Guild) -> None:
        """A server removed the bot: what was said there is erased when the time for texts is over."""
        await self._remember_servers()

    async def _remember_servers(self) -> None:
        if not self.client.intents.guilds:  # a host that does not ask for them: then nobody knows
            return
        await self.talk.store.servers_now(PLATFORM, {str(guild.id) for guild in self.client.guilds})

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote."""
        if self.guest and (await self.client.get_context(message)).valid:
            return
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            await self.talk.hearing.heard(message)
        finally:
            self._answering.discard(task)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Somebody sent what they wrote in a window."""
        if interaction.type is discord.InteractionType.modal_submit:
            await submitted(self.talk, interaction)
            await written(self.talk, interaction)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message was deleted, by its author or by a moderator."""
        await self.talk.changes.deleted(payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Many messages were deleted at once."""
        for message in payload.message_ids:
            await self.talk.changes.deleted(message)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel was deleted, and with it its threads."""
        await self.talk.changes.channel_deleted(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """A thread was deleted, or a post of a forum."""
        await self.talk.changes.channel_deleted(payload.thread_id)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A message was edited, or a link in it got its preview."""
        if "content" in payload.data:
            await self.talk.changes.edited(payload.message)


class Bot(commands.AutoShardedBot):
    """Parley's own client on Discord.

    A bot of discord.py's command framework though it has no commands of that kind: only such a one takes listeners,
    so Parley is added to it just as to somebody else's.
    """

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
            command_prefix=(),
            help_command=None,
            intents=intents(settings),
            allowed_mentions=NOBODY,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            shard_count=settings.shards,
            http_trace=counted_requests(chat.metrics),
        )
        self._gateway = yarl.URL(settings.discord_gateway) if settings.discord_gateway else None
        self._launching = Launching(self)
        self.tree.error(say_that_it_failed)
        self.parley = Parley(self, settings, store, chat, trial, seconds_per_edit=seconds_per_edit)
        self.parley.attach()

    @property
    def talk(self) -> Talk:
        """Everything that is said."""
        return self.parley.talk

    async def setup_hook(self) -> None:
        """Close what an earlier process left open, and publish the commands."""
        await self.parley.begin()
        await self.tree.set_translator(Chinese())
        try:
            await self.tree.sync()
        except discord.HTTPException as error:
            log.warning("the slash commands were not published: %s (code %s)", error.status, error.code)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard, to the gateway of the settings whatever Discord recommends."""
        connect = super().launch_shard
        await self._launching.launch(shard_id, lambda: connect(self._gateway or gateway, shard_id, initial=initial))
        keep_session(self, shard_id)

    async def on_ready(self) -> None:
        """Say that it works."""
        log.info("on Discord as %s; servers: %d, shards: %d", self.user, len(self.guilds), len(self.shards))
        if self.application_id is not None:
            log.info("whoever manages a server adds the bot at %s", invite_link(self.application_id))

    async def on_message(self, message: discord.Message, /) -> None:
        """There are no commands in messages to look for."""

    async def close(self) -> None:
        """Finish what runs, then leave."""
        if not self.is_closed():
            await self.parley.finish()
        await super().close()


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
        except discord.PrivilegedIntentsRequired:
            raise BadInput(INTENT_REFUSED) from None
        except discord.ConnectionClosed as error:
            raise BadInput(
                f"Discord closed the connection for good (code {error.code})."
                + (" It wants another number of shards: unset PARLEY_SHARDS." if error.code in (4010, 4011) else "")
            ) from None
        except discord.GatewayNotFound:
            raise BadInput("Discord does not say where its gateway is. Try again later.") from None
        except discord.HTTPException as error:
            raise BadInput(
                f"Discord refused the login (HTTP {error.status}, code {error.code}). Try again later."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BadInput(f"Discord cannot be reached at {Route.BASE} ({type(error).__name__}).") from None
    if ending:
        await asyncio.gather(*ending, return_exceptions=True)
