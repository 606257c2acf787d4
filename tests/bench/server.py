"""Shows whether Parley really learns: a simulated Discord server, the real small model, real rounds.

    python -m tests.bench.server --algorithm dpo --out out/server          # or kto; an hour at most each
    python -m tests.bench.server --algorithm ppo --max_prompts 200 --out out/server              # or online-dpo
    python -m tests.bench.server --algorithm dpo --rounds 1 --brigade 0 --name calm --out out/server
    python -m tests.bench.server --brigade_alone --name dpo --out out/server
    python -m tests.bench.server --measure --name dpo --out out/server

The third line shows what the brigade costs (compare the first round of both); the fourth trains on what the brigade
alone would have rated in the world of the first line, and asks that world's gate; the last asks each release of that
world 300 questions that no one asked there. Unknown flags go to `python -m alignment.round`.

People with a known taste ask the bot, which answers as it would on Discord; they compare or rate its answers; a round
trains on that; the new champion answers next. If the gate refuses a candidate, it goes on trial: people compare blind
answers of the two releases, and the gate is asked again with their comparisons. After each round, the base model and
the release answer questions that no one ever asked, and the taste decides which answer is better.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.taste import Rater, people, questions, taste
from tests.bench.world import MAX_TOKENS, World

ROOT = Path(__file__).parents[2]
BASE = "smollm2-135m"
# The shipped recipes, but faster: no SFT comes first here, so the base itself must move.
FASTER = {
    "dpo": {"learning_rate": "3.0e-4", "num_train_epochs": "2"},
    "online": {"learning_rate": "3.0e-4"},
    "kto": {"learning_rate": "3.0e-4", "num_train_epochs": "2"},
    "ppo": {"learning_rate": "3.0e-4"},
}
EVALUATION = 100  # of the questions: asked in the measurement only
MEASURED = 300  # by `--measure`
TRIAL = 60  # questions answered by both releases when the gate refused the candidate


def run_round(home: Path, algorithm: str, *more: str) -> dict[str, Any]:
    """Run one round in a separate process; returns its manifest."""
    command = [sys.executable, "-m", "alignment.round", "--algorithm", algorithm, *more]
    status = subprocess.run(command, cwd=ROOT, env=environment(home), check=False).returncode
    newest = max(path for path in (home / "rounds").iterdir() if path.name.isdecimal())
    manifest: dict[str, Any] = json.loads((newest / "manifest.json").read_text())
    if status not in (0, 1) or manifest["status"] not in ("promoted", "refused"):
        raise SystemExit(f"The round stopped (exit {status}): {manifest.get('reason')}")
    return manifest


def environment(home: Path) -> dict[str, str]:
    bases = os.environ.get("PARLEY_BASES", str(ROOT / "var" / "bases"))
    return {
        **os.environ,
        "PARLEY_BASES": str(Path(bases).absolute()),
        "PARLEY_HOME": str(home),
        "PARLEY_DISCORD_TRAINING_PERMISSION": "simulated-server",
    }


def answers(adapter_gguf: Path | None, asked: list[str], seed: int) -> list[float]:
    """How much the taste likes a model's answers, served and sampled as the bot does."""
    from alignment.serving.engine import serve
    from data.chat import Message
    from data.personas import persona

    system = persona("assistant", "en").system_prompt

    def one(number: int, question: str) -> float:
        messages = [Message(role="system", content=system), Message(role="user", content=question)]
        # Each question has its own seed: with one seed, all answers would be drawn alike.
        answer = engine.complete(messages, seed=seed + number, max_tokens=MAX_TOKENS)
        return taste(question, answer.text, answer.finish_reason == "stop")

    with serve(BASE, adapter_gguf) as engine, ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(one, range(len(asked)), asked))


def share(candidate: list[float], base: list[float]) -> Any:
    """How often the taste prefers the candidate's answer, ties half, with its 95 % interval."""
    from alignment.intervals import bootstrap

    return bootstrap([0.5 + 0.5 * ((c > b) - (c < b)) for c, b in zip(candidate, base, strict=True)])


def learn(
    name: str, algorithm: str, out: Path, rounds: int, asked: int, raters: list[Rater], flags: list[str]
) -> list[dict[str, Any]]:
    """Several rounds of talking, rating and training; returns a line of figures for each."""
    home = out / f"home-{name}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    (home / "key").write_bytes(b"a simulated server's fixed key..")
    (home / "key").chmod(0o600)
    os.environ.update(environment(home))
    pool = questions()
    held_out, pool = pool[:EVALUATION], pool[EVALUATION:]
    flags = [*recipes(out, algorithm), *flags]
    base = answers(None, held_out, seed=1)
    siblings = 1 if algorithm == "kto" else 2
    lines: list[dict[str, Any]] = []
    heard: list[float] = []
    for number in range(1, rounds + 1):
        began = time.monotonic()
        world = World(home, number, heard, raters)
        wanted = asked * 2 if siblings == 1 else asked
        spoken = asyncio.run(world.talk([pool.pop() for _ in range(min(wanted, len(pool)))], siblings))
        counts = asyncio.run(world.rate(spoken, raters))
        talked = time.monotonic() - began
        manifest = run_round(home, algorithm, *flags)
        trained = time.monotonic() - began - talked
        made = int(manifest["decision"]["release"])
        tried = None
        if manifest["status"] == "refused":
            asked_both = [pool.pop() for _ in range(min(TRIAL, len(pool)))]
            tried = trial(World(home, seed=100 + number, raters=raters), asked_both, made, raters)
        tried_seconds = time.monotonic() - began - talked - trained
        liked = answers(home / "releases" / f"{made:04d}" / "adapter.gguf", held_out, seed=1)
        lines.append(
            {
                "round": number,
                "ratings": counts,
                "liked_while_talking": sum(one.liked for group in spoken for one in group) / sum(map(len, spoken)),
                "base": sum(base) / len(base),
                "candidate": sum(liked) / len(liked),
                "share": vars_of(share(liked, base)),
                "decision": manifest["status"],
                "reasons": manifest["decision"]["reasons"],
                "trial": tried,
                "talk_seconds": round(talked),
                "round_seconds": round(trained),
                "trial_seconds": round(tried_seconds),
            }
        )
        (out / f"{name}.json").write_text(json.dumps(lines, indent=2))
        show(name, lines)
    return lines


def trial(world: World, asked: list[str], candidate: int, raters: list[Rater]) -> dict[str, Any]:
    """People compare the candidate with the champion, the gate is asked again, and its decision is carried out."""
    spoken = asyncio.run(world.talk(asked, 2, candidate))
    counts = asyncio.run(world.rate(spoken, raters))
    figures = world.home / f"trial-{candidate}.json"
    ask = [sys.executable, "-m", "alignment.evaluate", "--candidate", str(candidate), "--limit", "0"]
    ask += ["--out", str(figures)]
    status = subprocess.run(ask, cwd=ROOT, env=environment(world.home), check=False).returncode
    if status not in (0, 1):
        raise SystemExit(f"The candidate's trial stopped (exit {status}).")
    if status == 0:
        promote = [sys.executable, "-m", "alignment.promote", str(candidate)]
        subprocess.run(promote, cwd=ROOT, env=environment(world.home), check=True)
    found = json.loads(figures.read_text(encoding="utf-8"))
    return {
        "ratings": counts,
        "decision": "promoted" if status == 0 else "refused",
        "reasons": found["verdict"]["reasons"],
        "sources": [source["sentence"] for source in found["sources"]],
    }


def brigade_alone(home: Path, out: Path) -> dict[str, Any]:
    """Train on the community's pairs turned upside down, as the brigade alone would have rated; ask the gate."""
    from data.datasets import Collected
    from data.home import discord_permission
    from data.imports import collect_rows
    from data.rows import Row, write_rows
    from data.store import Store

    os.environ.update(environment(home))

    async def collected() -> Collected:
        store = await Store.open(home)
        try:
            return await collect_rows(store, discord_permission=discord_permission())
        finally:
            await store.close()

    rows = asyncio.run(collected()).of("preference", "train")
    turned = [
        Row(row.kind, {**row.data, "chosen": row.data["rejected"], "rejected": row.data["chosen"]}, row.extra)
        for row in rows
    ]
    folder = out / "brigade-alone"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_rows(folder / "rows.jsonl", turned)
    recipes(out)
    train = [sys.executable, "-m", "alignment.dpo", "--config", str(out / "dpo.yaml"), "--model_name_or_path", BASE]
    train += ["--dataset_name", str(folder / "rows.jsonl"), "--output_dir", str(folder / "dpo")]
    subprocess.run(train, cwd=ROOT, env=environment(home), check=True)
    ask = [sys.executable, "-m", "alignment.evaluate", "--candidate", str(folder / "dpo" / "adapter")]
    ask += ["--champion", "0", "--out", str(folder / "figures.json")]
    done = subprocess.run(ask, cwd=ROOT, env=environment(home), check=False, capture_output=True, text=True)
    print(done.stdout, done.stderr)
    return {"rows": len(turned), "exit": done.returncode, "refused": done.returncode == 1}


def recipes(out: Path, algorithm: str = "dpo") -> list[str]:
    """Write the recipes of `FASTER` that a round with an algorithm uses; returns the round's flags for them."""
    flags: list[str] = []
    for stage in ("dpo", "kto", "ppo"):
        recipe = "online" if stage == "dpo" and algorithm == "online-dpo" else stage
        text = (ROOT / "alignment" / "recipes" / f"{recipe}.yaml").read_text(encoding="utf-8")
        for name, value in FASTER[recipe].items():
            text = re.sub(rf"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
        path = out / f"{recipe}.yaml"
        path.write_text(text, encoding="utf-8")
        flags += [f"--{stage}_config", str(path)]
    return flags


def measure(home: Path) -> None:
    """How often the taste prefers each release of a world to the base, on many questions that no one asked it."""
    os.environ.update(environment(home))
    # Take them from a range that talk and trials, which take from the end, never reach.
    asked = questions()[:MEASURED]
    base = answers(None, asked, seed=1)
    table = Table(title=f"{home.name}: the taste's share against the base ({len(asked)} questions)")
    for column in ("release", "share preferred", "95 %", "taste, base", "taste, release"):
        table.add_column(column)
    for number in sorted(int(path.name) for path in (home / "releases").iterdir() if path.name.isdecimal()):
        liked = answers(home / "releases" / f"{number:04d}" / "adapter.gguf", asked, seed=1)
        found = share(liked, base)
        means = [f"{sum(values) / len(values):.3f}" for values in (base, liked)]
        table.add_row(str(number), f"{found.mean:.1%}", f"{found.low:.1%} to {found.high:.1%}", *means)
    Console(width=110).print(table)


def vars_of(interval: Any) -> dict[str, float]:
    """An interval as plain numbers."""
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def show(title: str, lines: list[dict[str, Any]]) -> None:
    """The rounds as a table."""
    table = Table(title=f"{title}: does the taste prefer its answers to the base's? ({EVALUATION} questions)")
    for column in (
        "round",
        "share preferred",
        "95 %",
        "taste, base",
        "taste, candidate",
        "gate",
        "after people's trial",
        "talk s",
        "round s",
        "trial s",
    ):
        table.add_column(column)
    for line in lines:
        interval = line["share"]
        table.add_row(
            str(line["round"]),
            f"{interval['mean']:.1%}",
            f"{interval['low']:.1%} to {interval['high']:.1%}",
            f"{line['base']:.3f}",
            f"{line['candidate']:.3f}",
            line["decision"],
            line["trial"]["decision"] if line["trial"] else "",
            str(line["talk_seconds"]),
            str(line["round_seconds"]),
            str(line["trial_seconds"]),
        )
    Console(width=130).print(table)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", choices=("dpo", "kto", "ppo", "rloo", "grpo", "online-dpo"), default="dpo")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=200, help="questions in each round")
    parser.add_argument("--honest", type=int, default=12)
    parser.add_argument("--lazy", type=int, default=3)
    parser.add_argument("--brigade", type=int, default=5)
    parser.add_argument("--name", help="name of the world (default: the algorithm's)")
    parser.add_argument("--brigade_alone", action="store_true")
    parser.add_argument("--measure", action="store_true", help="measure the releases of an existing world")
    parser.add_argument("--out", type=Path, required=True)
    options, flags = parser.parse_known_args()
    name, out = options.name or options.algorithm, options.out.absolute()
    if options.brigade_alone:
        print(brigade_alone(out / f"home-{name}", out))
        return
    if options.measure:
        measure(out / f"home-{name}")
        return
    learn(
        name,
        options.algorithm,
        out,
        options.rounds,
        options.questions,
        people(options.honest, options.lazy, options.brigade),
        flags,
    )


if __name__ == "__main__":
    main()
