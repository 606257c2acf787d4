"""What a turn costs once a conversation is longer than the context: the real base, the embedded engine, one client.

    python -m tests.bench.long_talk                      # a context of 1,024 tokens, two minutes on two idle cores
    python -m tests.bench.long_talk --context 4096 --turns 120 --limit 3600

Three conversations talk in turn, with the same questions, to one engine. `short` begins anew before it is longer than
half of the limit. `long` is past the limit from its first turn on, with histories that begin where `bot.history`
says. `before` is too, with as many turns as fit, as the bot did before: its histories begin one pair later at nearly
every turn, so a few turns of it are enough.

A turn's time runs from the question to the first text, with the counts of tokens that find the beginning. The tokens
that a turn computed are the engine's own count, and the same on a busy machine.
"""

import argparse
import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from bot import history
from bot.engine.api import Session
from bot.engine.open import open_engine
from bot.engine.sharing import Board, Entry
from data.errors import ParleyError, run
from data.store import StoredMessage
from tests.bench.servers import SYSTEM, exchanges

BEFORE = 6  # turns of `before`: each of them computes the whole prompt
PATIENCE = 120.0  # seconds for one request

Count = Callable[[int], Awaitable[int]]
Beginning = Callable[[Sequence[StoredMessage], Count, int], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: seconds to the first text and of them for counting; the prompt's tokens, and those not cached."""

    first: float
    counting: float
    counts: int
    prompt: int
    computed: int
    begins: int


@dataclass
class Talk:
    """A conversation and how its turns went."""

    beginning: Beginning
    most: int | None = None  # messages before it begins anew
    messages: list[StoredMessage] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    def say(self, role: str, text: str) -> None:
        number = len(self.messages) + 1
        author = 1 if role == "user" else None
        self.messages.append(StoredMessage(number, number, 1, role, text, author, None, datetime.now(UTC)))


async def as_many_as_fit(turns: Sequence[StoredMessage], count: Count, budget: int) -> int | None:
    """The rule before: the earliest beginning that fits, found by halving."""
    starts = history.starts([turn.role for turn in turns])
    if await count(starts[0]) <= budget:
        return starts[0]
    low, high = 0, len(starts) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if await count(starts[middle]) <= budget else (middle, high)
    return starts[high]


class Bench:
    """One engine, and the client that asks it."""

    def __init__(self, session: Session, entry: Entry, max_tokens: int) -> None:
        import openai

        self.session, self.max_tokens = session, max_tokens
        self.budget = session.context_length - history.answer_room(max_tokens, session.context_length)
        self.client = openai.AsyncOpenAI(
            base_url=entry.url,
            api_key=entry.api_key,
            max_retries=0,
            timeout=PATIENCE,
            default_headers={"Connection": "close"},
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
        )

    async def turn(self, talk: Talk, question: str) -> None:
        """Ask the next question of a conversation."""
        if talk.most is not None and len(talk.messages) >= talk.most:
            talk.messages.clear()
        talk.say("user", question)
        counts = 0

        async def count(start: int) -> int:
            nonlocal counts
            counts += 1
            return await self.session.count_tokens(self._prompt(talk, start).messages)

        began = time.perf_counter()
        start = await talk.beginning(talk.messages, count, self.budget)
        counted = time.perf_counter()
        if start is None:
            raise ParleyError("A question of the benchmark does not fit: give a longer --context.")
        text, first, usage = await self._answer(self._prompt(talk, start))
        talk.say("assistant", text)
        cached = usage.prompt_tokens_details.cached_tokens
        talk.turns.append(
            Turn(first - began, counted - began, counts, usage.prompt_tokens, usage.prompt_tokens - cached, start)
        )

    def _prompt(self, talk: Talk, start: int) -> history.Prompt:
        return history.prompt(SYSTEM["content"], talk.messages, self.session.control, start=start)

    async def _answer(self, prompt: history.Prompt) -> tuple[str, float, Any]:
        text, first, usage = "", 0.0, None
        stream: Any = await self.client.chat.completions.create(
            model="",
            messages=cast("Any", list(prompt.messages)),
            max_tokens=self.max_tokens,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
        async for chunk in stream:
            usage = chunk.usage or usage
            if chunk.choices and chunk.choices[0].delta.content:
                first = first or time.perf_counter()
                text += chunk.choices[0].delta.content
        return text or "Hm.", first or time.perf_counter(), usage

    async def fill(self, talk: Talk) -> None:
        """Let a conversation have happened that is a little longer than the limit."""
        for question, answer in itertools.cycle(exchanges()):
            if await self.session.count_tokens(self._prompt(talk, 0).messages) > self.budget:
                return
            talk.say("user", question["content"])
            talk.say("assistant", answer["content"])


async def measure(context: int, max_tokens: int, turns: int, limit: float) -> tuple[dict[str, Talk], int]:
    """The three conversations after this many turns or seconds, and the limit in tokens."""
    questions = [exchange[0]["content"] for exchange in exchanges()]
    with tempfile.TemporaryDirectory() as folder:
        engine = await open_engine(Path(folder), context_length=context)
        try:
            async with engine.session() as session:
                (entry,) = Board(Path(folder)).read().values()
                bench = Bench(session, entry, max_tokens)
                talks = {
                    "short": Talk(history.beginning, most=max(4, 2 * (bench.budget // 300))),
                    "long": Talk(history.beginning),
                    "before": Talk(as_many_as_fit),
                }
                for name in ("long", "before"):
                    await bench.fill(talks[name])
                over = time.monotonic() + limit
                for number in range(turns + 1):  # the first is not compared: nothing is in the cache yet
                    for name, talk in talks.items():
                        if time.monotonic() < over and (name != "before" or number <= BEFORE):
                            await bench.turn(talk, questions[number % len(questions)])
                await bench.client.close()
                return talks, bench.budget
        finally:
            await engine.close()


def settled(name: str, talk: Talk) -> list[Turn]:
    """The turns that are compared: those past the limit but the first; of the short one those after its beginning."""
    if name == "short":
        return [turn for before, turn in itertools.pairwise(talk.turns) if turn.prompt > before.prompt]
    return [turn for turn in talk.turns[1:] if turn.begins]


def show(console: Console, talks: dict[str, Talk], budget: int) -> None:
    """A table of the three, the ratios to the short conversation, and every turn's computed tokens."""
    table = Table(title=f"a turn past the limit of {budget} tokens")
    for column in (
        "",
        "turns",
        "first token",
        "mean",
        "counting",
        "counts",
        "prompt tokens",
        "computed",
        "mean",
        "jumps",
    ):
        table.add_column(column, justify="right")
    for name, talk in talks.items():
        turns = settled(name, talk)
        first, computed = [turn.first for turn in turns], [turn.computed for turn in turns]
        jumps = sum(b.begins != a.begins for a, b in itertools.pairwise(turns))
        table.add_row(
            name,
            str(len(turns)),
            f"{statistics.median(first) * 1000:.0f} ms",
            f"{statistics.mean(first) * 1000:.0f} ms",
            f"{statistics.median(turn.counting for turn in turns) * 1000:.0f} ms",
            f"{statistics.mean(turn.counts for turn in turns):.1f}",
            f"{statistics.median(turn.prompt for turn in turns):.0f}",
            f"{statistics.median(computed):.0f}",
            f"{statistics.mean(computed):.0f}",
            "" if name == "short" else str(jumps),
        )
    console.print(table)
    short = settled("short", talks["short"])
    for name in ("long", "before"):
        turns = settled(name, talks[name])
        times = _ratios([turn.first for turn in turns], [turn.first for turn in short])
        tokens = _ratios([float(turn.computed) for turn in turns], [float(turn.computed) for turn in short])
        console.print(f"{name} / short: first token {times}; computed tokens {tokens}")
    line = " ".join(str(turn.computed) for turn in settled("long", talks["long"]))
    console.print(f"tokens computed at each turn of `long`; where there are many, its beginning moved: {line}")


def _ratios(values: list[float], to: list[float]) -> str:
    median, mean = (of(values) / of(to) for of in (statistics.median, statistics.mean))
    return f"{median:.2f}x (median), {mean:.2f}x (mean, with the jumps)"


def main() -> int:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--context", type=int, default=1024, help="tokens (default: %(default)s)")
    parser.add_argument("--max_tokens", type=int, default=24, help="of an answer (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=24, help="turns past the limit (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=170.0, help="seconds for the turns (default: %(default)s)")
    options = parser.parse_args()
    talks, budget = asyncio.run(measure(options.context, options.max_tokens, options.turns, options.limit))
    if not all(settled(name, talk) for name, talk in talks.items()):
        raise ParleyError("Not one turn of each conversation was done in time: give a longer --limit.")
    show(Console(width=130, highlight=False), talks, budget)
    return 0


if __name__ == "__main__":
    run(main)
