"""Measures how costs grow: training with rows and history, serving with adapters. Table, picture and JSON for each.

    python -m tests.bench.costs --out docs --plot docs            # all three curves; an hour or two on two cores
    python -m tests.bench.costs --curves rows --rows 16 32 64 --repeats 1 --out out/costs
    python -m tests.bench.costs --redraw --out docs --plot docs   # tables and pictures of earlier figures

`rows`: one epoch of DPO by Parley's stage, the reference pass included, against the number of preferences, with a
straight line fitted. `history`: seconds a row and peak memory against the length of the prompt, Parley beside TRL's
defaults. Both run `tests.bench.training`'s measurement, each run in a separate process. `adapters`: the embedded
engine serves each release by a separate process (a server that switched adapters would reuse the wrong release's
prompt cache), so many processes run at once: tokens a second of one release while the others wait, and of all

The settings of a curve are run in turn, `--repeats` times; tables and pictures show medians, and `costs.json` in
`--out` keeps every run, the command, and what it ran on. Unknown flags go to `alignment.dpo`.
"""

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from data.errors import BadInput, run
from tests.bench import costs_report, training
from tests.bench.ran_on import ran_on
from tests.engine_key import key_of

CURVES = ("rows", "history", "adapters")
PROMPT = 200  # tokens of history before the question in the curve `rows`, as in training's `multi`
ANSWER = 128  # tokens of each answer in the curve `adapters`
QUESTION = "Tell me a long story about a lighthouse."
Run = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve: its place on the axis, its way, and how it is measured."""

    at: int
    way: str
    measure: Callable[[], Run]


def settings(curve: str, options: argparse.Namespace, flags: list[str]) -> list[Point]:
    """The points of a curve in the order in which they are run."""

    def trained(way: str, tokens: int, rows: int) -> Callable[[], Run]:
        return partial(in_a_process, way, tokens, rows, options.base, flags if way == "parley" else [])

    if curve == "rows":
        return [Point(rows, "parley", trained("parley", PROMPT, rows)) for rows in options.rows]
    if curve == "history":
        return [
            Point(tokens, way, trained(way, tokens, options.history_rows))
            for tokens in options.history
            for way in options.ways
        ]
    return [Point(count, "parley", partial(serve, count, options.base)) for count in options.adapters]


def train(way: str, tokens: int, rows: int, base: str, flags: list[str]) -> Run:
    """One epoch of DPO in this process, on a number of rows, each after a history of a number of tokens."""
    from alignment import models
    from alignment.quiet import quiet

    quiet()
    training.KINDS["cost"] = (tokens, rows)
    found = training.measure("dpo", way, "cost", base, None, flags)
    tokenizer = models.load_tokenizer(models.locate(base))
    prompts = [row["prompt"] for row in training.preferences("cost", tokenizer)]
    lengths = [len(tokenizer.apply_chat_template(prompt)["input_ids"]) for prompt in prompts]
    return {**found, "rows": rows, "prompt_tokens": statistics.mean(lengths)}


def in_a_process(way: str, tokens: int, rows: int, base: str, flags: list[str]) -> Run:
    """`train` in a separate process, so that its peak memory is its own."""
    arguments = [
        sys.executable,
        "-m",
        "tests.bench.costs",
        "--one",
        way,
        str(tokens),
        str(rows),
        "--base",
        base,
        *flags,
    ]
    done = subprocess.run(arguments, cwd=training.ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{way} on {rows} rows of {tokens} tokens stopped:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    found: Run = json.loads(done.stdout.splitlines()[-1])
    return found


def serve(adapters: int, base: str) -> Run:
    """Serve this many releases at once, as the bot does: one process each."""
    from alignment.serving.engine import RunningEngine

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        releases = make_releases(Path(folder), adapters, base) or [0]
        started = [_start(stack, Path(folder), number) for number in releases]
        engines = [RunningEngine(line["url"], (), {}, api_key=key_of(line)) for line in started]
        with ThreadPoolExecutor(len(engines)) as pool:
            for _ in pool.map(_tokens, engines):  # after this everything is loaded, and the prompt is in the cache
                pass
            began = time.monotonic()
            alone = _tokens(engines[0]) / (time.monotonic() - began)
            began = time.monotonic()
            together = sum(pool.map(_tokens, engines)) / (time.monotonic() - began)
        memory = [_memory(line["pid"]) for line in started]
    return {"adapters": adapters, "alone": alone, "together": together, "memory": sum(memory)}


def make_releases(home: Path, count: int, base: str) -> list[int]:
    """Releases with adapters as large as the stages make them, with random weights that hardly change an answer."""
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

    from data.bases import base_info, gguf_path
    from data.chat import load_template, template_sha256
    from data.release_manifest import ReleaseManifest
    from data.releases import Releases

    rank = 16  # as in the recipes
    layers = [t for t in GGUFReader(gguf_path(base)).tensors if t.name.startswith("blk.") and len(t.shape) == 2]
    draw = np.random.default_rng(0)

    def build(folder: Path) -> ReleaseManifest:
        writer = GGUFWriter(folder / "adapter.gguf", "llama")
        writer.add_type("adapter")
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", 2.0 * rank)
        for layer in layers:
            inputs, outputs = (int(size) for size in layer.shape)
            for side, shape in (("lora_a", (rank, inputs)), ("lora_b", (outputs, rank))):
                writer.add_tensor(f"{layer.name}.{side}", draw.normal(0, 1e-3, shape).astype(np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        template = load_template(base_info(base).template_name)
        return ReleaseManifest(base=base, template_sha256=template_sha256(template))

    return [Releases(home).create(build).number for _ in range(count)]


def _start(stack: ExitStack, home: Path, release: int) -> dict[str, Any]:
    from data.home import bases_dir

    arguments = [sys.executable, "-m", "bot.engine", "--with-parent", "--release", str(release)]
    places = {"PARLEY_HOME": str(home), "PARLEY_BASES": str(bases_dir().absolute())}
    engine = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, cwd=training.ROOT, env={**os.environ, **places}
    )
    stack.callback(engine.communicate)
    stack.callback(engine.terminate)
    assert engine.stdout is not None
    if not (line := engine.stdout.readline()):
        raise SystemExit(f"The engine of release {release} did not start; the lines above say why.")
    found: dict[str, Any] = json.loads(line)
    return found


def _tokens(engine: Any) -> int:
    """Let an engine answer at full length; returns the number of tokens."""
    arguments = {
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": ANSWER,
        "ignore_eos": True,
        "seed": 1,
    }
    return int(engine.post("/v1/chat/completions", arguments)["usage"]["completion_tokens"])


def _memory(process: int) -> int:
    """Bytes of a process; shared memory (such as the base's file) is divided among its users."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", lines, re.MULTILINE)[1]) * 1024  # type: ignore[index]  # Linux has it


def measure(curve: str, options: argparse.Namespace, flags: list[str], console: Console) -> Iterator[dict[str, Any]]:
    """Every point of a curve, `--repeats` times, in turn; yields all figures so far after each run."""
    command = shlex.join(["python", "-m", "tests.bench.costs", *sys.argv[1:]])
    found: dict[str, Any] = {"command": command, "machine": ran_on(), "base": options.base, "runs": []}
    for repeat in range(options.repeats):
        for point in settings(curve, options, flags):
            began = time.monotonic()
            found["runs"].append({"at": point.at, "way": point.way, **point.measure()})
            done = f"{curve}: {point.at} by {point.way}, repeat {repeat + 1} of {options.repeats}"
            console.print(f"{done} ({time.monotonic() - began:.0f} s)", style="dim")
        yield found


def keep(figures: dict[str, Any], folder: Path) -> None:
    """Write the figures of all curves to `costs.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "costs.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    """Read the command line, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--rows", nargs="+", type=int, default=[16, 32, 64, 128, 256])
    parser.add_argument("--history", nargs="+", type=int, default=[0, 250, 500, 1000, 2000], help="minimum tokens")
    parser.add_argument("--history_rows", type=int, default=16, help="rows of each length (default: %(default)s)")
    parser.add_argument("--ways", nargs="+", choices=training.WAYS, default=["trl", "parley"])
    parser.add_argument("--adapters", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where costs.json is kept")
    parser.add_argument("--plot", type=Path, metavar="FOLDER", help="where the pictures go")
    parser.add_argument("--redraw", action="store_true", help="measure nothing: use the costs.json in --out")
    parser.add_argument("--one", nargs=3, metavar=("WAY", "TOKENS", "ROWS"), help="one training in this process")
    options, flags = parser.parse_known_args()
    if options.one:
        way, tokens, rows = options.one
        print(json.dumps(train(way, int(tokens), int(rows), options.base, flags)))
        return 0
    console = Console(width=120, highlight=False)
    kept = options.out / "costs.json" if options.out else None
    known = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.is_file() else {}
    for curve in options.curves:
        if options.redraw and curve not in known:
            raise BadInput(f"There are no figures of {curve} to draw again: give the --out of an earlier run.")
        for figures in [] if options.redraw else measure(curve, options, flags, console):
            known[curve] = figures
            if options.out:
                keep(known, options.out)
        costs_report.show(console, curve, known[curve])
        if options.plot:
            options.plot.mkdir(parents=True, exist_ok=True)
            path = options.plot / costs_report.picture(curve)
            costs_report.plot(curve, known[curve], path)
            console.print(f"Drawn: {path}")
    return 0


if __name__ == "__main__":
    run(main)
