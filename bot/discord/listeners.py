"""Parley on a bot of discord.py: the events that it listens to, its commands and its buttons."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import discord
from discord.ext import commands

from bot.discord.addressed import addressed_late
from bot.discord.app import App
from bot.discord.buttons import Press
from bot.discord.chores import chores
from bot.discord.commands import publish
from bot.discord.draft import SECONDS_PER_EDIT, Pace
from bot.discord.hearing import hear
from bot.discord.ids import PLATFORM
from bot.discord.interrupted import close_interrupted
from bot.discord.presses import pressed, submitted
from bot.discord.reactions import Reactions
from bot.trial import Trial

if TYPE_CHECKING:
    from discord import app_commands

    from bot.conversation import Chat
    from bot.discord.commands.publish import AnyCommand
    from bot.settings import Settings
    from bot.sign_in_links import SignInLinks
    from data.store import Store

Host = commands.Bot | commands.AutoShardedBot


class Parley:
    """Parley on a bot, our own or somebody else's.

    As a `guest` on somebody else's bot, its slash commands are grouped below `/parley`, and messages that are
    commands of the host are left to the host.
    """

    def __init__(
        self,
        client: Host,
        settings: Settings,
        store: Store,
        chat: Chat,
        trial: Trial | None = None,
        links: SignInLinks | None = None,
        *,
        seconds_per_edit: float = SECONDS_PER_EDIT,
        guest: bool = False,
    ) -> None:
        self.client = client
        self.guest = guest
        trial = trial or Trial(settings.home, None, usual=settings.compare_share)
        self.app = App(client, settings, store, chat, Pace(seconds_per_edit), trial, links)
        self._tasks: set[asyncio.Task[None]] = set()
        self._reactions = Reactions()
        self._chores: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._published: list[AnyCommand] = []

    def attach(self) -> None:
        """Add everything to the bot. Raises BadInput when there is no room for the commands."""
        made = publish.commands(self.app)
        if self.guest:
            self._published = publish.put_in_group(made, self.client.tree)
        else:
            for command in made:
                self.client.tree.add_command(command)
        for listener in self._listeners():
            self.client.add_listener(listener)
        self.client.add_dynamic_items(Press)
        cast(Any, self.client).parley = self  # a button that is pressed knows only the bot

    async def begin(self) -> None:
        """Close, in the background, the answers that an earlier process left open."""
        # Looked up before anything is heard, so that no answer of this process is among them.
        left = await self.app.store.open_answers(PLATFORM)

        async def close() -> None:
            if self.guest:  # its host may not be logged in yet
                await self.client.wait_until_ready()
            await close_interrupted(self.app, left)

        self._closing = closing = asyncio.create_task(close())
        self._tasks.add(closing)
        closing.add_done_callback(self._tasks.discard)
        self._chores = asyncio.create_task(chores(self.app))

    async def detach(self) -> None:
        """Remove everything again, as far as it was added, and finish what runs."""
        if self._closing is not None:
            # The next start closes the rest. Without this, a host that never logs in would wait forever.
            self._closing.cancel()
        for listener in self._listeners():
            self.client.remove_listener(listener)
        tree: app_commands.CommandTree[Any] = self.client.tree
        for command in self._published:
            kind = getattr(command, "type", discord.AppCommandType.chat_input)
            if tree.get_command(command.name, type=kind) is command:
                tree.remove_command(command.name, type=kind)
        await self.finish()
        self.client.remove_dynamic_items(Press)  # not earlier: every message with buttons adds them
        with suppress(AttributeError):
            del cast(Any, self.client).parley

    async def finish(self) -> None:
        """Stop and record what runs, and wait until it is shown, for ten seconds at most."""
        if self._chores is not None:
            self._chores.cancel()
        await self.app.chat.close()
        if showing := (self._tasks | self.app.running.tasks) - {asyncio.current_task()}:
            await asyncio.wait(showing, timeout=10)

    async def pressed(self, interaction: discord.Interaction, action: str, rest: list[str]) -> None:
        """A person pressed a button; see `bot.discord.buttons.Press`."""
        await pressed(self.app, interaction, action, rest)

    def _listeners(self) -> list[Any]:
        return [getattr(self, name) for name in dir(self) if name.startswith("on_")]

    async def on_ready(self) -> None:
        """All servers with the bot are known."""
        await self._remember_servers()
        await self.app.operators.look()

    async def on_guild_join(self, _: discord.Guild) -> None:
        """A server added the bot, for the first time or again."""
        await self._remember_servers()

    async def on_guild_remove(self, _: discord.Guild) -> None:
        """A server removed the bot: its texts are erased when the time for texts is over."""
        await self._remember_servers()

    async def _remember_servers(self) -> None:
        if not self.client.intents.guilds:  # a host without this intent does not know its servers
            return
        await self.app.store.servers_now(PLATFORM, {str(guild.id) for guild in self.client.guilds})

    async def on_message(self, message: discord.Message) -> None:
        """Somebody wrote a message, a person or the bot itself."""
        if message.author.id == self.app.me:
            self._saw_own(message)
            return
        if self.guest and (await self.client.get_context(message)).valid:
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await hear(self.app, message)
        finally:
            self._tasks.discard(task)

    def _saw_own(self, message: discord.Message) -> None:
        question = self.app.others.saw(message)
        if question is None or question not in self.app.seen:
            return
        self.app.others.complain()
        self.app.running.stop(str(question))

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        """A person put a reaction on a message, however old it is."""
        await self._reactions.added(self.app, event)

    async def on_raw_reaction_remove(self, event: discord.RawReactionActionEvent) -> None:
        """A person took a reaction back."""
        await self._reactions.removed(self.app, event)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """A person sent a window."""
        if interaction.type is discord.InteractionType.modal_submit:
            await submitted(self.app, interaction)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """A message was deleted, by its author or by a moderator."""
        await self.app.changes.deleted(payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        """Many messages were deleted at once."""
        for message in payload.message_ids:
            await self.app.changes.deleted(message)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """A channel was deleted, and its threads with it."""
        await self.app.changes.channel_deleted(channel.id)

    async def on_raw_thread_delete(self, payload: discord.RawThreadDeleteEvent) -> None:
        """A thread, or a post of a forum, was deleted."""
        await self.app.changes.channel_deleted(payload.thread_id)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        """A message was edited, or a link in it got its preview."""
        if "content" not in payload.data:
            return
        await self.app.changes.edited(payload.message, self.app.me)
        if addressed_late(payload.message, payload.cached_message, self.app.me):
            await self.on_message(payload.message)
