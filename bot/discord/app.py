"""The parts of the bot on Discord: made once, and handed to whatever needs them. State only, no behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.discord.changes import Changes
from bot.discord.operators import Operators
from bot.discord.others import Others
from bot.discord.refusals import Refusals
from bot.discord.refused import RefusedMessages
from bot.discord.rules import Rules
from bot.discord.running import Running
from bot.discord.seen import Seen
from bot.discord.waiting import WaitingQuestions
from bot.display_names import DisplayNames, label
from bot.ratings import Ratings
from bot.texts import Texts, texts

if TYPE_CHECKING:
    import discord

    from bot.conversation import Chat
    from bot.discord.draft import Pace
    from bot.settings import Settings
    from bot.sign_in_links import SignInLinks
    from bot.trial import Trial
    from data.store import Store


class App:
    """What one bot on Discord consists of."""

    def __init__(
        self,
        client: discord.Client,
        settings: Settings,
        store: Store,
        chat: Chat,
        pace: Pace,
        trial: Trial,
        links: SignInLinks | None,
    ) -> None:
        self.client = client
        self.settings = settings
        self.store = store
        self.chat = chat
        self.pace = pace
        self.trial = trial
        self.links = links  # to the web page; None as a guest of somebody else's bot
        self.ratings = Ratings(store, chat.moderation, chat.metrics, chat.fits)
        self.operators = Operators(client, settings.operators)
        self.rules = Rules(settings, store)
        self.refused = RefusedMessages()
        self.refusals = Refusals(self.rules, self.refused)
        self.names = DisplayNames()
        self.seen = Seen()
        self.others = Others()
        self.running = Running()
        self.waiting = WaitingQuestions()
        self.changes = Changes(store, chat, self.names, self.running, self.waiting)

    @property
    def me(self) -> int:
        """The bot's own id."""
        assert self.client.user is not None
        return self.client.user.id

    @property
    def name(self) -> str:
        """What the bot is called where no server gives it another name."""
        assert self.client.user is not None
        return label(self.client.user.display_name) or "bot"

    @property
    def may_train(self) -> bool:
        """Whether what people say on Discord may train the model."""
        return bool(self.settings.discord_training_permission)

    @property
    def texts(self) -> Texts:
        """The texts in the installation's language."""
        return texts(self.settings.language)
