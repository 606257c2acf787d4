"""`python -m bot`: the bot on Discord when DISCORD_TOKEN is set, else in the terminal."""

from __future__ import annotations

import argparse
import logging
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from data.errors import BadInput, ParleyError, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.conversation import Chat
    from bot.engine.client import Engine
    from bot.settings import Settings
    from bot.trial import Trial
    from data.store import Store

TOKENLESS = (
    "Discord needs a token: create an application with a bot at the developer portal of Discord, put its token into "
    "DISCORD_TOKEN (in .env or the environment), and start again. Without one, `--platform terminal` works at once."
)


def main() -> int:
    """Read the arguments and settings, and talk until the end."""
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="Parley's bot: on Discord when DISCORD_TOKEN is set, else in this terminal.",
        epilog="Settings come from the environment and .env: DISCORD_TOKEN, and others that begin with PARLEY_.",
    )
    parser.add_argument("--platform", choices=("discord", "terminal"), help="where to talk, whatever is set")
    arguments = parser.parse_args()

    from bot import logs  # not before: --help answers at once
    from bot import settings as configuration

    settings = configuration.load()
    settings.share()
    platform = arguments.platform or ("discord" if settings.discord_token else "terminal")
    logs.begin(settings.log, verbose=platform == "discord")
    for sentence in configuration.suspicious(configuration.names()):
        logging.getLogger("bot").warning(sentence)

    import asyncio

    try:
        if platform == "discord" and settings.discord_token is None:
            raise BadInput(TOKENLESS)
        if platform == "discord":
            asyncio.run(_discord(settings))
        else:
            from bot.console import KeepTerminal

            with KeepTerminal():
                asyncio.run(_terminal(settings))
    except ParleyError as error:
        if settings.log != "json":
            raise
        logging.getLogger("bot").critical("%s", error)  # who reads the log as JSON reads no line beside it
        return error.exit_code
    return 0


async def _terminal(settings: Settings) -> None:
    from bot.console import Lines, Screen, at_keyboard
    from bot.terminal import Terminal
    from bot.texts import texts

    words = texts(settings.language)
    interactive = at_keyboard()
    screen = Screen(interactive)
    if interactive:
        screen.line(words.starting, "dim")

    async with opened(settings) as (store, engine, trial):
        chat = chat_of(settings, store, engine)
        try:
            await Terminal(store, chat, settings, words, Lines(interactive), screen, trial).run()
        finally:
            await chat.close()


async def _discord(settings: Settings) -> None:
    from bot.discord.client import talk_on_discord

    async with opened(settings) as (store, engine, trial):
        await talk_on_discord(settings, store, chat_of(settings, store, engine), trial)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Store, Engine, Trial]]:
    """Open what every platform needs, erase what is due meanwhile, and close everything whatever happens."""
    import asyncio
    from contextlib import AsyncExitStack

    from bot import logs
    from bot.engine.client import open_engine
    from bot.retention import purge_daily
    from data.store import Store

    logs.watch_loop()
    async with AsyncExitStack() as stack:
        store = await Store.open(settings.home)
        stack.push_async_callback(store.close)
        engine = await open_engine(
            settings.home,
            url=settings.engine_url,
            model=settings.engine_model,
            api_key=settings.engine_api_key.get_secret_value() if settings.engine_api_key else None,
            base=settings.base,
        )
        stack.push_async_callback(engine.close)
        trial = _trial(settings)
        stack.push_async_callback(trial.close)
        purging = asyncio.create_task(purge_daily(store, settings.retention_days))
        try:
            yield store, engine, trial
        finally:
            purging.cancel()
            await asyncio.gather(purging, return_exceptions=True)


def _trial(settings: Settings) -> Trial:
    from bot.engine.client import open_engine
    from bot.trial import Trial

    async def start(release: int) -> Engine:
        return await open_engine(settings.home, release=release, base=settings.base)

    # A server that somebody else runs serves what it serves.
    own = settings.engine_url is None and not os.environ.get("PARLEY_ENGINE_URL")
    return Trial(settings.home, start if own else None, share=settings.trial_share, usual=settings.compare_share)


def chat_of(settings: Settings, store: Store, engine: Engine) -> Chat:
    """What answers, within the limits of the settings."""
    from bot.conversation import Chat, Limits
    from bot.engine.client import Sampling
    from bot.moderation.step import open_moderation

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
    )


if __name__ == "__main__":
    run(main)
