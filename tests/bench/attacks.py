"""What hostile raters get: of labels, of training weight, and of the gate's verdicts; and what honest people lose.

    python -m tests.bench.attacks                 # the tables, a few minutes
    python -m tests.bench.attacks --quick         # one seed

A community of thirty people rates for ten days; some of them are hostile. All ratings go through the functions that
rounds use: `data.limits.over_quota`, `data.raters.weigh`, `data.weights.support` and `capped`. Each defence is also
taken away alone. `docs/raters.md` shows the tables and explains them.
"""

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import mean

import numpy as np
from rich.console import Console
from rich.table import Table

from data.limits import Limits, Spent, over_quota
from data.raters import ItemLabel, Panel, weigh
from data.weights import Capped, Support, capped, support
from tests.bench import gate

PEOPLE = 30
RATES = (0.0, 0.1, 0.2, 0.3, 0.4)
ANSWERS = 200  # shared answers, each voted on by a few people
DAYS, START = 10, datetime(2026, 11, 1, tzinfo=UTC)
RIGHT = 0.85  # how often honest people see whether an answer is good
VERDICTS = 200
FLOOD = 1000  # the ratings of a hostile account that floods
DEFENCES = ("cap", "bearing out", "model", "quotas")


@dataclass(frozen=True, slots=True)
class Rated:
    """One rating: `says` is what it says of the item; what is true of it is `Community.truth`."""

    rater: str
    kind: str  # vote, comparison or correction
    item: str
    says: bool
    at: datetime


@dataclass(slots=True)
class Community:
    """What everybody rated. Hostile people say the opposite of what is true."""

    draw: random.Random
    honest: list[str]
    hostile: list[str]
    truth: dict[str, bool]
    ratings: list[Rated]

    def rate(self, rater: str, kind: str, item: str, *, right: bool, day: float) -> None:
        """Somebody rates an item, rightly or not."""
        truth = self.truth.setdefault(item, self.draw.random() < 0.5)
        self.ratings.append(Rated(rater, kind, item, truth == right, START + timedelta(days=day)))


def community(seed: int, rate: float) -> Community:
    """Honest people of different zeal: votes on shared answers, comparisons on their own questions, corrections."""
    draw = random.Random(seed)
    hostile = round(PEOPLE * rate)
    found = Community(
        draw, [f"honest-{i}" for i in range(PEOPLE - hostile)], [f"hostile-{i}" for i in range(hostile)], {}, []
    )
    for name in found.honest:
        zeal = draw.lognormvariate(0, 0.7)
        for item in draw.sample(range(ANSWERS), min(ANSWERS, max(6, round(30 * zeal)))):
            right = draw.random() < RIGHT
            found.rate(name, "vote", f"shared-{item}", right=right, day=draw.uniform(0, DAYS))
        for kind, number in (("comparison", round(15 * zeal)), ("correction", round(5 * zeal))):
            for at in range(max(1, number)):
                right = draw.random() < RIGHT or kind == "correction"
                found.rate(name, kind, f"{kind}-{name}-{at}", right=right, day=draw.uniform(0, DAYS))
    return found


def flip(found: Community) -> None:
    """As many ratings as honest people give, on the same answers, all of them the wrong way round."""
    for name in found.hostile:
        for item in found.draw.sample(range(ANSWERS), 30):
            found.rate(name, "vote", f"shared-{item}", right=False, day=found.draw.uniform(0, DAYS))


def flood(found: Community) -> None:
    """Every shared answer is voted on, the wrong way round, by every hostile account."""
    for name in found.hostile:
        for item in range(ANSWERS):
            found.rate(name, "vote", f"shared-{item}", right=False, day=found.draw.uniform(0, DAYS))


def separate(found: Community) -> None:
    """A thousand comparisons of each account, on questions that nobody else sees."""
    for name in found.hostile:
        for at in range(FLOOD):
            found.rate(name, "comparison", f"own-{name}-{at}", right=False, day=found.draw.uniform(0, 2))


def ring(found: Community) -> None:
    """The hostile accounts compare answers to the same thousand questions of theirs, and agree with each other."""
    for at in range(FLOOD):
        for name in found.hostile:
            found.rate(name, "comparison", f"ring-{at}", right=False, day=found.draw.uniform(0, 2))


def sleepers(found: Community) -> None:
    """For eight days each account votes as honest people do, then it floods questions of its own."""
    for name in found.hostile:
        for item in found.draw.sample(range(ANSWERS), 30):
            right = found.draw.random() < RIGHT
            found.rate(name, "vote", f"shared-{item}", right=right, day=found.draw.uniform(0, 8))
        for at in range(FLOOD):
            found.rate(name, "comparison", f"own-{name}-{at}", right=False, day=found.draw.uniform(8, DAYS))


def fact(found: Community) -> None:
    """Every account writes three corrections, and all of them say the same untrue thing."""
    for name in found.hostile:
        for at in range(3):
            found.rate(name, "correction", f"fact-{name}-{at}", right=False, day=found.draw.uniform(0, DAYS))


def poison(found: Community) -> None:
    """Three hundred bad corrections of each account."""
    for name in found.hostile:
        for at in range(300):
            found.rate(name, "correction", f"poison-{name}-{at}", right=False, day=found.draw.uniform(0, 2))


def brigade(found: Community) -> None:
    """All accounts vote the wrong way round on the same tenth of the answers, and nowhere else."""
    for item in range(ANSWERS // 10):
        for name in found.hostile:
            found.rate(name, "vote", f"shared-{item}", right=False, day=found.draw.uniform(0, DAYS))


ATTACKS: tuple[Callable[[Community], None], ...] = (
    flip,
    flood,
    brigade,
    separate,
    ring,
    sleepers,
    fact,
    poison,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is trained: the labels of shared answers, and each rater's weight of each kind, after the cap."""

    labels: Mapping[str, bool]
    held: Mapping[str, Mapping[str, float]]  # kind -> rater -> weight

    def share(self, kind: str, names: Sequence[str]) -> float:
        """The share of a kind's weight that these people hold."""
        held = self.held.get(kind, {})
        return sum(held.get(name, 0.0) for name in names) / max(sum(held.values()), 1e-9)


def trained(found: Community, without: Sequence[str] = (), only: Sequence[str] | None = None) -> Outcome:
    """What the ratings become. `without` names defences that are taken away, `only` the people who rate at all."""
    limits = Limits(0, 0, 0) if "quotas" in without else Limits()
    rated = [one for one in found.ratings if only is None or one.rater in only]
    over = over_quota([Spent(at, one.rater, "server", one.at) for at, one in enumerate(rated)], limits)
    rated = [one for at, one in enumerate(rated) if at not in over]
    labels = [ItemLabel(one.rater, one.item, one.says, one.at) for one in rated if one.kind != "correction"]
    panel = weigh(labels, {one.rater for one in rated})
    if "model" in without:
        panel = replace(panel, raters={name: replace(one, weight=1.0) for name, one in panel.raters.items()})
    if "bearing out" in without:
        panel = replace(panel, raters={name: replace(one, confirmed=0) for name, one in panel.raters.items()})
    rows: dict[str, list[Support]] = defaultdict(list)
    decided = {}
    votes: dict[str, dict[bool, list[str]]] = defaultdict(lambda: {True: [], False: []})
    for one in sorted(rated, key=lambda each: each.at):
        votes[one.item][one.says].append(one.rater)
    kinds = {one.item: one.kind for one in rated}
    for item, said in votes.items():
        value = _weight(panel, said[True]) > _weight(panel, said[False])
        backed = support(panel, said[value], said[not value])
        if backed.problem is None:
            rows[kinds[item]].append(backed)
            if kinds[item] == "vote":
                decided[item] = value
    held = {kind: _held(mine, panel, capping="cap" not in without) for kind, mine in rows.items()}
    return Outcome(decided, held)


def _weight(panel: Panel, names: Sequence[str]) -> float:
    return sum(map(panel.weight, names))


def _held(rows: Sequence[Support], panel: Panel, *, capping: bool) -> Mapping[str, float]:
    weighed = [(row.weight, row.backing) for row in rows]
    if capping:
        found: Capped = capped(weighed, panel)
        whole = sum(found.weights)
        return {name: share * whole for name, share in found.shares.items()}
    held: Counter[str] = Counter()
    for weight, backing in weighed:
        for name, mine in backing.items():
            held[name] += weight * mine / sum(backing.values())  # type: ignore[assignment]  # a sum of shares
    return held


@dataclass(frozen=True, slots=True)
class Line:
    """One attack at one rate, under some defences, as shares.

    Of the labels that honest people alone would give: those that say the opposite now (`changed`) and those that are
    gone (`lost`). Of the weight of each kind: what hostile people hold. Of the weight that honest people alone would
    have without any defence: what they have now (`kept`).
    """

    changed: float
    lost: float
    votes: float
    comparisons: float
    corrections: float
    kept: float


def measure(attack: Callable[[Community], None] | None, rate: float, without: Sequence[str], seed: int) -> Line:
    """Play one attack once."""
    found = community(seed, rate)
    if attack is not None:
        attack(found)
    alone = trained(found, DEFENCES, found.honest)
    now = trained(found, without)
    changed = [now.labels[item] != value for item, value in alone.labels.items() if item in now.labels]
    before = sum(sum(held.values()) for held in alone.held.values())
    honest = sum(held.get(name, 0.0) for held in now.held.values() for name in found.honest)
    return Line(
        sum(changed) / len(alone.labels),
        1 - len(changed) / len(alone.labels),
        *(now.share(kind, found.hostile) for kind in ("vote", "comparison", "correction")),
        honest / before,
    )


def average(attack: Callable[[Community], None] | None, rate: float, without: Sequence[str], seeds: int) -> Line:
    """The mean over some seeds."""
    lines = [measure(attack, rate, without, seed) for seed in range(seeds)]
    names = Line.__slots__
    return Line(*(mean(getattr(line, name) for line in lines) for name in names))


def print_rates(console: Console, seeds: int) -> None:
    """Each attack at each rate with all defences, beside the same without any."""
    heads = ("labels changed", "labels lost", "weight of votes", "of comparisons", "of corrections", "honest kept")
    table = Table("attack", "hostile", *heads, title="Hostile people get (without any defence -> with all of them)")
    for attack in ATTACKS:
        for rate in RATES if attack is flip else RATES[1:]:
            bare, full = (average(attack, rate, without, seeds) for without in (DEFENCES, ()))
            cells = (f"{getattr(bare, name):.0%} -> {getattr(full, name):.1%}" for name in Line.__slots__)
            table.add_row(attack.__name__, f"{rate:.0%}", *cells)
        table.add_section()
    console.print(table)


def print_defences(console: Console, seeds: int, rate: float = 0.3) -> None:
    """Each attack at one rate: which defence does what."""
    settings = {"all": (), **{f"without {name}": (name,) for name in DEFENCES}, "none": DEFENCES}
    table = Table(
        "attack", *settings, title=f"At {rate:.0%} hostile: labels changed / largest share of a kind / kept"
    )
    for attack in (None, *ATTACKS):
        cells = []
        for without in settings.values():
            line = average(attack, rate if attack else 0.0, without, seeds)
            most = max(line.votes, line.comparisons, line.corrections)
            cells.append(f"{line.changed:.1%} / {most:.0%} / {line.kept:.0%}")
        table.add_row(attack.__name__ if attack else "nobody hostile", *cells)
    console.print(table)


def print_accounts(console: Console) -> None:
    """Twenty honest people with 20 comparisons each, against a few accounts with 2,000, on questions of their own."""
    table = Table(
        "accounts", "heads", "training weight", "without the cap", title="20 x 20 honest, against 2,000 each"
    )
    for accounts in (1, 2, 3):
        found = Community(random.Random(1), [f"h{i}" for i in range(20)], [f"x{i}" for i in range(accounts)], {}, [])
        for names, number, right in ((found.honest, 20, True), (found.hostile, 2000, False)):
            for name in names:
                for at in range(number):
                    found.rate(name, "comparison", f"{name}-{at}", right=right, day=at * DAYS / number)
        shares = [
            trained(found, without).share("comparison", found.hostile) for without in (("quotas",), ("quotas", "cap"))
        ]
        table.add_row(str(accounts), f"{accounts / (20 + accounts):.1%}", *(f"{share:.1%}" for share in shares))
    console.print(table)


def print_verdicts(console: Console) -> None:
    """How often three puppets promote a candidate that honest people do not prefer."""
    table = Table("honest people", "they prefer it", "the puppets' share of the votes", "promoted, of 200 trials")
    for honest in (6, 12):
        for rate in (0.5, 0.4):
            for share in (None, 0.9):
                draw = np.random.default_rng(0)
                found = gate.puppets(honest, rate, 3, VERDICTS, draw, share=share)
                part = 3 / (3 + honest) if share is None else share
                table.add_row(str(honest), f"{rate:.0%}", f"{part:.0%}", str(round(found * VERDICTS)))
    console.print(table)


def main() -> None:
    """Read the command line, play, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="communities for each figure (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="one community for each figure")
    options = parser.parse_args()
    seeds = 1 if options.quick else options.seeds
    console = Console(width=150)
    print_accounts(console)
    print_defences(console, seeds)
    print_rates(console, seeds)
    print_verdicts(console)


if __name__ == "__main__":
    main()
