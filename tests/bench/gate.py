"""How often is the gate wrong, and how many votes does it need? Its decisions on simulated evidence.

    python -m tests.bench.gate                            # the tables, a few minutes
    python -m tests.bench.gate --plot out/gate.png        # and a picture of them

People compare a candidate of a known true win rate with the champion, one vote a prompt, and the gate is asked after
every vote. A judge agrees with each vote at a known rate and has read many more pairs. Puppets always vote for the
candidate. The ten suites have the item counts and margins of the product's own prompts, and the noise named in
`SUITES`. `docs/evaluation.md` shows the tables and explains them.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from alignment.evaluation.anytime import log_capital
from alignment.evaluation.gate import SuitePair, decide
from alignment.evaluation.people import NOBODY, Judged, Standing, counted, find, leads
from alignment.evaluation.winrate import Comparison
from data.drawing import SMALL, figure, png
from data.error_budget import BUDGET, LIVE_PART, Stake, share
from data.releases import MINIMUM_PROMPTS

RATES = (0.5, 0.55, 0.6, 0.65, 0.7)
VOTES = 400  # the longest simulated trial
IN_A_ROW = 20
READ = 2000  # the pairs that a simulated judge has read
# name: items, margin, and how two equal models differ on one item: the share of answers that turn from right to wrong
# (as many from wrong to right), or the standard deviation of the difference.
SUITES: dict[str, tuple[int, float, str, float]] = {
    "instructions": (104, 0.05, "turn", 0.1),
    "truthfulness": (24, 0.03, "sd", 0.1),
    "sycophancy": (120, 0.03, "sd", 0.1),
    "over_refusal": (104, 0.05, "turn", 0.1),
    "refusal": (104, 0.05, "turn", 0.1),
    "bias_pairs": (24, 0.25, "sd", 0.8),
    "bias_occupations": (24, 0.1, "sd", 0.3),
    "forgetting": (16, 0.1, "sd", 0.1),
    "leakage": (6, 2.0, "sd", 2.0),
    "degenerate": (80, 0.05, "turn", 0.05),
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who votes: each person's true win rate of the candidate, and the share of the votes that each gives."""

    rates: tuple[float, ...]
    shares: tuple[float, ...] | None = None

    @classmethod
    def of(cls, people: int, rate: float, taste: float = 0.0, draw: np.random.Generator | None = None) -> "Crowd":
        """People who all prefer the candidate at this rate, or whose rates differ by this standard deviation."""
        if draw is None or not taste:
            return cls((rate,) * people)
        return cls(tuple(np.clip(draw.normal(rate, taste, people), 0, 1).tolist()))


def trial(
    crowd: Crowd, votes: int, draw: np.random.Generator, *, ties: float = 0.0, judge: float | None = None
) -> tuple[list[Comparison], Judged | None]:
    """One trial's votes in their order; with the verdicts of a judge that agrees at the rate `judge`."""
    people = len(crowd.rates)
    who = draw.choice(people, votes, p=crowd.shares)
    rates = np.array(crowd.rates)[who]
    at = draw.random(votes)
    scores = np.where(at < rates - ties / 2, 1.0, np.where(at < rates + ties / 2, 0.5, 0.0))
    cast = [Comparison(f"p{n}", float(scores[n]), 1, 1, f"r{who[n]}") for n in range(votes)]
    if judge is None:
        return cast, None
    agreed = np.where(draw.random(votes) < judge, scores, 1 - scores)
    unread = draw.random(READ - votes) < judge * rates.mean() + (1 - judge) * (1 - rates.mean())
    verdicts = {f"p{n}": float(agreed[n]) for n in range(votes)}
    verdicts |= {f"q{n}": float(value) for n, value in enumerate(unread)}
    return cast, Judged("judge", verdicts, judge)


def promoted_at(
    votes: Sequence[Comparison],
    stake: Stake = Stake(),  # noqa: B008 - it cannot change
    standing: Standing = NOBODY,
    judged: Judged | None = None,
    every: int = 1,
) -> int | None:
    """After how many votes the gate promotes when it is asked after each `every` votes; None if never.

    The e-process is computed for all moments at once; the gate itself is asked wherever its votes would be enough.
    """
    taken = counted(votes, standing)
    capital = log_capital(leads([votes[index] for index, _ in taken], judged))[1:]
    moments = {taken[place][1] + 1 for place in np.flatnonzero(capital >= -math.log(stake.live))}
    for moment in sorted(moments):
        if moment < MINIMUM_PROMPTS or moment % every:
            continue
        finding = find(votes[:moment], standing, judged)
        if decide(finding, "people", [], stake=stake, live=True).promote:
            return moment
    return None


def moments(
    crowd: Crowd,
    simulations: int,
    draw: np.random.Generator,
    *,
    votes: int = VOTES,
    judge: float | None = None,
    ties: float = 0.0,
    taste: float = 0.0,
    stake: Stake = Stake(),  # noqa: B008 - it is frozen
    standing: Standing = NOBODY,
    every: int = 1,
) -> list[float]:
    """For each simulated trial, after how many votes the candidate is promoted; infinity if it never is."""
    ends = []
    for _ in range(simulations):
        drawn = Crowd.of(len(crowd.rates), crowd.rates[0], taste, draw) if taste else crowd
        cast, judged = trial(drawn, votes, draw, ties=ties, judge=judge)
        ends.append(float(promoted_at(cast, stake, standing, judged, every) or math.inf))
    return ends


def puppets(
    honest: int,
    rate: float,
    puppets: int,
    simulations: int,
    draw: np.random.Generator,
    *,
    votes: int = VOTES,
    share: float | None = None,
    says: float = 1.0,
    standing: Standing = NOBODY,
) -> float:
    """The share of trials in which puppets among honest people have a candidate promoted.

    Honest people prefer the candidate at the rate `rate`, puppets at the rate `says`. `share` is the puppets' share
    of all votes; by default everybody votes equally often. The gate is asked after every fifth vote. The puppets are
    the first people of the crowd (`r0` ...).
    """
    heads = puppets + honest
    part = puppets / heads if share is None else share
    shares = (part / puppets,) * puppets + ((1 - part) / honest,) * honest if puppets else (1 / honest,) * honest
    crowd = Crowd((says,) * puppets + (rate,) * honest, shares)
    ends = moments(crowd, simulations, draw, votes=votes, standing=standing, every=5)
    return float(np.mean(np.isfinite(ends)))


def in_a_row(runs: int, draw: np.random.Generator, *, votes: int = VOTES, taste: float = 0.0) -> float:
    """How often at least one of twenty equal candidates is promoted, each asked about after every vote."""
    wrong = 0
    for _ in range(runs):
        spent = 0.0
        for number in range(1, IN_A_ROW + 1):
            stake = Stake(number, share(number), spent)
            cast, _ = trial(Crowd.of(10, 0.5, taste, draw), votes, draw)
            if promoted_at(cast, stake) is not None:
                wrong += 1
                break
            spent += stake.error
    return wrong / runs


def suites(draw: np.random.Generator, fall: str | None = None, margins: float = 2.0) -> list[SuitePair]:
    """All suites for two equal models; on the suite `fall` the candidate is worse by this many margins."""
    measured = []
    for name, (items, margin, kind, noise) in SUITES.items():
        change = -margins * margin if name == fall else 0.0
        if kind == "turn":
            worse = noise - min(change, 0.0)
            values = draw.choice([-1.0, 0.0, 1.0], size=items, p=[worse, 1 - worse - noise, noise])
        else:
            values = draw.normal(change, noise, items)
        measured.append(SuitePair(name, name, "points", margin, (0.0,) * items, tuple(values.tolist())))
    return measured


def suite_refusals(
    count: int, draw: np.random.Generator, fall: str | None = None, margins: float = 2.0
) -> list[bool]:
    """Whether the suites alone refuse, `count` times; of a model that fell on one suite, only that one is asked."""
    certain = find([Comparison(f"p{n}", 1.0, 1, 1) for n in range(200)])
    drawn = (suites(draw, fall, margins) for _ in range(count))
    asked = ([pair for pair in each if fall in (None, pair.name)] for each in drawn)
    return [not decide(certain, "judge", pairs).promote for pairs in asked]


def print_power(
    console: Console, simulations: int, draw: np.random.Generator
) -> dict[tuple[float, str], list[float]]:
    """After how many votes of ten people a candidate is promoted, by its true win rate."""
    shown = Table(
        "true win rate",
        "who",
        "half are promoted by",
        "by 80 votes",
        "by 170",
        "by 220",
        f"by {VOTES}",
        title="Ten people vote, and the gate is asked after every vote",
    )
    kept = {}
    for rate in RATES:
        for name, judge in (("people", None), ("and a judge that agrees with 75 %", 0.75)):
            ends = moments(Crowd.of(10, rate), simulations, draw, judge=judge)
            kept[rate, name] = ends
            middle = float(np.median(ends))
            cells = [f"{np.mean(np.array(ends) <= limit):.0%}" for limit in (80, 170, 220, VOTES)]
            shown.add_row(f"{rate:.0%}", name, f"{middle:.0f} votes" if math.isfinite(middle) else "-", *cells)
    console.print(shown)
    return kept


def print_puppets(console: Console, simulations: int, draw: np.random.Generator) -> None:
    """How often three puppets among six honest people have a candidate promoted."""
    rates = (0.4, 0.45, 0.5)
    shown = Table(
        "three puppets", *(f"honest at {rate:.0%}" for rate in rates), title="Six honest people and three puppets"
    )
    for name, part, says in (
        ("always for it, as many votes as others", None, 1.0),
        ("always for it, six votes of ten", 0.6, 1.0),
        ("for it in 80 %, as many votes", None, 0.8),
        ("for it in 70 %, as many votes", None, 0.7),
    ):
        found = [puppets(6, rate, 3, simulations, draw, votes=240, share=part, says=says) for rate in rates]
        shown.add_row(name, *(f"{each:.1%}" for each in found))
    alone = promoted_by_three(draw)
    shown.add_row("alone", *[f"{alone:.1%}"] * len(rates))
    console.print(shown)


def promoted_by_three(draw: np.random.Generator) -> float:
    """The share of trials in which three people, of whom nothing is known, have a candidate promoted alone."""
    ends = moments(Crowd((1.0, 1.0, 1.0)), 20, draw, every=5)
    return float(np.mean(np.isfinite(ends)))


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


def plot(kept: dict[tuple[float, str], list[float]], path: Path) -> None:
    """Draw the share of candidates that are promoted over the number of votes, a panel for each way."""
    names = list(dict.fromkeys(name for _, name in kept))
    made, panels = figure(9, 3.4, 1, len(names), sharey=True)
    votes = np.arange(MINIMUM_PROMPTS, VOTES + 1)
    for axes, name in zip(panels, names, strict=True):
        for rate in RATES:
            ends = np.array(kept[rate, name])
            axes.plot(votes, [(ends <= limit).mean() for limit in votes], label=f"win rate {rate:.0%}")
        axes.axhline(LIVE_PART * share(1), color="grey", linestyle=":")
        axes.set(title=name, xlabel="votes", ylim=(-0.02, 1.02))
    panels[0].set_ylabel("promoted")
    panels[0].legend(fontsize=SMALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(made))


def main() -> None:
    """Read the command line, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--simulations", type=int, default=1000, help="simulations of each case (default: %(default)s)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    console = Console(width=140)
    many, some = options.simulations, max(20, options.simulations // 3)
    spending = Table("candidate", *map(str, (1, 2, 3, 5, 10, 20)), title=f"Shares of the budget of {BUDGET:.0%}")
    spending.add_row("share", *(f"{share(number):.2%}" for number in (1, 2, 3, 5, 10, 20)))
    console.print(spending)
    wrong = Table("twenty equal candidates in a row", f"one is promoted ({many} runs)")
    for name, taste in (("people all alike", 0.0), ("people's tastes differ by 10 points", 0.1)):
        wrong.add_row(name, f"{in_a_row(many, draw, taste=taste):.1%}")
    console.print(wrong)
    kept = print_power(console, some, draw)
    print_puppets(console, 200, draw)
    refusing = suite_refusals(max(200, many // 2), draw)
    print_suites(console, max(50, many // 10), draw, sum(refusing) / len(refusing))
    if options.plot:
        plot(kept, options.plot)


if __name__ == "__main__":
    main()
