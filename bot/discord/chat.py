"""Questions on Discord: which messages are for the bot, what they follow, and the answers streamed below them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord

from bot.answers import Answer, Answered, Ask, Failed, Piece, Queued, Started
from bot.conversation import Chat
from bot.discord.compare import Both, show_two
from bot.discord.draft import Draft, Pace
from bot.discord.feedback import PLATFORM, rate_buttons, stop_button
from bot.discord.interrupted import Open
from bot.discord.modals import open_fix, send_window, why_window
from bot.discord.place import NOBODY, InChannel, Place, scopes
from bot.discord.render import LIMIT, Part, parts, readable
from bot.ratings import Ratings
from bot.texts import Texts, texts
from data.personas import PERSONAS, Persona, persona

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.trial import Trial
    from data.store import Store, StoredGeneration, StoredMessage

log = logging.getLogger(__name__)

# How far back a direct conversation is searched for the bot's last answer.
DIRECT_HISTORY = 20


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
        self.ratings = Ratings(store, chat.metrics)
        self.may_train = bool(settings.discord_training_permission)
        # Only what runs at this moment; by the question's message id or the ↻ click's id.
        self.running: dict[str, Answer | Both] = {}
        self.growing: dict[int, Answer | Both] = {}  # by the bot's messages that show them
        self.showing: set[asyncio.Task[Any]] = set()  # what is to be shown to its end before the bot leaves
        # What is looked up before a question gets its place in the queue may not let a later one pass it.
        self._arrivals = asyncio.Lock()

    @property
    def me(self) -> int:
        """The bot's own id."""
        assert self.client.user is not None
        return self.client.user.id

    async def teaching(self, guild: int | None) -> bool:
        """Whether people may teach here: in direct conversations, and where a server's manager allows it."""
        return guild is None or await self.store.may_teach(PLATFORM, str(guild))

    async def persona(self, channel: Any, guild: int | None) -> Persona:
        """Whom people talk to in a channel."""
        name = await self.store.setting("persona", scopes(channel, guild), self.settings.persona)
        return persona(name if name in PERSONAS else self.settings.persona, self.settings.language)

    # -- questions

    async def heard(self, message: discord.Message) -> bool:
        """Answer a message if it is for the bot, and say whether; whatever goes wrong, the person gets a sentence."""
        if not addressed(message, self.me):
            return False
        try:
            await self._heard(message)
        except Exception:
            log.exception("a question could not be answered")
            await self._say(message, texts(self.settings.language).internal_error)
        return True

    async def _heard(self, message: discord.Message) -> None:
        words = texts(self.settings.language)
        if not text_of(message, self.me):
            if message.guild is not None and not message.content and message.reference is not None:
                await self._say(message, words.cannot_read)
            elif message.guild is None or any(user.id == self.me for user in message.mentions):
                await self._say(message, words.mention_only)
            return
        here = message.guild.id if message.guild else None
        async with self._arrivals:
            who = await self.persona(message.channel, here)
            ask = Ask(
                person=await self.store.person(PLATFORM, str(message.author.id)),
                channel=str(message.channel.id),
                platform=PLATFORM,
                persona=who,
                question=lambda: self._question(message, who),
                texts=words,
            )
            show = self.show_two if self.trial.due() and await self.teaching(here) else self.show
        failed = await show(
            ask,
            key=str(message.id),
            asker=message.author.id,
            place=InChannel(message.channel, message.to_reference(fail_if_not_exists=False)),
        )
        if failed:
            await self._say(message, failed)

    async def _question(self, message: discord.Message, who: Persona) -> StoredMessage:
        """Store a question when its turn has come, below what it follows."""
        parent = await self._parent(message)
        if parent is not None:
            conversation = parent.conversation
        else:
            guild = message.guild
            conversation = await self.store.conversation(
                PLATFORM,
                f"{message.channel.id}:{message.id}",
                persona=who.name,
                language=who.language,
                server=await self.store.server(PLATFORM, str(guild.id)) if guild else None,
            )
        return await self.store.add_message(
            conversation,
            "user",
            text_of(message, self.me),
            author=await self.store.person(PLATFORM, str(message.author.id)),
            parent=parent.message if parent else None,
            platform_id=str(message.id),
        )

    async def _parent(self, message: discord.Message) -> StoredMessage | None:
        """What a message follows: the message it replies to, or in a direct conversation the bot's last answer."""
        reference = message.reference
        if reference is not None and reference.message_id is not None:
            if growing := self.growing.get(reference.message_id):
                await growing.wait()
            found = await self.store.message(PLATFORM, str(reference.message_id))
            if found is not None:
                return found
        if message.guild is not None:
            return None
        # Asked from Discord each time, so that it is right after a restart and after deletions, too. Up to now, not
        # to the message: what the person sent before it is answered by now, perhaps below it.
        newest: StoredMessage | None = None
        async for earlier in message.channel.history(limit=DIRECT_HISTORY):
            if earlier.author.id != self.me:
                continue
            growing = self.growing.get(earlier.id)
            if growing is not None:
                if not growing.made:  # this very answer's, or one whose turn comes later
                    continue
                await growing.wait()
            found = await self.store.message(PLATFORM, str(earlier.id))
            # Parts of several answers may stand among each other.
            if found is not None and (newest is None or found.message > newest.message):
                newest = found
        if newest is None:
            return None
        # Where two answers were compared, it goes on from the one that the person preferred.
        rater = await self.store.person(PLATFORM, str(message.author.id))
        return await self.store.preferred(newest.message, rater) or newest

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
        ask = replace(ask, shown=lambda: [str(message) for message in sent])
        answer = self.chat.again(ask, again) if again else self.chat.answer(ask)
        self.running[key] = answer
        self.shows()
        teach = await self.teaching(place.guild)

        def buttons(name: str) -> discord.ui.View | None:
            if name == "stop":
                return stop_button(key, asker)
            return rate_buttons(stored.generation, teach=teach) if name == "rate" and stored else None

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
                    case Piece(piece):
                        text += piece
                        if shown := parts(text, "stop"):
                            draft.show(shown)
                    case Answered(generation, _, note):
                        stored = generation
                        for message in sent:  # those sent while it was being recorded
                            await self.store.set_platform_id(generation.message, str(message))
                        if await draft.finish(parts(generation.text, "rate", note)):
                            await opened.whole()
                    case Failed(sentence):
                        if not draft.started:
                            return sentence
                        if await draft.finish([Part(sentence)]):
                            await opened.whole()
        finally:
            self.running.pop(key, None)
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

    def stop(self, key: str) -> bool:
        """Stop a running answer; False when none runs under this key."""
        answer = self.running.get(key)
        if answer is not None:
            answer.stop()
        return answer is not None

    async def _say(self, message: discord.Message, text: str) -> None:
        await self.pace.turn(message.channel.id)
        try:
            reference = message.to_reference(fail_if_not_exists=False)
            await message.channel.send(
                text[:LIMIT], reference=reference, allowed_mentions=NOBODY, mention_author=False
            )
        except discord.HTTPException as error:
            log.warning("a sentence did not reach Discord: %s (code %s)", error.status, error.code)

    # -- changes

    async def deleted(self, message: int) -> None:
        """Forget the text of a message that was deleted; an answer to it that still runs is stopped first."""
        answer = self.running.get(str(message))
        if answer is not None:
            answer.stop()
            await answer.wait()
        if await self.store.erase_message(PLATFORM, str(message)):
            log.info("erased the text of a deleted message")

    async def edited(self, message: discord.Message) -> None:
        """Take over the new text of a person's message. Without the bot's mention Discord doesn't show it to us."""
        if message.author.bot:
            return
        stored = await self.store.message(PLATFORM, str(message.id))
        if stored is None or stored.role != "user":
            return
        text = text_of(message, self.me)
        if not text:
            await self.store.erase_message(PLATFORM, str(message.id))
            return
        if text != stored.text:
            await self.store.edit_message(PLATFORM, str(message.id), text)


def addressed(message: discord.Message, me: int) -> bool:
    """Whether a message is for the bot: from a person, and direct, mentioning it, or replying to it."""
    if message.author.bot or message.webhook_id is not None:
        return False
    if message.type not in (discord.MessageType.default, discord.MessageType.reply):
        return False
    if message.guild is None or any(user.id == me for user in message.mentions):
        return True
    replied = message.reference.resolved if message.reference else None
    return isinstance(replied, discord.Message) and replied.author.id == me


def text_of(message: discord.Message, me: int) -> str:
    """What a person wrote, as the model is to read it."""
    return readable(
        message.content,
        me,
        users={user.id: user.display_name for user in message.mentions},
        roles={role.id: role.name for role in message.role_mentions},
        channels={channel.id: getattr(channel, "name", "channel") for channel in message.channel_mentions},
    )
