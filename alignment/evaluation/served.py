"""Who is served badly: the win rate by groups of people, and whether a group is worse off than before.

A mean hides people: a candidate that wins 60 % may win 90 % of one language and 20 % of another. The groups are those
of a language, of a persona, of a server (where a person rates most), and the tenth of raters that is served worst.
The tenth is chosen by the votes on one half of the prompts and measured on the other half, and the other way round;
if the votes that choose it also measured it, some tenth would seem badly served by chance alone.

A group's win rate is the one that the gate uses (`alignment.evaluation.people`): one voice a person, Student's t. A
group is served worse when this is surely below one half by more than `MARGIN`, with the error of the gate's suites
divided by the number of groups (Bonferroni): the more groups there are, the more often chance finds a bad one. As
three people together cannot promote a candidate, they cannot stop one either: the three who are most against it are
set aside (but nobody for whom the operator vouches), and the win rate of at least three others must be as low.

Nothing here names a person, and a server is a number, its place in the order in which Parley met them. A group of
fewer than `PEOPLE` people is not shown and does not decide: small groups of a kind are put together, and are left
out if they are still too few.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from alignment.evaluation.evidence import PAIRS
from alignment.evaluation.gate import SURE, interval_of
from alignment.evaluation.people import NOBODY, Standing, find
from alignment.evaluation.people import OTHERS as REST
from alignment.evaluation.winrate import Comparison
from data.gate_verdicts import Interval

PEOPLE = 3  # fewer could be recognised
MARGIN = 0.05  # a group may win this much less than one half
RATERS = 10  # with fewer, a tenth is nobody
TENTH = "tenth"
OTHERS = "others"
NO_SERVER = ""
_SIDE = "\n"  # no pseudonym has a line break


@dataclass(frozen=True, slots=True)
class Group:
    """A group's win rate of the candidate with its 95 % interval.

    `kind` is language, persona, server or tenth. `most` is the upper end at the group's part of the error. `worse`
    says that even this is too low, also without the three people who are most against the candidate.
    """

    kind: str
    name: str
    people: int
    votes: int
    win: Interval
    most: float
    worse: bool

    @property
    def by_few(self) -> bool:
        """Whether the win rate is surely too low, but not without the people who are most against the candidate."""
        return self.most < 0.5 - MARGIN and not self.worse

    @property
    def label(self) -> str:
        """The group's name in a picture or a table."""
        if self.kind == TENTH:
            return "worst-served tenth of raters"
        if self.name == OTHERS:
            return f"other {self.kind}s"
        return f"{self.kind} {self.name}" if self.name else "outside servers"

    @property
    def whom(self) -> str:
        """The group in a sentence."""
        if self.kind == TENTH:
            return f"the {self.label}"
        if not self.name:
            return f"people {self.label}"
        return f"people of {'' if self.name == OTHERS or self.kind == 'server' else 'the '}{self.label}"


@dataclass(frozen=True, slots=True)
class Served:
    """The groups of one source of votes; `hidden` counts those that are too small to be shown."""

    source: str
    groups: tuple[Group, ...] = ()
    hidden: int = 0


def served(votes: Sequence[Comparison], source: str, standing: Standing = NOBODY) -> Served | None:
    """How each group of people is served by the candidate; None if no vote is a person's.

    Votes without a rater, and of people whose ratings do not count, are left out.
    """
    cast = [vote for vote in votes if vote.rater and standing.weights.get(vote.rater, 1.0) > 0]
    if not cast:
        return None
    parts: list[tuple[str, str, list[Comparison]]] = []
    hidden = 0
    for kind in ("language", "persona", "server"):
        shown, small = _shown(_by(kind, cast, standing))
        parts += [(kind, name, found) for name, found in sorted(shown.items(), key=lambda each: -len(each[1]))]
        hidden += small
    if worst := worst_tenth(cast):
        parts.append((TENTH, "", worst))
    error = (1 - SURE) / max(1, len(parts))
    return Served(source, tuple(_group(*part, standing, error) for part in parts), hidden)


def worst_tenth(votes: Sequence[Comparison]) -> list[Comparison]:
    """The votes that measure the tenth of raters (three at least) that is served worst; empty if raters are few.

    Half of the prompts choose a tenth, and its votes on the other half measure it; both halves do both. Somebody whom
    both choose has a voice in each, under two names: with one, those who look bad twice by chance would count less.
    """
    sides: list[dict[str, list[Comparison]]] = [{}, {}]
    for vote in votes:
        sides[sha256(vote.prompt.encode()).digest()[0] % 2].setdefault(vote.rater, []).append(vote)
    both = sorted(sides[0].keys() & sides[1].keys())
    if len(both) < RATERS:
        return []
    count = max(PEOPLE, math.ceil(len(both) / 10))
    measured: list[Comparison] = []
    for side, (chooses, measures) in enumerate((sides, sides[::-1])):
        worst = sorted(both, key=lambda rater: _shrunk(chooses[rater]))[:count]
        measured += [replace(vote, rater=f"{rater}{_SIDE}{side}") for rater in worst for vote in measures[rater]]
    return measured


def _shrunk(votes: Sequence[Comparison]) -> float:
    """A person's mean vote, drawn towards one half as far as the votes are few, so that one vote does not choose."""
    return sum(vote.score - 0.5 for vote in votes) / (len(votes) + 2)


def _by(kind: str, votes: Sequence[Comparison], standing: Standing) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for vote in votes:
        server = standing.servers.get(vote.rater)
        name = dict(vote.groups).get(kind) if kind != "server" else NO_SERVER if server is None else str(server)
        if name is not None:
            found.setdefault(name, []).append(vote)
    return found


def _shown(groups: Mapping[str, list[Comparison]]) -> tuple[dict[str, list[Comparison]], int]:
    """The groups of a kind that may be shown, and how many are left out. One group alone is everybody."""
    # A persona may be called like the rest, too.
    large = {name: found for name, found in groups.items() if _people(found) >= PEOPLE and name != OTHERS}
    small = [found for name, found in groups.items() if name not in large]
    together = [vote for found in small for vote in found]
    if small and _people(together) >= PEOPLE:
        large[OTHERS], small = together, []
    return (large if len(large) > 1 else {}), len(small)


def _person(vote: Comparison) -> str:
    return vote.rater.partition(_SIDE)[0]


def _people(votes: Sequence[Comparison]) -> int:
    return len({_person(vote) for vote in votes})


def _group(kind: str, name: str, votes: Sequence[Comparison], standing: Standing, error: float) -> Group:
    weights = {vote.rater: standing.weights.get(_person(vote), 1.0) for vote in votes}
    finding = find(votes, replace(standing, weights=weights))
    most = finding.ends(error)[1]
    worse = most < 0.5 - MARGIN and _by_others(votes, standing)
    return Group(kind, name, _people(votes), len(votes), interval_of(finding), most, worse)


def _by_others(votes: Sequence[Comparison], standing: Standing) -> bool:
    """Whether the group is served worse without the three people who are most against the candidate, too.

    Seen from the champion, these are the three most in favour, whom the gate sets aside.
    """
    turned = find([replace(vote, score=1 - vote.score, rater=_person(vote)) for vote in votes], standing)
    return turned.others >= REST and turned.rest / turned.scale > MARGIN


def against(found: Served | None) -> list[str]:
    """Why the gate must refuse the candidate: a sentence for each group that is served worse."""
    if found is None:
        return []
    several = f", even allowing for all {len(found.groups)} groups" if len(found.groups) > 1 else ""
    return [
        f"With the candidate, {group.whom} fare worse than with the champion: it wins {_figures(group)}, surely "
        f"below {0.5 - MARGIN:.0%}{several}. Collect comparisons and corrections from them and train again. If they "
        "rate against everybody, look at `python -m data raters`."
        for group in found.groups
        if group.worse
    ]


def served_words(found: Served) -> list[str]:
    """What the win rates by group mean, in sentences."""
    if not found.groups:
        return [
            "Whether some people are served worse than others cannot be said yet: it takes two languages, personas "
            f"or servers with {PEOPLE} people each, or {RATERS} people with several votes each."
        ]
    said = [
        f"By {found.source}, a group's win rate is the share of its votes that go to the candidate, one voice a "
        "person. At one half, the group is served as well as by the champion.",
    ]
    if found.source == PAIRS:
        said.append("A held-out pair goes to the model that leans further to the answer that people preferred.")
    if any(group.kind == TENTH for group in found.groups):
        said.append(
            "The worst-served tenth of raters, at least three people, is chosen by the votes on half of the prompts "
            "and measured on the other half, because by chance alone some people look badly served."
        )
    if any(group.kind == "server" for group in found.groups):
        said.append("Servers are numbered in the order in which Parley met them.")
    bad = [group.whom for group in found.groups if group.worse]
    lowest = min(found.groups, key=lambda group: group.win.mean)
    rule = (
        f"The gate refuses a candidate that surely wins less than {0.5 - MARGIN:.0%} of a group's votes ({SURE:.0%} "
        f"sure, over {_count(len(found.groups), 'group')} together)."
    )
    if bad:
        said.append(f"{rule} Served worse: {'; '.join(bad)}.")
    else:
        said.append(f"{rule} No group is surely served worse. Lowest are {lowest.whom}, with {_figures(lowest)}.")
    if few := [f"{group.whom}, with {_figures(group)}" for group in found.groups if group.by_few]:
        said.append(
            f"Surely below {0.5 - MARGIN:.0%} as well: {'; '.join(few)}. But three people cannot stop a candidate "
            "alone, and without the three who are most against it, there are fewer than three others, or these are "
            "not served so badly. If you know and believe the people, vouch for them (`python -m data raters vouch "
            "NAME`)."
        )
    if found.hidden:
        said.append(f"Groups of fewer than {PEOPLE} people are not shown and do not decide: {found.hidden}.")
    return said


def _figures(group: Group) -> str:
    win = group.win
    return (
        f"{win.mean:.0%} (95 % interval {win.low:.0%} to {win.high:.0%}; {group.people} people, "
        f"{_count(group.votes, 'vote')})"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
