"""How often is the gate wrong? Its decisions on simulated evidence, thousands of times.

    python -m tests.bench.gate                            # the tables, a few minutes
    python -m tests.bench.gate --plot out/gate.png        # and a picture of them

A candidate with a true win rate p against the champion (a tie counts half) is compared on n prompts by a judge that
names the better answer with accuracy q; `gate.decide` decides. The nine suites have the item counts and margins of
the product's own prompts, and the noise named in `SUITES`. An equal model has p = 0.5 and changes no suite.
`docs/evaluation.md` shows the table and explains it.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
from rich.console import Console
from rich.table import Table

from alignment.evaluation.gate import SuitePair, decide
from alignment.intervals import bootstrap
from data.drawing import SMALL, figure, png
from data.gate_verdicts import Interval

PROMPTS = (30, 60, 120, 250, 500)
ACCURACIES = (0.6, 0.7, 0.8, 1.0)
RATES = (0.5, 0.55, 0.6, 0.65, 0.7)
TIES = 0.1
ROUNDS = 10
# name: items, margin, and how two equal models differ on one item: the share of answers that turn from right to wrong
# (as many from wrong to right), or the standard deviation of the difference.
SUITES: dict[str, tuple[int, float, str, float]] = {
    "instructions": (24, 0.05, "turn", 0.1),
    "truthfulness": (24, 0.03, "sd", 0.1),
    "over_refusal": (20, 0.05, "turn", 0.1),
    "refusal": (20, 0.05, "turn", 0.1),
    "bias_pairs": (24, 0.25, "sd", 0.8),
    "bias_occupations": (24, 0.1, "sd", 0.3),
    "forgetting": (16, 0.1, "sd", 0.1),
    "leakage": (6, 2.0, "sd", 2.0),
    "degenerate": (16, 0.05, "turn", 0.05),
}
Judge = Callable[[Interval, int, int], bool]


@cache
def win(wins: int, ties: int, losses: int) -> Interval:
    """The 95 % interval of a win rate; cached, because the same counts recur."""
    return bootstrap([1.0] * wins + [0.5] * ties + [0.0] * losses)


def outcomes(rate: float, accuracy: float, prompts: int, draw: np.random.Generator) -> Interval:
    """The result of a judge of this accuracy for a candidate of this true win rate."""
    won = rate - TIES / 2
    seen = accuracy * won + (1 - accuracy) * (1 - TIES - won)
    wins, ties, losses = draw.multinomial(prompts, [seen, TIES, 1 - TIES - seen])
    return win(int(wins), int(ties), int(losses))


def suites(draw: np.random.Generator, fall: str | None = None, margins: float = 2.0) -> list[SuitePair]:
    """All suites for two equal models; on the suite `fall` the candidate is worse by this many margins."""
    found = []
    for name, (items, margin, kind, noise) in SUITES.items():
        change = -margins * margin if name == fall else 0.0
        if kind == "turn":
            worse = noise - min(change, 0.0)
            values = draw.choice([-1.0, 0.0, 1.0], size=items, p=[worse, 1 - worse - noise, noise])
        else:
            values = draw.normal(change, noise, items)
        found.append(SuitePair(name, name, "points", margin, (0.0,) * items, tuple(values.tolist())))
    return found


def suite_refusals(
    count: int, draw: np.random.Generator, fall: str | None = None, margins: float = 2.0
) -> list[bool]:
    """Whether the suites alone refuse, `count` times."""
    certain = Interval(0.9, 0.8, 1.0)
    return [not decide(certain, "judge", suites(draw, fall, margins)).promote for _ in range(count)]


def promoted(interval: Interval, prompts: int, tried: int = 0) -> bool:
    """The gate's decision on a win rate, without suites."""
    return decide(interval, "judge", [], prompts=prompts, tried=tried).promote


def ten_rounds(prompts: int, simulations: int, draw: np.random.Generator, *, spend: bool, same: bool) -> float:
    """How often at least one of ten equal candidates is promoted.

    `spend`: the level grows with each refused candidate, as in the gate. `same`: the ten are compared with the same
    answers of the champion to the same prompts, as in rounds; otherwise everything is drawn anew.
    """
    passed = 0
    for _ in range(simulations):
        champion = draw.normal(size=prompts)
        for tried in range(ROUNDS):
            if same:
                better = int((draw.normal(size=prompts) > champion).sum())
                interval = win(better, 0, prompts - better)
            else:
                interval = outcomes(0.5, 1.0, prompts, draw)
            if promoted(interval, prompts, tried if spend else 0):
                passed += 1
                break
    return passed / simulations


def rates(simulations: int, draw: np.random.Generator, refusing: list[bool]) -> dict[tuple[float, float, int], float]:
    """How often a candidate is promoted, by (true win rate, judge's accuracy, prompts), all suites on."""
    found = {}
    for rate in RATES:
        for accuracy in ACCURACIES:
            for prompts in PROMPTS:
                held = draw.choice(len(refusing), size=simulations)
                count = sum(
                    promoted(outcomes(rate, accuracy, prompts, draw), prompts) and not refusing[held[number]]
                    for number in range(simulations)
                )
                found[rate, accuracy, prompts] = count / simulations
    return found


def print_rates(console: Console, found: dict[tuple[float, float, int], float]) -> None:
    """Two tables: equal models promoted, better ones refused."""
    equal = Table("judge's accuracy", *(f"{n} prompts" for n in PROMPTS), title="An equal model is promoted")
    for accuracy in ACCURACIES:
        equal.add_row(f"{accuracy:g}", *(f"{found[0.5, accuracy, n]:.1%}" for n in PROMPTS))
    console.print(equal)
    better = Table("true win rate", "judge", *(f"{n} prompts" for n in PROMPTS), title="A better model is refused")
    for rate in RATES[1:]:
        for accuracy in ACCURACIES:
            cells = [f"{1 - found[rate, accuracy, n]:.0%}" for n in PROMPTS]
            better.add_row(f"{rate:g}", f"{accuracy:g}", *cells)
        better.add_section()
    console.print(better)


def print_suites(console: Console, simulations: int, draw: np.random.Generator, equal: float) -> None:
    """How often the suites stop an equal model, and one that is worse on a single suite by some margins."""
    shown = Table("fell by", *SUITES, title=f"Suites: one that fell is noticed (none fell: {equal:.1%} refused)")
    for margins in (1.0, 2.0, 4.0, 8.0):
        cells = [
            f"{np.mean(suite_refusals(simulations, draw, fall=name, margins=margins)):.0%}"
            if _fits(name, margins)
            else "-"
            for name in SUITES
        ]
        shown.add_row(f"{margins:g} margins", *cells)
    console.print(shown)


def _fits(name: str, margins: float) -> bool:
    _, margin, kind, noise = SUITES[name]
    return kind == "sd" or 2 * noise + margins * margin <= 1


def plot(found: dict[tuple[float, float, int], float], path: Path) -> None:
    """Draw how often a candidate is promoted over the number of prompts, a panel for each judge."""
    made, panels = figure(12, 3.4, 1, len(ACCURACIES), sharey=True)
    for axes, accuracy in zip(panels, ACCURACIES, strict=True):
        for rate in RATES:
            axes.plot(PROMPTS, [found[rate, accuracy, n] for n in PROMPTS], "o-", label=f"win rate {rate:g}")
        axes.axhline(0.025, color="grey", linestyle=":")
        axes.set(title=f"judge's accuracy {accuracy:g}", xlabel="prompts", xscale="log", ylim=(-0.02, 1.02))
        axes.set_xticks(PROMPTS, [str(n) for n in PROMPTS], minor=False)
        axes.minorticks_off()
    panels[0].set_ylabel("promoted")
    panels[0].legend(fontsize=SMALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(made))


def main() -> None:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--simulations", type=int, default=2000, help="simulations of each case (default: %(default)s)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    console = Console(width=140)
    console.print(
        f"{options.simulations} simulations per case: a share of 2.5 % is known within "
        f"{1.96 * NormalDist(0.025, (0.025 * 0.975 / options.simulations) ** 0.5).stdev:.1%}."
    )
    refusing = suite_refusals(max(200, options.simulations // 8), draw)
    found = rates(options.simulations, draw, refusing)
    print_rates(console, found)
    rounds = Table("ten rounds in a row", *(f"{n} prompts" for n in PROMPTS), title="At least one equal model passes")
    few = max(200, options.simulations // 4)
    for name, spend, same in (
        ("always 95 %, all drawn anew", False, False),
        ("always 95 %, same prompts", False, True),
        ("5 % divided by the try, all drawn anew", True, False),
        ("5 % divided by the try, same prompts (the gate)", True, True),
    ):
        rounds.add_row(name, *(f"{ten_rounds(n, few, draw, spend=spend, same=same):.1%}" for n in PROMPTS))
    console.print(rounds)
    print_suites(console, max(50, options.simulations // 40), draw, sum(refusing) / len(refusing))
    if options.plot:
        plot(found, options.plot)


if __name__ == "__main__":
    main()
