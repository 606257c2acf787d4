"""Measures how fast it answers: the embedded engine in both forms, and what else serves; a swap; on Discord.

    python -m tests.bench.serving --short --serve_python PYTHON      # a few minutes; ratios at every load
    python -m tests.bench.serving                                    # everything; long on two cores
    python -m tests.bench.serving --parts servers --ways lora merged --repeats 1 --at_once 1 4 --histories 250 1000
    python -m tests.bench.serving --parts swap discord --out out/serving

`servers`: `lora` and `merged` are `python -m bot.engine` as it starts alone, with an adapter on the base's GGUF of 4
bits, and with a merged file of 8 bits (`tests.bench.forms`). `unified` is `merged` as the bot starts it, with 16
slots that share the memory of the usual 4. `serve` is `transformers serve` with continuous batching and as large a
cache; PYTHON has transformers[serving] and accelerate. `generate` is transformers alone, all conversations in one
batch. `vllm` is the program at VLLM, or at --vllm. These three have the base's weights in `--dtype`, without an
adapter. Conversations have the assistant's system prompt, a question of the seed rows and their own answers as
history; all ask at once, and the next turn comes when all are answered. Then conversations that ask one after the
other, fewer and more than the engine has slots; then histories of several lengths: the first turn is new to the
server, the second follows it. Each way is restarted in each repeat, in turn; the tables hold medians, and ratios
above 1 favour Parley.

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
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.chat import Message
from data.errors import BadInput, ParleyError, run
from tests.bench.forms import make_forms
from tests.bench.ran_on import dtype
from tests.bench.servers import OURS, SYSTEM, Generate, HttpServer, Settings, exchanges, lacking, model_folder, start

PARTS = ("servers", "swap", "discord")
WAYS = (*OURS, "serve", "generate", "vllm")
# What --short measures: every load once.
SHORT = {
    "parts": ["servers"],
    "repeats": 1,
    "at_once": [1, 4, 16],
    "in_turn": [],
    "turns": 2,
    "max_tokens": 32,
    "histories": [500, 2000],
}
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


async def measure(way: str, options: argparse.Namespace, adapter: Path) -> dict[str, Figures]:
    """Start one way and measure everything."""
    began = time.perf_counter()
    settings = Settings(options.dtype, options.serve_python, options.parallel, adapter, options.vllm)
    server = await start(way, settings)
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
    """A table of all figures, one of the ratios, and one of what a growing history costs."""
    every = next(iter(found.values()))
    rows = [(case, name) for case, figures in every.items() for name in figures if name != "prompt"]
    table = Table("", "", *found, title="medians")
    for case, name in rows:
        table.add_row(case, name_of(case, name), *(shown(name, figures[case][name]) for figures in found.values()))
    console.print(table)
    pairs = [(ours, way) for ours in OURS for way in found if ours in found and way not in OURS]
    if pairs:
        table = Table("", "", *(f"{ours} to {way}" for ours, way in pairs), title="ratios; above 1 favours Parley")
        for case, name in rows:
            ratios = (ratio(name, found[ours][case][name], found[way][case][name]) for ours, way in pairs)
            table.add_row(case, name_of(case, name), *(f"{each:.2f}x" for each in ratios))
        console.print(table)
    histories = [case for case in every if case.startswith("history")]
    if not histories:
        return
    table = Table("tokens of the prompt", title="first token of a new history, and of the turn after it")
    for way in found:
        table.add_column(f"{way}: new")
        table.add_column("then")
    for case in histories:
        both = [figures[case][turn] for figures in found.values() for turn in ("first turn", "second turn")]
        table.add_row(f"{every[case]['prompt']:.0f}", *(f"{one:.2f} s" for one in both))
    console.print(table)


def name_of(case: str, name: str) -> str:
    """What a row of the tables is called."""
    whole = {"start": "to its first answer", "memory": "peak memory", "tokens a second": name}
    return whole.get(name, f"first token, {name}")


def ratio(name: str, ours: float, theirs: float) -> float:
    """How many times as good ours is: more tokens a second; less of anything else."""
    return ours / theirs if name == "tokens a second" else theirs / ours


async def compare(options: argparse.Namespace, console: Console) -> dict[str, dict[str, Figures]]:
    """All ways in turn, `repeats` times."""
    runs: dict[str, list[dict[str, Figures]]] = {way: [] for way in options.ways}
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        adapter = make_forms(Path(folder), model_folder(), merged=bool({"merged", "unified"} & {*options.ways}))
        for number in range(options.repeats):
            for way in list(runs):
                console.print(f"{way}, {number + 1} of {options.repeats} ...", style="dim")
                try:
                    runs[way].append(await measure(way, options, adapter))
                except ParleyError as error:  # the others' figures are not lost
                    console.print(f"`{way}` is left out: {error}", markup=False, highlight=False)
                    del runs[way]
                    if not runs:
                        raise
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
    parser.add_argument("--vllm", default=os.environ.get("VLLM", ""), help="vLLM's program (default: VLLM)")
    parser.add_argument("--short", action="store_true", help="a few minutes: every load once, no swap, no Discord")
    parser.add_argument("--swaps", type=positive, default=4, help="champions promoted (default: %(default)s)")
    parser.add_argument(
        "--people", type=positive, default=4, help="people who ask during a swap (default: %(default)s)"
    )
    parser.add_argument(
        "--messages", type=positive, default=10, help="messages on Discord, of each kind (default: 10)"
    )
    parser.add_argument("--out", type=Path, help="a folder for the figures")
    if "--short" in sys.argv:
        parser.set_defaults(**SHORT)
    options = parser.parse_args()
    if options.histories and max(options.histories) > LONGEST:
        raise BadInput(f"--histories: at most {LONGEST} tokens, so that the engine's context holds the answers too.")
    if "servers" in options.parts and "serve" in options.ways and (sentence := lacking(options.serve_python)):
        print(sentence)
        options.ways.remove("serve")
    if "vllm" in options.ways and not options.vllm:
        print("`vllm` is left out: set VLLM to the path of its program.")
        options.ways.remove("vllm")
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
