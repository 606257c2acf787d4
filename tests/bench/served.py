"""How often is a group of people said to be served worse, rightly and wrongly? On simulated votes.

    python -m tests.bench.served                      # the table of docs/evaluation.md, some two minutes

People of two languages compare a candidate with the champion, each on prompts of their own, and the candidate wins
each vote at the rate of its rater. The last column is the worst-served tenth alone.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from alignment.evaluation.evidence import LIVE
from alignment.evaluation.served import TENTH, served
from alignment.evaluation.winrate import Comparison

# What is played: the title, each person's true win rate, how many of them talk in Chinese, by how much tastes differ.
CASES: tuple[tuple[str, tuple[float, ...], int, float], ...] = (
    ("20 people at 50 %", (0.5,) * 20, 7, 0.0),
    ("20 people at 50 % whose tastes differ by 10 points", (0.5,) * 20, 7, 0.1),
    ("20 people at 65 % whose tastes differ by 10 points", (0.65,) * 20, 7, 0.1),
    ("60 people at 60 % whose tastes differ by 15 points", (0.6,) * 60, 20, 0.15),
    ("20 people at 45 %", (0.45,) * 20, 7, 0.0),
    ("7 of 20 talk in Chinese and are at 30 %, the others at 70 %", (0.3,) * 7 + (0.7,) * 13, 7, 0.0),
    ("8 of 80, with nothing in common, are at 20 %, the others at 65 %", (0.2,) * 8 + (0.65,) * 72, 0, 0.0),
    ("4 of 40, with nothing in common, are at 20 %, the others at 65 %", (0.2,) * 4 + (0.65,) * 36, 0, 0.0),
    ("3 of 20 vote against everything, in a language of their own", (0.0,) * 3 + (0.65,) * 17, 3, 0.0),
)


def votes(rates: Sequence[float], chinese: int, each: int, draw: np.random.Generator) -> list[Comparison]:
    """So many votes of each person; the first people talk in Chinese."""
    return [
        Comparison(f"{person}-{n}", float(draw.random() < rate), 9, 9, f"r{person}", (("language", language),))
        for person, rate in enumerate(rates)
        for language in ("zh" if person < chinese else "en",)
        for n in range(each)
    ]


def refused(
    rates: Sequence[float], chinese: int, taste: float, each: int, simulations: int, draw: np.random.Generator
) -> tuple[float, float]:
    """The share of simulations in which any group is said to be served worse, and in which the tenth is."""
    found = []
    for _ in range(simulations):
        drawn = np.clip(draw.normal(rates, taste), 0, 1)
        groups = served(votes(drawn.tolist(), chinese, each, draw), LIVE)
        assert groups is not None
        worse = [group.kind for group in groups.groups if group.worse]
        found.append((bool(worse), TENTH in worse))
    some, tenth = np.mean(found, axis=0)
    return float(some), float(tenth)


def main() -> None:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=300, help="of each case (default: %(default)s)")
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    shown = Table("who", "votes each", "refused", "by the tenth", title="A group is said to be served worse")
    for title, rates, chinese, taste in CASES:
        for each in (12, 24):
            some, tenth = refused(rates, chinese, taste, each, options.simulations, draw)
            shown.add_row(title, str(each), f"{some:.1%}", f"{tenth:.1%}")
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
