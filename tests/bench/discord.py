"""The bot's own costs, besides its model: memory for buttons, time to the first text, a burst of questions.

    python -m tests.bench.discord                                # all parts; some minutes
    python -m tests.bench.discord --parts long                   # some seconds
    python -m tests.bench.discord --parts burst --people 50 --channels 5 --questions 200

`buttons`: discord.py's own way of sending and editing messages with buttons, with made-up replies of Discord: as many
answers as needed for the wanted number of buttons, each sent with ⏹ and edited to the buttons of a finished one.
Beside it the same with ordinary buttons, which discord.py keeps. Each way runs in a separate process.

`first`: the bot on a simulated Discord, and an engine that takes `--delay` seconds before each piece of its answers:
the time from a message to the reply's first text and to its first edit, and how much of it is not the engine's. The
edit waits for its turn in the bot's own pace, which is shown.

`long`: what the bot itself does for an answer that streams in at once, word by word, without Discord and engine: the
time on the processor for a short and for a long one, in turn and in one run, and how often more the long one takes.

`burst`: all questions at once, from people in turn, with the bot's usual limits and pace. Each question must be
answered, or its author told that too many wait. discord.py parses them as from Discord's gateway; what it sends is
answered without a network. The bot and the fake engine share the event loop, so its longest pause is an upper bound
of the bot's.
"""

import argparse
import asyncio
import gc
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import run

PARTS = ("buttons", "first", "long", "burst")
SHORT, LONG, ROUNDS = 2_000, 30_000, 5  # characters of two answers, and how often each is measured
ON_AN_ANSWER = 6  # ⏹, and the five that replace it
PIECES = ("The ", "answer ", "is ", "here.")
TICK = 0.002  # seconds between two readings of the event loop's clock
MIB = 2**20
Figures = dict[str, float]


def memory(*, clean: bool = True) -> int:
    """The bytes that this process holds, by default after freeing what can be freed."""
    from bot.discord.health import resident_bytes

    if clean:
        gc.collect()
    return resident_bytes() or 0


# -- buttons


async def send_buttons(count: int, *, ordinary: bool) -> Figures:
    """Send and edit enough answers for this many buttons; returns the memory before and after."""
    import discord

    from bot.discord.buttons import Press, rate_buttons, stop_button
    from bot.discord.client import intents
    from bot.discord.place import InChannel
    from bot.settings import Settings

    client = discord.Client(intents=intents(Settings(_env_file=None)))
    client.add_dynamic_items(Press)
    numbers = iter(range(1, 2**62))

    async def sent(*_: Any, **__: Any) -> dict[str, Any]:
        return message(next(numbers), 2, "text", 1)

    async def edited(_: int, number: int, **__: Any) -> dict[str, Any]:
        return message(number, 2, "text", 1)

    client.http.send_message = sent  # type: ignore[assignment]  # watched here
    client.http.edit_message = edited  # type: ignore[assignment]  # watched here

    def plain(view: discord.ui.View) -> discord.ui.View:
        made = discord.ui.View(timeout=None)
        for child in view.children:
            button = child.item if isinstance(child, discord.ui.DynamicItem) else child
            made.add_item(discord.ui.Button(label=button.label, custom_id=button.custom_id))
        return made

    async def answer(number: int) -> None:
        place = InChannel(client.get_partial_messageable(2))
        stop, rate = stop_button(str(number), 3), rate_buttons(number, teach=True)
        shown = await place.send("text", plain(stop) if ordinary else stop)
        await place.edit(shown, "all of the text", plain(rate) if ordinary else rate)

    for number in range(500):  # one-time loading and caching is not the cost of a button
        await answer(number)
    kept, before, began = tracked(client), memory(), time.perf_counter()
    answers = count // ON_AN_ANSWER
    for number in range(answers):
        await answer(number)
    seconds = time.perf_counter() - began
    return {
        "buttons": answers * ON_AN_ANSWER,
        "before": before / MIB,
        "after": memory() / MIB,
        "kept": tracked(client) - kept,
        "seconds": seconds,
    }


def tracked(client: Any) -> int:
    """How many messages with buttons discord.py keeps."""
    return len(client._connection._view_store._synced_message_views)


def buttons_in_processes(count: int) -> dict[str, Figures]:
    """Both ways, each in a separate process."""
    found = {}
    for way in ("Parley's", "ordinary"):
        program = [sys.executable, "-m", "tests.bench.discord", "--one_way", way, "--buttons", str(count)]
        found[way] = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
    return found


# -- a bot to talk to


class Clock:
    """The longest pause of the event loop."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last - TICK)
            last = now


@asynccontextmanager
async def simulated(delay: float, answers: int):
    """A simulated Discord with the bot in it; its engine takes `delay` seconds before each piece of each answer."""
    from simcord.env import Env

    from bot.conversation import Chat
    from bot.discord.client import Bot, intents
    from bot.engine.open import open_engine
    from bot.settings import Settings
    from data.store import Store
    from tests.fakes.engine import FakeEngine

    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with FakeEngine() as fake:
            for _ in range(answers):
                fake.answer(*PIECES, delay=delay)
            store = await Store.open(home)
            engine = await open_engine(home, url=fake.url)
            settings = Settings(_env_file=None, home=home, shards=1)  # type: ignore[call-arg]  # pydantic-settings takes it
            env = Env(
                Bot(settings, store, Chat(store, engine)), approved_intents=intents(settings), settle_timeout=600
            )
            await env.start()
            try:
                yield env, store
            finally:
                await env.shutdown()
                await engine.close()
                await store.close()
            env.raise_errors()


async def first_words(questions: int, delay: float) -> Figures:
    """Questions in turn: from the message to the first text and to the first edit, beyond the engine's time."""
    from sqlalchemy import select

    from bot.discord.draft import SECONDS_PER_EDIT
    from data.schema import Generation
    from tests.bench.live import sent_messages

    beyond, edits = [], []
    async with simulated(delay, questions + 5) as (env, store):
        sent = sent_messages(env.bot)
        guild = env.create_guild()
        ada = guild.add_member(env.create_user("ada"))
        for number in range(questions + 5):
            channel = guild.create_text_channel(f"c{number}")  # its own channel: each channel has its own pace
            sent.clear()
            began = time.perf_counter()
            await ada.send(channel, f"{env.bot.user.mention} question {number}")
            if number < 5:  # the first ones only warm up
                continue
            async with store.database.read() as session:
                newest = (await session.scalars(select(Generation).order_by(Generation.id.desc()).limit(1))).one()
            replied = next(at for method, at in sent if method == "POST")
            beyond.append(replied - began - newest.first_token_seconds)
            edits += [next(at for method, at in sent if method == "PATCH") - replied]
    return {
        "questions": questions,
        "engine": delay,
        "beyond, median": statistics.median(beyond),
        "beyond, 95 %": statistics.quantiles(beyond, n=20)[-1],
        "edit, median": statistics.median(edits),
        "edit, 95 %": statistics.quantiles(edits, n=20)[-1],
        "pace": SECONDS_PER_EDIT,
    }


async def lay_out(characters: int) -> float:
    """Seconds on the processor for an answer of this many characters: checked, divided, and edited as it grows."""
    from bot.discord.draft import Draft, Pace
    from bot.discord.render import GrowingText, messages, parts
    from bot.moderation.step import our_words
    from bot.moderation.words import Growing
    from tests.bot.discord.wall import Wall, nothing

    pieces = [f"word{number % 10} " for number in range(characters // 6)]
    text, checked, wall = GrowingText(), Growing(our_words()), Wall()
    draft = Draft(wall, Pace(0.01), lambda _: None, nothing, lambda: None)
    began = time.process_time()
    for number, piece in enumerate(pieces):
        text.add(checked.add(piece))
        draft.show(lambda: messages(text.parts, "stop"))
        if number % 50 == 0:
            await asyncio.sleep(0)
    text.add(checked.end())
    await draft.finish(parts("".join(pieces), "rate"))
    seconds = time.process_time() - began
    assert " ".join(wall.contents).split() == "".join(pieces).split()
    return seconds


async def long_answers() -> Figures:
    """A short and a long answer in turn: the least seconds of each, and how often more the long one takes."""
    taken: dict[int, list[float]] = {SHORT: [], LONG: []}
    await lay_out(SHORT)  # only warms up
    for _ in range(ROUNDS):
        for characters, seconds in taken.items():
            seconds.append(await lay_out(characters))
    short, long = min(taken[SHORT]), min(taken[LONG])
    return {
        "long, short": short,
        "long, long": long,
        "times as long": LONG / SHORT,
        "times the work": long / short,
    }


class Answers:
    """Discord's end, without a network: it accepts what the bot sends, and records the answer to each question."""

    def __init__(self) -> None:
        self.replies: dict[int, str] = {}
        self._below: dict[int, int] = {}
        self._ids = iter(range(2**40, 2**62))

    async def request(self, route: Any, **more: Any) -> Any:
        """What discord.py sends, and what Discord replies."""
        payload = more.get("json") or {}
        if not route.path.startswith("/channels/{channel_id}/messages"):
            return None  # that the bot types
        if route.method == "POST":
            number = next(self._ids)
            self._below[number] = int(payload["message_reference"]["message_id"])
        else:
            number = int(route.url.rpartition("/")[2])
        self.replies[self._below[number]] = payload["content"]
        return message(number, route.channel_id, payload["content"], 1)


def message(number: int, channel: int, content: str, author: int, **more: Any) -> dict[str, Any]:
    """A message as Discord describes it."""
    who = {"id": str(author), "username": f"u{author}", "discriminator": "0", "avatar": None, "bot": author == 1}
    payload: dict[str, Any] = {
        name: [] for name in ("attachments", "embeds", "mentions", "mention_roles", "components")
    }
    payload |= {
        "id": str(number),
        "channel_id": str(channel),
        "author": who,
        "content": content,
        "type": 0,
        "flags": 0,
    }
    payload |= {"timestamp": "2026-01-01T00:00:00+00:00", "edited_timestamp": None, "tts": False}
    return payload | {"mention_everyone": False, "pinned": False} | more


def question(number: int, channel: int, guild: int, author: int, me: int) -> dict[str, Any]:
    """A question that mentions the bot, on a server."""
    member = {"roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False, "flags": 0}
    bot = {"id": str(me), "username": "parley", "discriminator": "0", "avatar": None, "bot": True, "member": member}
    text = f"<@{me}> question {number}"
    return message(number, channel, text, author, guild_id=str(guild), member=member, mentions=[bot])


async def burst(questions: int, people: int, channels: int, delay: float) -> Figures:
    """All at once: how each question ended, how long it took, the event loop's longest pause, the memory held."""
    from bot.texts import EN

    async with simulated(delay, questions) as (env, _):
        guild = env.create_guild()
        places = [guild.create_text_channel(f"c{number}").id for number in range(channels)]
        await env.settle()
        app, clock, before = env.bot.app, Clock(), memory()
        discord_said = Answers()
        env.bot.http.request = discord_said.request
        hears = env.bot._connection.parsers["MESSAGE_CREATE"]
        watching = asyncio.create_task(clock.run())
        began, spent = time.perf_counter(), time.process_time()
        for number in range(1, questions + 1):
            hears(question(number, places[number % channels], guild.id, 1000 + number % people, env.bot.user.id))
            await asyncio.sleep(0)
        arrived, peak, waiting = time.perf_counter() - began, before, 0
        while env.bot.parley._tasks or app.running.keys:
            await asyncio.sleep(0.05)
            peak, waiting = max(peak, memory(clean=False)), max(waiting, sum(app.chat.load))
        seconds = time.perf_counter() - began
        watching.cancel()
        spent = time.process_time() - spent
        refused = {EN.queue_full, EN.queue_full_person.format(waiting=app.chat.limits.waiting_per_person)}
        ends = [discord_said.replies.get(number) for number in range(1, questions + 1)]
        return {
            "questions": questions,
            "answered": ends.count("".join(PIECES)),
            "told that too many wait": sum(end in refused for end in ends),
            "neither": sum(end not in refused and end != "".join(PIECES) for end in ends),
            "arrived within": arrived,
            "over after": seconds,
            "of the processor": spent,
            "most at once": waiting,
            "longest pause": clock.longest,
            "before": before / MIB,
            "peak": peak / MIB,
        }


# -- tables


def show(console: Console, part: str, found: Any) -> None:
    """The figures of a part, as a table."""
    if part == "buttons":
        table = Table("", *found, title="memory for buttons")
        rows = {"buttons": "{:,.0f}", "before": "{:.1f} MiB", "after": "{:.1f} MiB", "kept": "{:,.0f}"}
        names = {"kept": "messages that discord.py keeps", "buttons": "buttons that were sent"}
        for name, unit in (rows | {"seconds": "{:.1f} s"}).items():
            table.add_row(names.get(name, name), *(unit.format(figures[name]) for figures in found.values()))
        console.print(table)
        return
    titles = {"first": "from a message to the first words", "long": "a long answer", "burst": "a burst"}
    table = Table("", "", title=titles[part])
    seconds = ("engine", "beyond", "edit", "pace", "arrived", "over", "of the", "longest", "long,")
    for name, figure in found.items():
        whole = "{:.1f} MiB" if name in ("before", "peak") else "{:,.0f}"
        unit = "{:.3f} s" if name.startswith(seconds) else "{:.1f}" if name.startswith("times") else whole
        table.add_row(NAMES.get(name, name), unit.format(figure))
    console.print(table)


NAMES = {
    "long, short": f"an answer of {SHORT:,} characters",
    "long, long": f"an answer of {LONG:,} characters",
    "engine": "the engine's time before each piece",
    "beyond, median": "the first text, beyond the engine's time, median",
    "beyond, 95 %": "the first text, beyond the engine's time, 95 %",
    "edit, median": "from it to the first edit, median",
    "edit, 95 %": "from it to the first edit, 95 %",
    "pace": "of that the pace of edits at most",
    "of the processor": "of it on the processor",
    "most at once": "running and waiting, most at once",
    "longest pause": "longest pause of the event loop",
    "before": "memory before",
    "peak": "memory, most",
}


def main() -> int:
    """Measure the requested parts."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.discord",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--buttons", type=int, default=100_000, help="how many buttons to send")
    parser.add_argument("--messages", type=int, default=200, help="how many questions in turn")
    parser.add_argument("--questions", type=int, default=1000, help="how many questions in the burst")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--channels", type=int, default=20)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds of the engine before each piece")
    parser.add_argument("--out", type=Path, help="a folder for discord.json")
    parser.add_argument("--one_way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_way:
        print(json.dumps(asyncio.run(send_buttons(options.buttons, ordinary=options.one_way == "ordinary"))))
        return 0
    for name in [name for name in os.environ if name.startswith(("PARLEY_", "DISCORD_"))]:
        del os.environ[name]  # the default settings are measured
    console, found = Console(), {}
    for part in options.parts:
        if part == "buttons":
            found[part] = buttons_in_processes(options.buttons)
        elif part == "first":
            found[part] = asyncio.run(first_words(options.messages, options.delay))
        elif part == "long":
            found[part] = asyncio.run(long_answers())
        else:
            found[part] = asyncio.run(burst(options.questions, options.people, options.channels, options.delay))
        show(console, part, found[part])
    command = shlex.join(["python", "-m", "tests.bench.discord", *sys.argv[1:]])
    console.print(f"Repeat it with: {command}", soft_wrap=True)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "discord.json").write_text(json.dumps({"command": command, **found}, indent=2))
    return 0


if __name__ == "__main__":
    run(main)
