"""Two parts of `tests.bench.serving`: champions that change under load, and Discord's time to an answer."""

import asyncio
import logging
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.engine.api import Engine, EngineError, Sampling
from bot.engine.open import open_engine
from bot.engine.sharing import Board
from data.errors import ParleyError
from data.releases import Releases
from tests.bench.servers import SYSTEM, exchanges
from tests.fakes.adapter import make_release

STEADY = 5.0  # seconds of load before and after each swap
ENDING = 120.0  # seconds that an old engine may take to end


@dataclass(frozen=True, slots=True)
class Request:
    """One answer under load, in seconds of the same clock; `first` is None when it failed."""

    began: float
    first: float | None
    ended: float
    release: int


@dataclass(frozen=True, slots=True)
class Swap:
    """A promotion: when, to which release, and when the old one's process was gone."""

    promoted: float
    release: int
    gone: float


class _Retries(logging.Handler):
    """Counts the requests that the session had to send twice."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "sent once more" in record.getMessage()


async def swap(people: int, swaps: int, max_tokens: int) -> dict[str, dict[str, float]]:
    """People ask while champions are promoted, each the next question as soon as the last is answered."""
    requests: list[Request] = []
    done: list[Swap] = []
    retries = _Retries()
    logging.getLogger("bot.engine.session").addHandler(retries)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        numbers = [make_release(home, seed=seed).number for seed in range(swaps)]
        engine = await open_engine(home)
        asking = [asyncio.create_task(_person(engine, number, requests, max_tokens)) for number in range(people)]
        try:
            await asyncio.sleep(STEADY)
            for number in numbers:
                (old,) = Board(home).read()
                promoted = time.perf_counter()
                Releases(home).promote(number)
                while old in Board(home).read() or all(one.release != number for one in requests):
                    if time.perf_counter() > promoted + ENDING:
                        raise ParleyError(f"Release {number} did not take over within {ENDING:.0f} seconds.")
                    await asyncio.sleep(0.05)
                done.append(Swap(promoted, number, time.perf_counter()))
                await asyncio.sleep(STEADY)
        finally:
            for task in asking:
                task.cancel()
            ends = await asyncio.gather(*asking, return_exceptions=True)
            await engine.close()
            logging.getLogger("bot.engine.session").removeHandler(retries)
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return counted(requests, done, retries.count)


async def _person(engine: Engine, number: int, requests: list[Request], max_tokens: int) -> None:
    every = exchanges()
    sampling = Sampling(temperature=0, max_tokens=max_tokens)
    while True:
        messages = [SYSTEM, every[number % len(every)][0]]
        number += 13
        began, first, release = time.perf_counter(), None, -1
        try:
            async with engine.session() as session:
                release = session.release
                await session.count_tokens(messages)  # as the bot does
                async for _ in session.stream(messages, sampling):
                    first = first or time.perf_counter()
        except EngineError:
            first = None
        requests.append(Request(began, first, time.perf_counter(), release))


def counted(requests: list[Request], swaps: list[Swap], retries: int) -> dict[str, dict[str, float]]:
    """The figures of the requests that ran during a swap, and of the others."""

    def beside(request: Request) -> bool:
        return any(request.began < swap.gone and request.ended > swap.promoted for swap in swaps)

    found: dict[str, dict[str, float]] = {}
    for name, chosen in (
        ("steady", [request for request in requests if not beside(request)]),
        ("during a swap", [request for request in requests if beside(request)]),
    ):
        waits = [request.first - request.began for request in chosen if request.first is not None]
        found[name] = {
            "requests": len(chosen),
            "failed": len(chosen) - len(waits),
            "wait": statistics.median(waits) if waits else 0.0,
            "longest wait": max(waits, default=0.0),
            "longest answer": max((request.ended - request.began for request in chosen), default=0.0),
        }
    took = [
        min(one.first for one in requests if one.first is not None and one.release == swap.release) - swap.promoted
        for swap in swaps
    ]
    return found | {"all": {"swaps": len(swaps), "sent twice": retries, "until it answers": statistics.median(took)}}


def show_swap(console: Console, found: dict[str, dict[str, float]]) -> None:
    """A table of requests during swaps and of the others."""
    steady, beside, whole = found["steady"], found["during a swap"], found["all"]
    table = Table("", "steady", "during a swap", "ratio", title=f"{whole['swaps']:.0f} champions promoted under load")
    for name in steady:
        unit = "{:.0f}" if name in ("requests", "failed") else "{:.2f} s"
        ratio = f"{beside[name] / steady[name]:.2f}x" if "s" in unit and steady[name] else ""
        label = {"wait": "first token, median", "longest wait": "first token, longest"}.get(name, name)
        table.add_row(label, unit.format(steady[name]), unit.format(beside[name]), ratio)
    console.print(table)
    console.print(
        f"{whole['until it answers']:.1f} s from a promotion to the new champion's first text (median); "
        f"{whole['sent twice']:.0f} requests had to be sent twice."
    )


async def on_discord(messages: int, max_tokens: int) -> dict[str, dict[str, float]]:
    """New questions and replies in a growing conversation, in turn, each once the last is answered."""
    from simcord.env import Env

    from bot.conversation import Chat
    from bot.discord.client import Bot, intents
    from bot.settings import Settings
    from data.store import Store

    found: dict[str, list[dict[str, float]]] = {"new question": [], "reply with history": []}
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(Path(folder))
        engine = await open_engine(Path(folder))
        chat = Chat(store, engine, sampling=Sampling(max_tokens=max_tokens), seed=lambda: 0)
        settings = Settings(shards=1)
        env = Env(Bot(settings, store, chat), approved_intents=intents(settings), settle_timeout=600)
        await env.start()
        try:
            await _ask_in_turn(env, env.create_guild(), store, messages, found)
        finally:
            await env.shutdown()
            await chat.close()
            await engine.close()
            await store.close()
        env.raise_errors()
    return {
        kind: {name: statistics.median(one[name] for one in every if name in one) for name in every[0]}
        | {"longest beyond": max(one["beyond"] for one in every)}
        for kind, every in found.items()
    }


def sent_messages(bot: Any) -> list[tuple[str, float]]:
    """The times at which the bot sends messages (POST) and edits them (PATCH); the list grows as it does."""
    sent: list[tuple[str, float]] = []
    request = bot.http.request

    def timed(route: Any, **more: Any) -> Any:
        if "/messages" in route.path and route.method in ("POST", "PATCH"):
            sent.append((route.method, time.perf_counter()))
        return request(route, **more)

    bot.http.request = timed
    return sent


async def _ask_in_turn(
    env: Any, guild: Any, store: Any, messages: int, found: dict[str, list[dict[str, float]]]
) -> None:
    from sqlalchemy import select

    from data.schema import Generation

    sent = sent_messages(env.bot)
    ada = guild.add_member(env.create_user("ada"))
    channels = {kind: guild.create_text_channel(kind.replace(" ", "-")) for kind in found}
    every = exchanges()
    for number in range(messages + 1):
        for kind, channel in channels.items():
            sent.clear()
            before = channel.last_message if kind != "new question" else None
            text = f"{env.bot.user.mention} {every[(2 * number + (before is None)) % len(every)][0]['content']}"
            began = time.perf_counter()
            await ada.send(channel, text, reply_to=before)
            async with store.database.read() as session:
                newest = (await session.scalars(select(Generation).order_by(Generation.id.desc()).limit(1))).one()
            edits = [at for method, at in sent if method == "PATCH"]
            replied = next(at for method, at in sent if method == "POST") - began
            one = {"prompt": newest.prompt_tokens, "engine": newest.first_token_seconds, "reply": replied}
            one |= {"beyond": replied - newest.first_token_seconds}
            one |= {"edit": edits[0] - began} if edits else {}
            if number:  # the first of each kind only warms up
                found[kind].append(one)


def show_discord(console: Console, found: dict[str, dict[str, float]]) -> None:
    """A table of the times from message to answer."""
    table = Table("", *found, title="from a Discord message to its answer: medians")
    labels = {
        "prompt": "tokens of the prompt",
        "engine": "the engine's first token",
        "reply": "the reply is sent after",
        "beyond": "beyond the engine's",
        "longest beyond": "beyond the engine's, longest",
        "edit": "its first edit is sent after",
    }
    for name, label in labels.items():
        unit = "{:.0f}" if name == "prompt" else "{:.3f} s"
        table.add_row(label, *(unit.format(figures[name]) if name in figures else "-" for figures in found.values()))
    ratios = [f"{figures['reply'] / figures['engine']:.2f}x" for figures in found.values()]
    table.add_row("reply / engine", *ratios)
    console.print(table)
