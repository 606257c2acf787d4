"""Parley's own bot on Discord, and the process that runs it."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import discord
import yarl
from discord.ext import commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bot.discord.commands.publish import Chinese, tell_failure
from bot.discord.draft import SECONDS_PER_EDIT
from bot.discord.health import counted_requests, health_served
from bot.discord.invite import invite_link
from bot.discord.late import log_late_answers_in_words
from bot.discord.listeners import Parley
from bot.discord.place import NOBODY
from bot.discord.publishing import keep_published
from bot.discord.shards import Launching, keep_session
from bot.sign_in_links import SignInLinks
from data.errors import BadInput

if TYPE_CHECKING:
    from bot.conversation import Chat
    from bot.discord.app import App
    from bot.settings import Settings
    from bot.trial import Trial
    from data.store import Store

log = logging.getLogger(__name__)

INTENT_REFUSED = (
    "Discord refused the login, because PARLEY_DISCORD_MESSAGE_CONTENT asks for the Message Content Intent and it is "
    "off for this application. Switch it on at https://discord.com/developers/applications (your application, Bot, "
    "Privileged Gateway Intents, Message Content Intent), or unset PARLEY_DISCORD_MESSAGE_CONTENT."
)


NOT_ACCEPTED = (
    "Discord does not accept the token in DISCORD_TOKEN. Copy it again from the bot's page in Discord's developer "
    "portal, or reset it there."
)
REVOKED = (
    "Discord no longer accepts the token in DISCORD_TOKEN: it was reset or revoked. Copy the new one from the bot's "
    "page in Discord's developer portal, and start again."
)
_SHARDS = " It wants another number of shards: unset PARLEY_SHARDS."
_CLOSED = {4004: f"{REVOKED[:-1]} (code 4004).", 4014: INTENT_REFUSED}


def intents(settings: Settings) -> discord.Intents:
    """What the bot listens to. Without Message Content it reads only mentions, replies to it and direct messages."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_messages = True
    wanted.dm_messages = True
    wanted.guild_reactions = True
    wanted.dm_reactions = True
    wanted.message_content = settings.discord_message_content
    return wanted


class Bot(commands.AutoShardedBot):
    """Parley's own client on Discord.

    It is a bot of discord.py's command framework, without any commands of that kind: only such a bot takes listeners,
    so Parley is added to it as it is to somebody else's bot.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        chat: Chat,
        trial: Trial | None = None,
        links: SignInLinks | None = None,
        *,
        seconds_per_edit: float = SECONDS_PER_EDIT,
    ) -> None:
        self.token_refused = False  # whether Discord refused the token after it had accepted it
        self._closing_down: asyncio.Task[None] | None = None
        super().__init__(
            command_prefix=(),
            help_command=None,
            intents=intents(settings),
            allowed_mentions=NOBODY,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            shard_count=settings.shards,
            http_trace=self._watched(counted_requests(chat.metrics)),
        )
        self._gateway = yarl.URL(settings.discord_gateway) if settings.discord_gateway else None
        self._launching = Launching(self)
        self._publishing: asyncio.Task[None] | None = None
        self.tree.error(tell_failure)
        self.parley = Parley(
            self, settings, store, chat, trial, links or SignInLinks(), seconds_per_edit=seconds_per_edit
        )
        self.parley.attach()

    @property
    def app(self) -> App:
        """The parts that it consists of."""
        return self.parley.app

    def _watched(self, trace: aiohttp.TraceConfig) -> aiohttp.TraceConfig:
        """The same trace, which also ends the bot when its token is no longer good: each further try is counted."""

        async def ended(_: aiohttp.ClientSession, __: object, end: aiohttp.TraceRequestEndParams) -> None:
            # A request without the token has another one in its address, that of an interaction.
            if end.response.status == 401 and "Authorization" in end.headers and self.user and not self.token_refused:
                self.token_refused = True
                self._closing_down = asyncio.create_task(self.close())

        trace.on_request_end.append(ended)
        return trace

    async def setup_hook(self) -> None:
        """Close what an earlier process left open, and begin to publish the commands."""
        await self.parley.begin()
        await self.tree.set_translator(Chinese())
        assert self.application_id is not None  # discord.py asks for it before this
        # Not awaited: Discord may let us wait for many minutes.
        publishing = keep_published(self.tree, self.app.store, self.application_id)
        self._publishing = asyncio.create_task(publishing)

    async def launch_shard(self, gateway: yarl.URL, shard_id: int, *, initial: bool = False) -> None:
        """Connect a shard, to the gateway in the settings if there is one."""
        connect = super().launch_shard
        await self._launching.launch(shard_id, lambda: connect(self._gateway or gateway, shard_id, initial=initial))
        keep_session(self, shard_id)

    async def on_ready(self) -> None:
        """Log that it works."""
        log.info("on Discord as %s; servers: %d, shards: %d", self.user, len(self.guilds), len(self.shards))
        if self.application_id is not None:
            log.info("people who manage a server add the bot at %s", invite_link(self.application_id))

    async def on_message(self, message: discord.Message, /) -> None:
        """Do not look for commands in messages: there are none."""

    async def close(self) -> None:
        """Finish what runs, then log out."""
        if self._publishing is not None:
            self._publishing.cancel()
        if not self.is_closed():
            await self.parley.finish()
        await super().close()


def closed(code: int | None) -> str:
    """What to say when the gateway closed the connection with this code and wants no other."""
    return _CLOSED.get(code or 0) or (
        f"Discord closed the connection for good (code {code})." + (_SHARDS if code in (4010, 4011) else "")
    )


async def talk_on_discord(
    settings: Settings, store: Store, chat: Chat, trial: Trial | None = None, links: SignInLinks | None = None
) -> None:
    """Log in and talk until the process is told to end. Raises BadInput when the login does not work."""
    assert settings.discord_token is not None
    if settings.discord_api:
        Route.BASE = settings.discord_api
    if settings.discord_gateway:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway)
    log_late_answers_in_words()
    bot = Bot(settings, store, chat, trial, links)
    ending: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, lambda: ending.add(loop.create_task(bot.close())))
    async with bot, health_served(bot.app):
        try:
            await bot.start(settings.discord_token.get_secret_value())
        except discord.LoginFailure:
            raise BadInput(NOT_ACCEPTED) from None
        except discord.PrivilegedIntentsRequired:
            raise BadInput(INTENT_REFUSED) from None
        except discord.ConnectionClosed as error:
            raise BadInput(closed(error.code)) from None
        except discord.GatewayNotFound:
            raise BadInput("Discord does not say where its gateway is. Try again later.") from None
        except discord.HTTPException as error:
            raise BadInput(
                f"Discord refused the login (HTTP {error.status}, code {error.code}). Try again later."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise BadInput(f"Discord cannot be reached at {Route.BASE} ({type(error).__name__}).") from None
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"Discord's gateway sent something that this bot cannot use ({type(error).__name__}: "
                f"{str(error)[:60]}). If PARLEY_DISCORD_API and PARLEY_DISCORD_GATEWAY are set, they must lead to a "
                "server that speaks version 10 of Discord's API; its READY names the shard."
            ) from None
    if ending:
        await asyncio.gather(*ending, return_exceptions=True)
    if bot.token_refused:
        raise BadInput(REVOKED)
