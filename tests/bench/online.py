"""Does semi-online DPO learn a taste from few comparisons, and more than DPO on the same comparisons? No server runs.

    python -m tests.bench.online --out out/online        # goes on where it was stopped; not run to its end yet

The people of `tests.bench.taste` compare two of the base's answers to each of `--questions`. On these pairs a reward
model is trained, then DPO, and semi-online DPO on the same pairs and other prompts. All three answer new questions,
sampled alike, and the taste says how often each is preferred over the base, a tie counting a half. Answers have at
most 96 tokens.
"""

import argparse
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.home import private_dir
from data.rows import Row, read_rows, write_rows
from tests.bench.drawn import BASE, draw, prompt
from tests.bench.taste import questions

MAX_TOKENS = 96
ALIKE = 0.02  # the people see no difference below this
STAGES = ("dpo", "online")


def answers(adapter: Path | None, asked: Sequence[str], seed: int) -> list[tuple[str, float]]:
    """A model's answer to each question, and how much the taste likes it. Sampled as semi-online DPO samples."""
    return [(one.text, one.liked) for one in draw(adapter, asked, seed, MAX_TOKENS)]


def compared(asked: Sequence[str]) -> list[Row]:
    """The preferences of people with the taste: two of the base's answers to each question, unless they are alike."""
    one, other = (answers(None, asked, seed) for seed in (11, 12))
    rows = []
    for question, *both in zip(asked, one, other, strict=True):
        better, worse = sorted(both, key=lambda each: -each[1])
        if better[1] - worse[1] < ALIKE:
            continue
        chosen, rejected = ([{"role": "assistant", "content": text}] for text, _ in (better, worse))
        rows.append(Row("preference", {"prompt": prompt(question), "chosen": chosen, "rejected": rejected}, {}))
    return rows


def stage(name: str, recipe: str, out: Path, *flags: str) -> Path:
    """Run a stage's command, or go on with it; returns its run folder."""
    words = ["--config", f"alignment/recipes/{recipe}.yaml", "--model_name_or_path", BASE, *flags]
    importlib.import_module(f"alignment.{name}").main([*words, "--output_dir", str(out)])
    return out


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """What a file holds, or what is made and written into it."""
    if not path.exists():
        path.write_text(json.dumps(make()), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200, help="that people compare two answers to")
    parser.add_argument("--prompts", type=int, default=200, help="further ones, for semi-online DPO")
    parser.add_argument("--measured", type=int, default=100, help="new ones, for the measurement")
    parser.add_argument("--learning_rate", default="3.0e-4", help="of DPO and semi-online DPO; no SFT comes first")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    out = private_dir(options.out.absolute())
    pool = questions()
    measured, pool = pool[: options.measured], pool[options.measured :]
    asked, more = pool[: options.questions], pool[options.questions : options.questions + options.prompts]
    pairs, prompts = out / "pairs.jsonl", out / "prompts.jsonl"
    if not pairs.exists():
        write_rows(pairs, compared(asked))
    write_rows(prompts, [Row("prompt", {"prompt": prompt(each)}, {}) for each in more])
    print(f"{len(read_rows(pairs))} pairs, {len(more)} further prompts")
    rows = ("--dataset_name", str(pairs), "--eval_fraction", "0.15")
    rate = ("--learning_rate", options.learning_rate)
    reward = stage("reward", "reward", out / "reward", *rows) / "reward"
    stage("dpo", "dpo", out / "dpo", *rows, *rate, "--num_train_epochs", "2")
    stage("dpo", "online", out / "online", *rows, *rate, "--prompts", str(prompts), "--reward_model", str(reward))
    report(out, measured)


def report(out: Path, asked: Sequence[str]) -> None:
    """How often the taste prefers each model to the base."""
    from tests.bench.server import share

    liked = {"base": kept(out / "liked-base.json", lambda: answers(None, asked, 1))}
    for name in STAGES:
        liked[name] = kept(out / f"liked-{name}.json", lambda name=name: answers(out / name / "adapter", asked, 1))
    table = Table(title=f"Does the taste prefer its answers to the base's? ({len(asked)} new questions)")
    for column in ("trained by", "share preferred", "95 %", "taste, base", "taste, here"):
        table.add_column(column)
    scores = {name: [score for _, score in found] for name, found in liked.items()}
    for name in STAGES:
        found = share(scores[name], scores["base"])
        means = [f"{sum(each) / len(each):.3f}" for each in (scores["base"], scores[name])]
        table.add_row(name, f"{found.mean:.1%}", f"{found.low:.1%} to {found.high:.1%}", *means)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
