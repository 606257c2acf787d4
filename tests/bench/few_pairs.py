"""What a reward model learns from few pairs: the head alone on several features, length, and today's recipe.

    python -m tests.bench.real_data ../shared/data --out out/real
    python -m tests.bench.few_pairs --rows out/real/oasst.jsonl --out out/few
    python -m tests.bench.few_pairs --rows out/real/oasst.jsonl --out out/few --lora 100 --longest 200

All answers of the file go once through the frozen base (`tests.bench.few_pairs_features`), and what that gives is
kept in `--out`. Then every recipe is fitted to 100, 300 and 600 pairs and ranks all pairs that it did not see: the
prompts are cut into ten parts, each part is ranked by a fit to pairs of the other nine, and two seeds draw parts and
pairs anew. Conversations of one tree (a row's `source`) stay together, here and in the intervals.

`--lora N` also trains the stage as its recipe stands on N pairs, and ranks a part that was held out by it and by the
head alone, which were trained on the same pairs.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from alignment.intervals import bootstrap
from alignment.rewards.logistic import fit
from alignment.rewards.report import wins
from data.errors import BadInput, run
from data.gate_verdicts import Interval
from data.home import private_dir
from data.rows import Row, read_rows, write_rows
from tests.bench.few_pairs_features import Features, features, group_of

PARTS, SEEDS = 10, (0, 1)
SIZES = (100, 300, 600)
LENGTH = "answer length alone"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Pairs, the tree that each is of, how much longer the chosen answer is, and differences of features by name."""

    groups: list[str]
    longer: Floats
    differences: dict[str, Floats]


def compared(rows: Sequence[Row], found: Features) -> Pairs:
    """The pairs with differences of features, chosen minus rejected, each of length 1 on average."""
    chosen, rejected = (found.places(rows, side) for side in ("chosen", "rejected"))
    longer = found.characters[chosen] - found.characters[rejected]
    made = {name: values[chosen] - values[rejected] for name, values in found.named().items()}
    made = {name: each / (float(np.sqrt((each**2).sum(axis=1).mean())) or 1.0) for name, each in made.items()}
    return Pairs([group_of(row) for row in rows], longer, made)


def parts_of(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The part, from 0 to 9, with which each pair is held out."""
    names = sorted(set(groups))
    np.random.default_rng(seed).shuffle(names)
    place = {name: number % PARTS for number, name in enumerate(names)}
    return np.array([place[name] for name in groups])


def drawn(groups: Sequence[str], allowed: NDArray[np.bool_], size: int, seed: int) -> NDArray[np.int64]:
    """Pairs to learn from: whole trees in a random order, up to `size` pairs, the last tree cut."""
    names = sorted({name for name, each in zip(groups, allowed, strict=True) if each})
    np.random.default_rng(1000 + seed).shuffle(names)
    order = {name: number for number, name in enumerate(names)}
    there = [at for at, name in enumerate(groups) if allowed[at]]
    return np.array(sorted(there, key=lambda at: order[groups[at]])[:size])


def ranked(pairs: Pairs, name: str, size: int, seed: int, start: Pairs | None = None) -> Floats:
    """For each pair: 1 where a fit to `size` pairs of other parts ranks it as people did, one half for a tie.

    The pairs of `start` join those of every fit.
    """
    part, found = parts_of(pairs.groups, seed), np.zeros(len(pairs.groups))
    for number in range(PARTS):
        training = drawn(pairs.groups, part != number, size, seed)
        out = part == number
        if name == LENGTH:
            sign = 1 if wins(pairs.longer[training]).mean() >= 0.5 else -1
            found[out] = wins(sign * pairs.longer[out])
        else:
            rows, groups = pairs.differences[name], [pairs.groups[at] for at in training]
            more = start.differences[name] if start else rows[:0]
            head = fit(np.concatenate([rows[training], more]), [*groups, *(start.groups if start else ())])
            found[out] = wins(rows[out] @ head.weights)
    return found


def curve(pairs: Pairs, sizes: Sequence[int], start: Pairs | None) -> Table:
    """How often each recipe ranks pairs right, by the number of pairs that it learnt from."""
    table = Table("features", "pairs", "right", "beyond length", "seeds", title="95 % intervals over conversations")
    for size in sizes:
        length = np.mean([ranked(pairs, LENGTH, size, seed) for seed in SEEDS], axis=0)
        table.add_row(LENGTH, str(size), shown(bootstrap(length, pairs.groups)), "", "")
        for name in pairs.differences:
            right = [ranked(pairs, name, size, seed, start) for seed in SEEDS]
            mean = np.mean(right, axis=0)
            table.add_row(
                name,
                str(size),
                shown(bootstrap(mean, pairs.groups)),
                shown(bootstrap(mean - length, pairs.groups, span=(-1.0, 1.0)), "+"),
                " ".join(f"{each.mean():.3f}" for each in right),
            )
        table.add_section()
    return table


def shown(found: Interval, sign: str = "") -> str:
    """A mean with its interval."""
    return f"{found.mean:{sign}.3f} ({found.low:{sign}.3f} to {found.high:{sign}.3f})"


def both_recipes(rows: Sequence[Row], base: str, size: int, out: Path) -> Table:
    """The stage as its recipe stands, and with `head_only`, on the same pairs; both rank the same other pairs."""
    from tests.bench.preferences import by_reward, train_on

    groups = [group_of(row) for row in rows]
    held_out = parts_of(groups, 0) < PARTS // 2
    training = [rows[at] for at in drawn(groups, ~held_out, size, 0)]
    others = [row for row, held in zip(rows, held_out, strict=True) if held]
    table = Table("recipe", "pairs", "ranked", "right", "length alone", "beyond length", "s")
    for name, flags in (("head_only", ["--head_only", "true"]), ("as the recipe stands", [])):
        found = train_on("reward", base, training, others, out / f"{name.replace(' ', '-')}-{size}", flags)
        figures = by_reward(found)
        table.add_row(
            name,
            str(found["data"]["train"]["rows"]),
            f"{figures['pairs']} of {figures['prompts']} prompts",
            shown(Interval(**figures["accuracy"])),
            f"{figures['lengths']['accuracy']:.3f}",
            shown(Interval(**figures["beyond_length"]), "+"),
            f"{found['figures']['seconds']:.0f}",
        )
    return table


def main() -> int:
    """Compute the features, or read them again, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.few_pairs", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=Path, required=True, help="a preference file")
    parser.add_argument("--base", default="smollm2-135m")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="how many pairs are learnt from")
    parser.add_argument("--longest", type=int, default=640, help="tokens of a conversation; others are left out")
    parser.add_argument("--start", type=Path, help="preferences that join the pairs of every fit, such as seed rows")
    parser.add_argument("--lora", type=int, nargs="*", default=[], help="sizes at which the recipe is trained too")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    console = Console(highlight=False, width=140)
    rows = read_rows(options.rows, "preference")
    found = features(rows, options.base, options.longest, private_dir(options.out))
    kept = [row for row in rows if found.has(row)]
    if len(kept) < PARTS:
        raise BadInput(f"{options.rows}: {len(kept)} pairs have at most {options.longest} tokens; raise --longest.")
    write_rows(options.out / "kept.jsonl", kept)
    pairs, start = compared(kept, found), None
    if options.start:
        first = read_rows(options.start, "preference")
        start = compared(first, features(first, options.base, options.longest, private_dir(options.out / "start")))
    console.print(f"{len(kept)} of {len(rows)} pairs, of {len(set(pairs.groups))} conversations")
    console.print(curve(pairs, options.sizes, start))
    for size in options.lora:
        console.print(both_recipes(kept, options.base, size, options.out))
    console.print(f"Repeat with: python -m tests.bench.few_pairs {shlex.join(sys.argv[1:])}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    run(main)
