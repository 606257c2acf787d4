"""Opens what every platform needs (store, engine, trial, chat), and closes it whatever happens."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from bot.conversation import Chat, Limits
from bot.embeddings import Embeddings
from bot.engine.api import Sampling
from bot.engine.open import open_engine
from bot.moderation.step import open_moderation
from bot.retention import purge_daily
from bot.trial import Trial
from data.bases import base_info
from data.chosen_base import home_base
from data.errors import ParleyError
from data.lesson_vectors import Meanings
from data.personas import thinking_personas
from data.release_address import OLLAMA
from data.releases import BASE_RELEASE
from data.store import Store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from bot.engine.api import Engine
    from bot.settings import Settings

    # What is served beside a platform, as long as the block runs: the web page, or nothing.
    Beside = Callable[[Settings, Store, Chat, Trial], AbstractAsyncContextManager[object]]

log = logging.getLogger(__name__)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Store, Engine, Trial]]:
    """Open the store, the engine and the trial, erase old texts every day, and close everything whatever happens."""
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.home)
        stack.push_async_callback(store.close)
        if settings.embeddings_url is not None:
            stack.push_async_callback(find_by_meaning(store, settings.embeddings_url, settings).close)
        engine = await _engine(settings)
        stack.push_async_callback(engine.close)
        if sentence := await asyncio.to_thread(cannot_think, settings, engine):
            log.warning("%s", sentence)
        trial = _trial(settings)
        stack.push_async_callback(trial.close)
        purging = asyncio.create_task(purge_daily(store, settings.retention_days))
        try:
            yield store, engine, trial
        finally:
            purging.cancel()
            await asyncio.gather(purging, return_exceptions=True)


def cannot_think(settings: Settings, engine: Engine) -> str | None:
    """Why personas that ask the model to think first are answered at once; None if nothing is known against it."""
    names = thinking_personas(settings.personas or settings.home / "personas")
    if not names or engine.cannot_serve(BASE_RELEASE):  # another model answers, which may think
        return None
    try:
        base = home_base(settings.home)
        if not base_info(base).thinks:
            why = f"the base model {base} does not think"
        elif settings.engine_releases == OLLAMA:
            why = "Ollama is not asked for that"
        else:
            return None
    except ParleyError:  # whoever talks to the bot is told
        return None
    asking = f"The persona {names[0]} asks" if len(names) == 1 else f"The personas {', '.join(names)} ask"
    return f"{asking} the model to think first, but {why}, so it answers at once."


async def _engine(settings: Settings, release: int | None = None) -> Engine:
    """The engine of the champion, or of one release."""
    elsewhere = settings.engine_url or settings.engine_releases
    return await open_engine(
        settings.home,
        release=release,
        url=settings.engine_url,
        model=settings.engine_model,
        api_key=settings.engine_api_key.get_secret_value() if settings.engine_api_key else None,
        context_length=settings.engine_context if elsewhere else None,
        extra=settings.engine_extra,
        silence=settings.engine_timeout,
        releases=settings.engine_releases,
        adapters=settings.engine_adapters,
    )


def _trial(settings: Settings) -> Trial:
    async def start(release: int) -> Engine:
        return await _engine(settings, release)

    return Trial(settings.home, start, share=settings.trial_share, usual=settings.compare_share)


def find_by_meaning(store: Store, url: str, settings: Settings) -> Embeddings:
    """Let the store find lessons by the operator's embedding model too; returns what must be closed."""
    key = settings.embeddings_api_key
    endpoint = Embeddings(url, model=settings.embeddings_model, api_key=key.get_secret_value() if key else None)
    store.lessons.meanings = Meanings(endpoint.vectors)
    return endpoint


def chat_of(settings: Settings, store: Store, engine: Engine) -> Chat:
    """The chat that answers, with the limits from the settings."""
    return Chat(
        store,
        engine,
        sampling=Sampling(
            temperature=settings.temperature,
            top_p=settings.top_p,
            frequency_penalty=settings.frequency_penalty,
            max_tokens=settings.max_tokens,
        ),
        limits=Limits(settings.slots, settings.queue, settings.queue_per_person, settings.history_tokens),
        moderation=open_moderation(settings),
        show_thinking=settings.show_thinking,
    )
