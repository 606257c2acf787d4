"""The parts of the web page and of the API beside it: made once, and handed to whatever needs them. State only."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.progress import Progress
from bot.rate_limit import RateLimiter
from bot.ratings import Ratings
from bot.web.live import LiveAnswers
from bot.web.sessions import Sessions
from data.home import installation_key, keyed_hash

if TYPE_CHECKING:
    from bot.conversation import Chat
    from bot.settings import Settings
    from bot.sign_in_links import SignInLinks
    from bot.trial import Trial
    from data.store import Store

PLATFORM = "web"


class Site:
    """What one page consists of. A request finds it as `request.app.state.site`."""

    def __init__(self, settings: Settings, store: Store, chat: Chat, trial: Trial, links: SignInLinks) -> None:
        self.settings = settings
        self.store = store
        self.chat = chat
        self.trial = trial
        self.links = links
        self.ratings = Ratings(store, chat.moderation, chat.metrics, chat.fits)
        self.progress = Progress(settings.home, settings.discord_training_permission)
        self.limiter = RateLimiter()  # of requests that are no answers: signing in, guests
        self.sessions = Sessions(keyed_hash(installation_key(settings.home), "web", "sessions"))
        self.live = LiveAnswers()
        self.reviewing = asyncio.Lock()  # the review queue reads all feedback, so it does one thing at a time

    async def operators(self) -> frozenset[int]:
        """The people in `PARLEY_OPERATORS`, as the store numbers them."""
        return frozenset([await self.store.person("discord", str(user)) for user in self.settings.operators])
