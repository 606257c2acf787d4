"""What can be learnt from real preferences: held-out accuracy beside that of answer length alone.

    python -m tests.bench.real_data ../shared/data --out out/real
    python -m tests.bench.preferences --stage reward --rows out/real/oasst.jsonl --out out/reward
    python -m tests.bench.preferences --stage dpo --rows out/real/*.jsonl --longest 600 --out out/dpo

`reward` trains a reward model; its margin is the difference of two scores. `dpo` trains a policy from the base; its
margin is how many nats more than the base it prefers the better answer, times beta (the reward that DPO implies).

About six minutes a file with the real model on two idle cores. Chinese costs this tokenizer more tokens: `--longest
500` there. `--rows` takes several files, and trains on each alone. A fifth of the prompts is held out, by a hash of
how the conversation opens; `--limit` picks rows by a hash of their id, so that the choice repeats. Flags after `--`
go to the stage's command.
"""

import argparse
import hashlib
import importlib
import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import BadInput, run
from data.home import private_dir
from data.rows import Row, content_id, read_rows, write_rows

HELD_OUT = 0.2
BETA = 0.1  # as in the shipped recipe; only a scale, it changes no accuracy


def chosen_rows(path: Path, limit: int, longest: int) -> list[Row]:
    """At most `limit` rows whose text is at most `longest` characters, in an order independent of their text."""
    rows = [row for row in read_rows(path, "preference") if _characters(row) <= longest]
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).hexdigest())[:limit]


def _characters(row: Row) -> int:
    answers = max(len(row.data[side][0]["content"]) for side in ("chosen", "rejected"))
    return answers + sum(len(message["content"]) for message in row.messages)


def train(stage: str, base: str, rows: list[Row], out: Path, flags: list[str]) -> tuple[dict[str, Any], list[Row]]:
    """Train on all but the held-out rows; returns the run's manifest and the held-out rows."""
    from alignment.rows.prepare import split

    kept, held_out = split(rows, HELD_OUT)
    return train_on(stage, base, kept, held_out, out, flags), held_out


def train_on(
    stage: str, base: str, rows: list[Row], held_out: list[Row], out: Path, flags: list[str]
) -> dict[str, Any]:
    """Train on these rows and measure those; returns the run's manifest."""
    private_dir(out.parent)
    paths = [out.with_name(f"{out.name}-{part}.jsonl") for part in ("train", "held-out")]
    for path, part in zip(paths, (rows, held_out), strict=True):
        write_rows(path, part)
    options = ["--model_name_or_path", base, "--dataset_name", str(paths[0]), "--eval_dataset_name", str(paths[1])]
    importlib.import_module(f"alignment.{stage}").main(
        [*options, "--output_dir", str(out), "--max_dropped", "0.9", *flags]
    )
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return found


def by_reward(run_: dict[str, Any]) -> dict[str, Any]:
    """The figures that the stage measured for its saved reward model."""
    held_out = run_["figures"].get("held_out")
    if not held_out:
        raise BadInput("Nothing was held out; raise --limit.")
    return dict(held_out)


def by_policy(base: str, out: Path, run_: dict[str, Any], held_out: list[Row]) -> dict[str, Any]:
    """The same figures for the reward that a DPO run's policy implies."""
    from alignment.evaluation.model import score
    from alignment.evaluation.subjects import Subject
    from alignment.rewards.report import length_rule, measure

    before = score(Subject("base model", base), held_out, [])
    after = score(Subject("policy", base, out / run_["result"]), held_out, [])
    margins = [BETA * (new - old) for new, old in zip(after.margins, before.margins, strict=True)]
    trained = read_rows(out.with_name(f"{out.name}-train.jsonl"), "preference")
    found = measure(
        margins,
        [0.0] * len(margins),
        _lengths(held_out),
        rule=length_rule(_lengths(trained)),
        prompts=[content_id({"prompt": row.data["prompt"]}) for row in held_out],
    )
    return found.facts()


def _lengths(rows: list[Row]) -> list[tuple[int, int]]:
    return [(len(row.data["chosen"][0]["content"]), len(row.data["rejected"][0]["content"])) for row in rows]


def main() -> int:
    """Train on each file, and print a table."""
    own, _, rest = " ".join(map(shlex.quote, sys.argv[1:])).partition(" -- ")
    parser = argparse.ArgumentParser(prog="python -m tests.bench.preferences", description=__doc__.partition("\n")[0])
    parser.add_argument("--stage", choices=("reward", "dpo"), default="reward")
    parser.add_argument("--rows", type=Path, nargs="+", required=True, help="preference files")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--limit", type=int, default=200, help="rows of each file")
    parser.add_argument("--longest", type=int, default=1500, help="characters of a conversation")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(shlex.split(own))
    columns = ("rows", "train", "held out", "accuracy", "length alone", "beyond length", "margin", "calibration", "s")
    table = Table(*columns, title=f"{options.stage}: 95 % intervals over prompts")
    for path in options.rows:
        rows = chosen_rows(path, options.limit, options.longest)
        if not rows:
            raise BadInput(f"{path}: no row has at most {options.longest} characters; raise --longest.")
        started, out = time.monotonic(), options.out / path.stem
        found, held_out = train(options.stage, options.base, rows, out, shlex.split(rest))
        figures = by_reward(found) if options.stage == "reward" else by_policy(options.base, out, found, held_out)
        table.add_row(path.stem, *_shown(found, figures), f"{time.monotonic() - started:.0f}")
    console = Console(highlight=False, width=160)
    console.print(table)
    console.print(f"Repeat with: python -m tests.bench.preferences {shlex.join(sys.argv[1:])}", soft_wrap=True)
    return 0


def _shown(run_: dict[str, Any], figures: dict[str, Any]) -> list[str]:
    accuracy, beyond = figures["accuracy"], figures["beyond_length"]
    calibration = figures["calibration"]
    return [
        str(run_["data"]["train"]["rows"]),
        f"{figures['pairs']} of {figures['prompts']} prompts",
        f"{accuracy['mean']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})",
        f"{figures['lengths']['accuracy']:.3f} ({figures['lengths']['rule']})",
        f"{beyond['mean']:+.3f} ({beyond['low']:+.3f} to {beyond['high']:+.3f})",
        f"{figures['mean_margin']:+.3f}",
        f"{calibration['error']:.3f} (T {calibration['temperature']:.2f})",
    ]


if __name__ == "__main__":
    run(main)
