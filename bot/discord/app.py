"""What is said on Discord: the answers streamed below questions."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bot.answers import Answered, Ask, Failed, Held, Piece, Queued, RunningAnswer, Started
from bot.conversation import Chat
from bot.discord.changes import Changes
from bot.discord.commands.ask import ask_of
from bot.discord.commands.audit import record
from bot.discord.commands.release import promoted
from bot.discord.commands.stats import Taught
from bot.discord.compare import Both, show_two
from bot.discord.draft import EMPTY, Draft, Pace
from bot.discord.hearing import Hearing
from bot.discord.interrupted import Open
from bot.discord.operators import Operators
from bot.discord.place import NOBODY, Place
from bot.discord.presses import PLATFORM, rate_buttons, stop_button
from bot.discord.refusals import Door
from bot.discord.render import LIMIT, Part, parts
from bot.discord.rules import Rules
from bot.discord.seen import Seen
from bot.discord.windows import open_fix, send_window, why_window
from bot.display_names import DisplayNames
from bot.ratings import Ratings
from bot.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.settings import Settings
    from bot.trial import Trial
    from data.personas import Persona
    from data.store import Store, StoredGeneration, StoredMessage

log = logging.getLogger(__name__)


class Talk:
    """Everything that is said between people and the bot on Discord."""

    def __init__(
        self, client: discord.Client, settings: Settings, store: Store, chat: Chat, pace: Pace, trial: Trial
    ) -> None:
        self.client = client
        self.settings = settings
        self.store = store
        self.chat = chat
        self.pace = pace
        self.trial = trial
        self.ratings = Ratings(store, chat.moderation, chat.metrics)
        self.operators = Operators(client, settings.operators)
        self.rules = Rules(settings, store)
        self.door = Door(self.rules)
        self.taught = Taught(self)
        self.may_train = bool(settings.discord_training_permission)
        # Only what runs at this moment; by the question's message id or the ↻ click's id.
        self.running: dict[str, RunningAnswer | Both] = {}
        self.growing: dict[int, RunningAnswer | Both] = {}  # by the bot's messages that show them
        self.names = DisplayNames()
        self.hearing = Hearing(self)
        self.changes = Changes(self)
        self.seen = Seen()
        self.showing: set[asyncio.Task[Any]] = set()  # what is to be shown to its end before the bot leaves

    @property
    def me(self) -> int:
        """The bot's own id."""
        assert self.client.user is not None
        return self.client.user.id

    async def teaching(self, guild: int | None) -> bool:
        """Whether people may teach here: in direct conversations, and where a server's manager allows it."""
        return guild is None or await self.store.may_teach(PLATFORM, str(guild))

    async def persona(self, channel: Any, guild: int | None, conversation: int | None = None) -> Persona:
        """Whom people talk to in a channel, and in a conversation there."""
        return await self.rules.persona(channel, guild, conversation)

    async def refused(self, interaction: discord.Interaction, words: Texts, *, shown: bool = False) -> bool:
        """Whether somebody is neither answered here nor may rate; they are told why, alone. See `Door.refused`."""
        return await self.door.refused(interaction, words, shown=shown)

    async def ask_of(
        self,
        interaction: discord.Interaction,
        who: Persona,
        question: Callable[[], Awaitable[StoredMessage]],
        words: Texts,
    ) -> Ask:
        """What somebody asks by a command or a button."""
        return await ask_of(self, interaction, who, question, words)

    # -- answers

    async def show(
        self,
        ask: Ask,
        *,
        again: StoredGeneration | None = None,
        key: str,
        question: str | None = None,
        asker: int,
        place: Place,
    ) -> str | None:
        """Answer a question, or answer it `again`, streaming into a place; `key` and `asker` are who may stop it.

        `question` is the platform's id of the question where that is not the key. Returns a sentence when there is no
        answer and nothing was shown.
        """
        sent: list[int] = []
        stored: StoredGeneration | None = None
        more: Texts | None = None
        ask = replace(ask, shown=lambda: [str(message) for message in sent])
        answer = self.chat.again(ask, again) if again else self.chat.answer(ask)
        self.running[key] = answer
        self.changes.begin(key, ask.person, place)
        self.shows()
        teach = await self.teaching(place.guild)

        def buttons(name: str) -> discord.ui.View | None:
            if name == "stop":
                return stop_button(key, asker)
            if name == "rate" and stored:  # an answer of which nothing is left can only be asked for again
                return rate_buttons(stored.generation, teach=teach and bool(stored.text), more=more)
            return None

        async def on_sent(message: int) -> None:
            sent.append(message)
            self.growing[message] = answer
            if stored:
                await self.store.set_platform_id(stored.message, str(message))
            await opened.shown(message)

        place = opened = Open(place, self.store, key, key if question is None else question)
        draft = Draft(place, self.pace, buttons, on_sent, answer.stop)
        text = ""
        try:
            async for event in answer:
                match event:
                    case Queued(ahead):
                        draft.show([Part("⏳ " + ask.texts.waiting.format(ahead=ahead), "stop")])
                    case Started():
                        await place.typing()
                    case Held():
                        draft.show([Part(EMPTY, "stop")])
                    case Piece(piece):
                        text += piece
                        if shown := parts(text, "stop"):
                            draft.show(shown)
                    case Answered(generation, reason, note):
                        stored = generation
                        more = ask.texts if reason == "length" else None
                        for message in sent:  # those sent while it was being recorded
                            await self.store.set_platform_id(generation.message, str(message))
                        if await draft.finish(parts(generation.text, "rate", note)):
                            await opened.whole()
                        elif not sent:
                            return ask.texts.not_shown
                    case Failed(sentence):
                        if not draft.started:
                            return sentence
                        if await draft.finish([Part(sentence)]):
                            await opened.whole()
                        elif not sent:
                            return ask.texts.not_shown
        finally:
            self.running.pop(key, None)
            self.changes.end(key)
            for message in sent:
                self.growing.pop(message, None)
        return None

    def shows(self) -> None:
        """The current task shows an answer, from here to its end."""
        task = asyncio.current_task()
        assert task is not None
        self.showing.add(task)
        task.add_done_callback(self.showing.discard)

    async def show_two(self, ask: Ask, **more: Any) -> str | None:
        """Two answers to one question, to be compared; see `bot.discord.compare.show_two`."""
        return await show_two(self, ask, **more)

    async def open_fix(self, interaction: discord.Interaction, generation: int, words: Texts) -> None:
        """Open the window in which an answer is corrected."""
        await open_fix(self, interaction, generation, words)

    async def open_why(self, interaction: discord.Interaction, generation: int, words: Texts) -> None:
        """Open the window that asks what was wrong with an answer."""
        await send_window(interaction, why_window(generation, words))

    async def audit(self, interaction: discord.Interaction, deed: str, **what: str | int | None) -> None:
        """Write down what a manager did on their server; `what` is never what somebody wrote."""
        await record(self, interaction, deed, **what)

    async def promote(self, interaction: discord.Interaction, number: int, champion: int, words: Texts) -> None:
        """Make a release the champion instead of another one, after an operator confirmed it."""
        await promoted(self, interaction, number, champion, words)

    def stop(self, key: str) -> bool:
        """Stop a running answer; False when none runs under this key."""
        answer = self.running.get(key)
        if answer is not None:
            answer.stop()
        return answer is not None

    async def say(self, message: discord.Message, text: str) -> None:
        """Say something in the open below a message."""
        await self.pace.turn(message.channel.id)
        try:
            reference = message.to_reference(fail_if_not_exists=False)
            await message.channel.send(
                text[:LIMIT], reference=reference, allowed_mentions=NOBODY, mention_author=False
            )
        except discord.HTTPException as error:
            log.warning("a sentence did not reach Discord: %s (code %s)", error.status, error.code)
