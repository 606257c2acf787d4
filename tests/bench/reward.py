"""What does a reward model learn from real preferences? Its held-out accuracy beside that of answer length alone.

    python -m tests.bench.real_data ../shared/data --out out/real
    python -m tests.bench.reward --rows out/real/oasst.jsonl --out out/reward

About six minutes a file with the real model on two idle cores: training takes 3.9 processor seconds for 1,000 tokens,
scoring 2.5. Chinese costs this tokenizer more tokens: `--longest 500` there. `--rows` takes several files; each is
trained on alone. A fifth of the prompts is held out, by a hash of how the conversation opens; `--limit` takes rows by
a hash of their id, so that the same ones come each time. What is behind `--` goes to `python -m alignment.reward`.
"""

import argparse
import hashlib
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
from data.rows import Row, read_rows, write_rows


def chosen_rows(path: Path, limit: int, longest: int) -> list[Row]:
    """At most `limit` rows whose text is at most `longest` characters, in an order that has nothing to do with it."""
    rows = [row for row in read_rows(path, "preference") if _characters(row) <= longest]
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).hexdigest())[:limit]


def _characters(row: Row) -> int:
    answers = max(len(row.data[side][0]["content"]) for side in ("chosen", "rejected"))
    return answers + sum(len(message["content"]) for message in row.messages)


def train(base: str, rows: list[Row], out: Path, flags: list[str]) -> dict[str, Any]:
    """Train on the rows; returns the run's manifest."""
    from alignment.reward import main as reward

    private_dir(out.parent)
    path = out.with_suffix(".jsonl")
    write_rows(path, rows)
    told = ["--model_name_or_path", base, "--dataset_name", str(path), "--output_dir", str(out)]
    reward([*told, "--eval_fraction", "0.2", "--max_dropped", "0.9", *flags])
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return found


def main() -> int:
    """Train on each file, and print a table."""
    own, _, rest = " ".join(map(shlex.quote, sys.argv[1:])).partition(" -- ")
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reward", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=Path, nargs="+", required=True, help="preference files")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--limit", type=int, default=200, help="rows of each file")
    parser.add_argument("--longest", type=int, default=1500, help="characters of a conversation")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args(shlex.split(own))
    table = Table("rows", "train", "held out", "accuracy", "length alone", "beyond length", "calibration", "T", "s")
    for path in told.rows:
        rows = chosen_rows(path, told.limit, told.longest)
        if not rows:
            raise BadInput(f"{path}: no row has at most {told.longest} characters; raise --longest.")
        started = time.monotonic()
        found = train(told.base, rows, told.out / path.stem, shlex.split(rest))
        table.add_row(path.stem, *_shown(found), f"{time.monotonic() - started:.0f}")
    console = Console(highlight=False, width=140)
    console.print(table)
    console.print(f"Repeat with: python -m tests.bench.reward {shlex.join(sys.argv[1:])}", soft_wrap=True)
    return 0


def _shown(found: dict[str, Any]) -> list[str]:
    held_out = found["figures"].get("held_out")
    if not held_out:
        raise BadInput("Nothing was held out; raise --limit.")
    accuracy, beyond = held_out["accuracy"], held_out["beyond_length"]
    return [
        str(found["data"]["train"]["rows"]),
        f"{held_out['pairs']} of {held_out['prompts']} prompts",
        f"{accuracy['mean']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})",
        f"{held_out['lengths']['accuracy']:.3f} ({held_out['lengths']['rule']})",
        f"{beyond['mean']:+.3f} ({beyond['low']:+.3f} to {beyond['high']:+.3f})",
        f"{held_out['calibration']['error']:.3f}",
        f"{held_out['calibration']['temperature']:.2f}",
    ]


if __name__ == "__main__":
    run(main)
