"""Measures how fast it answers: the embedded engine, `transformers serve`, plain `generate`; a swap; on Discord.

    python -m tests.bench.serving                                    # everything; long on two cores
    python -m tests.bench.serving --parts servers --ways parley --repeats 1 --at_once 1 4 --histories 250 1000
    python -m tests.bench.serving --parts swap discord --out out/serving
    python -m tests.bench.serving --serve_python .venv-serve/bin/python      # has transformers[serving]

`servers`: `parley` is `python -m bot.engine` as the bot starts it; `serve` is `transformers serve` with continuous
batching and as large a cache; `generate` is transformers alone, all conversations in one batch. Conversations have
the assistant's system prompt, a question of the seed rows and their own answers as history; all ask at once, and the
next turn comes when all are answered. Then conversations that ask one after the other, fewer and more than the engine
has slots; then histories of several lengths: the first turn is new to the server, the second follows it. The engine
serves the base's GGUF of 4 bits, transformers its weights in `--dtype`. Each way is restarted in each repeat, in
turn; the tables hold medians, and ratios above 1 favour Parley.

`swap`: people ask without pause while champions are promoted, and between. `discord`: the bot on a simulated Discord
with the embedded engine: the time from the message to the reply's first text and to its first edit, and how much of
it is not the engine's time to first token.
"""

import argparse
import asyncio
import json
import os
import shlex
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.chat import Message
from data.errors import BadInput, run
from tests.bench.ran_on import dtype
from tests.bench.servers import SYSTEM, Generate, HttpServer, exchanges, lacking, model_folder, start

PARTS = ("servers", "swap", "discord")
WAYS = ("parley", "serve", "generate")
MORE = Message(role="user", content="Go on: tell me more about that, with an example.")
LONGEST = 3500  # tokens of a history that the engine's 4,096 hold with its answers
IN_TURN = 500  # tokens of the histories of conversations that ask one after the other
Figures = dict[str, float]


def history(tokens: int, begin: int) -> list[Message]:
    """About `tokens` tokens of exchanges, starting with number `begin`, and a question at the end."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model_folder() / "tokenizer.json"))
    every = exchanges()
    found, counted = [SYSTEM], 0
    while True:
        exchange = every[begin % len(every)]
        counted += sum(len(tokenizer.encode(message["content"]).ids) + 5 for message in exchange)
        if counted > tokens:
            return [*found, exchange[0]]
        found += exchange
        begin += 1


async def talk(server: HttpServer | Generate, people: int, turns: int, begin: int, max_tokens: int) -> Figures:
    """`people` conversations at once: tokens a second, seconds to the first token in the first and in later turns."""
    every = exchanges()
    conversations = [[SYSTEM, every[(begin + number) % len(every)][0]] for number in range(people)]
    tokens, seconds, first = 0, 0.0, []
    for _ in range(turns):
        began = time.perf_counter()
        replies = await server.ask(conversations, max_tokens)
        seconds += time.perf_counter() - began
        tokens += sum(reply.tokens for reply in replies)
        first.append([reply.first for reply in replies])
        for messages, reply in zip(conversations, replies, strict=True):
            messages += [Message(role="assistant", content=reply.text), MORE]
    found = {"tokens a second": tokens / seconds, "first turn": statistics.median(first[0])}
    if turns > 1:
        found["later turns"] = statistics.median(one for turn in first[1:] for one in turn)
    return found


async def second_turn(server: HttpServer | Generate, tokens: int, begin: int, max_tokens: int) -> Figures:
    """One conversation with a history: seconds to the first token of a first and of a second turn."""
    messages = history(tokens, begin)
    (new,) = await server.ask([messages], max_tokens)
    messages += [Message(role="assistant", content=new.text), MORE]
    (again,) = await server.ask([messages], max_tokens)
    return {"prompt": new.prompt, "first turn": new.first, "second turn": again.first}


async def in_turn(server: HttpServer | Generate, people: int, tokens: int, begin: int, max_tokens: int) -> Figures:
    """Conversations with histories, one asking after the other: is each still cached when it comes again?"""
    talks = [history(tokens, begin + 11 * number) for number in range(people)]
    first: list[list[float]] = []
    for _ in range(3):
        first.append([])
        for messages in talks:
            (reply,) = await server.ask([messages], max_tokens)
            messages += [Message(role="assistant", content=reply.text), MORE]
            first[-1].append(reply.first)
    return {"first turn": statistics.median(first[0]), "later turns": statistics.median(first[1] + first[2])}


async def measure(way: str, options: argparse.Namespace) -> dict[str, Figures]:
    """Start one way and measure everything."""
    began = time.perf_counter()
    server = await start(way, options.dtype, options.serve_python, options.parallel)
    found: dict[str, Figures] = {}
    try:
        await server.ask([[SYSTEM, Message(role="user", content="Hello!")]], 4)
        found["process"] = {"start": time.perf_counter() - began}
        begin = 0
        for people in options.at_once:
            found[f"{people} at once"] = await talk(server, people, options.turns, begin, options.max_tokens)
            begin += people
        for people in options.in_turn:
            found[f"{people} in turn"] = await in_turn(server, people, IN_TURN, begin, options.max_tokens)
            begin += people
        for number, tokens in enumerate(options.histories):
            # Each begins differently, so that the server has cached only the system prompt.
            found[f"history {tokens}"] = await second_turn(server, tokens, begin + 20 * number, options.max_tokens)
    finally:
        memory = await server.close()
    found["process"]["memory"] = memory
    return found


def medians(runs: list[dict[str, Figures]]) -> dict[str, Figures]:
    """The median of each figure over the repeats."""
    return {
        case: {name: statistics.median(one[case][name] for one in runs) for name in figures}
        for case, figures in runs[0].items()
    }


def shown(name: str, value: float) -> str:
    """A figure in its unit."""
    if name == "memory":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.1f}" if name == "tokens a second" else f"{value:.2f} s"


def show_servers(console: Console, found: dict[str, dict[str, Figures]]) -> None:
    """Two tables: speeds, and what a growing history costs."""
    others = [way for way in found if way != "parley"] if "parley" in found else []
    table = Table("", "", *found, *(f"parley to {way}" for way in others), title="servers: medians")
    one = next(iter(found.values()))
    for case in (case for case in one if not case.startswith("history")):
        for name in one[case]:
            cells = [shown(name, figures[case][name]) for figures in found.values()]
            pairs = [(found[way][case][name], found["parley"][case][name]) for way in others]
            ratios = [parley / other if name == "tokens a second" else other / parley for other, parley in pairs]
            word = {"start": "to its first answer", "memory": "peak memory", "tokens a second": name}
            table.add_row(case, word.get(name, f"first token, {name}"), *cells, *(f"{r:.2f}x" for r in ratios))
        table.add_section()
    console.print(table)
    cases = [case for case in one if case.startswith("history")]
    if not cases:
        return
    table = Table("tokens of the prompt", title="first token of a new history, and of the turn after it")
    for way in found:
        table.add_column(f"{way}: new")
        table.add_column("then")
        table.add_column("new / then")
    for case in cases:
        cells = []
        for measured in found.values():
            new, then = measured[case]["first turn"], measured[case]["second turn"]
            cells += [f"{new:.2f} s", f"{then:.2f} s", f"{new / then:.1f}x"]
        table.add_row(f"{one[case]['prompt']:.0f}", *cells)
    console.print(table)
    for way, measured in found.items():
        short, long = measured[cases[0]], measured[cases[-1]]
        console.print(
            f"{way}: with a history {long['prompt'] / short['prompt']:.1f} times as long, the first turn waits "
            f"{long['first turn'] / short['first turn']:.1f} times and the second turn "
            f"{long['second turn'] / short['second turn']:.1f} times as long."
        )


async def compare(options: argparse.Namespace, console: Console) -> dict[str, dict[str, Figures]]:
    """All ways in turn, `repeats` times."""
    runs: dict[str, list[dict[str, Figures]]] = {way: [] for way in options.ways}
    for number in range(options.repeats):
        for way in options.ways:
            console.print(f"{way}, {number + 1} of {options.repeats} ...", style="dim")
            runs[way].append(await measure(way, options))
    return {way: medians(every) for way, every in runs.items()}


def positive(text: str) -> int:
    """A number that is at least 1."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return value


def parsed() -> argparse.Namespace:
    """The command line. Raises `BadInput` for impossible measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--repeats", type=positive, default=3, help="repeats of each way (default: %(default)s)")
    parser.add_argument("--at_once", nargs="+", type=positive, default=[1, 4, 16], help="conversations")
    parser.add_argument("--in_turn", nargs="*", type=positive, default=[3, 8], help="conversations of 500 tokens")
    parser.add_argument("--turns", type=positive, default=3, help="turns of each conversation (default: %(default)s)")
    parser.add_argument("--max_tokens", type=positive, default=48, help="tokens of an answer (default: %(default)s)")
    parser.add_argument("--histories", nargs="*", type=positive, default=[250, 500, 1000, 2000, 3000], help="tokens")
    parser.add_argument("--parallel", type=positive, default=4, help="the engine's answers at once (default: 4)")
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float32"), default=dtype(), help="dtype of transformers' weights"
    )
    parser.add_argument("--serve_python", default=sys.executable, help="the Python that runs `transformers serve`")
    parser.add_argument("--swaps", type=positive, default=4, help="champions promoted (default: %(default)s)")
    parser.add_argument(
        "--people", type=positive, default=4, help="people who ask during a swap (default: %(default)s)"
    )
    parser.add_argument(
        "--messages", type=positive, default=10, help="messages on Discord, of each kind (default: 10)"
    )
    parser.add_argument("--out", type=Path, help="a folder for the figures")
    options = parser.parse_args()
    if options.histories and max(options.histories) > LONGEST:
        raise BadInput(f"--histories: at most {LONGEST} tokens, so that the engine's context holds the answers too.")
    if "servers" in options.parts and "serve" in options.ways and (sentence := lacking(options.serve_python)):
        print(sentence)
        options.ways.remove("serve")
    return options


def main() -> None:
    """Read the command line and measure."""
    options = parsed()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server outlives this process
    for name in ("PARLEY_ENGINE_URL", "PARLEY_BASE"):  # the embedded engine is measured, on the bundled base
        os.environ.pop(name, None)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    console = Console(width=160)
    found: dict[str, Any] = {"command": f"python -m tests.bench.serving {shlex.join(sys.argv[1:])}".strip()}
    for part in options.parts:
        if part == "servers" and options.ways:
            found[part] = asyncio.run(compare(options, console))
            show_servers(console, found[part])
        elif part == "swap":
            from tests.bench.live import show_swap, swap

            found[part] = asyncio.run(swap(options.people, options.swaps, options.max_tokens))
            show_swap(console, found[part])
        elif part == "discord":
            from tests.bench.live import on_discord, show_discord

            found[part] = asyncio.run(on_discord(options.messages, options.max_tokens))
            show_discord(console, found[part])
        if options.out:
            (options.out / "serving.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    console.print(f"Again: {found['command']}")


if __name__ == "__main__":
    run(main)
