"""A simulated crowd: honest raters who err sometimes, lazy raters, and a brigade that votes upside down together."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from data.raters import ItemLabel

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Member:
    """A rater; `right` is how often an honest one sees which answer is better."""

    name: str
    kind: str
    right: float = 0.8

    def says(self, truth: bool, draw: random.Random) -> bool:
        """Their rating of an item; `truth` says whether it is good."""
        if self.kind == "up":
            return True
        if self.kind == "random":
            return draw.random() < 0.5
        return (draw.random() < self.right) == (truth if self.kind == "honest" else not truth)


def crowd(honest: int = 12, brigade: int = 5) -> list[Member]:
    """Twenty members of a server, three of them lazy."""
    names = ["honest"] * honest + ["up", "up", "random"] + ["brigade"] * brigade
    return [Member(f"{kind}-{i}", kind, 0.95 if kind == "brigade" else 0.8) for i, kind in enumerate(names)]


@dataclass(frozen=True)
class CrowdRating:
    """One member's rating of one item, with the truth about the item."""

    member: Member
    item: int
    truth: bool
    value: bool


def ratings(
    members: list[Member], seed: int, items: int = 100, each: int = 5, concert: bool = True
) -> list[CrowdRating]:
    """Ratings of items by some members each; in concert, the whole brigade rates the same items."""
    draw = random.Random(seed)
    brigade = [member for member in members if member.kind == "brigade"]
    others = [member for member in members if member.kind != "brigade"]
    found = []
    for item in range(items):
        truth = draw.random() < 0.5
        who = draw.sample(others, each) if concert else draw.sample(members, each)
        if concert and item % 4 == 0:
            who += brigade
        found += [CrowdRating(member, item, truth, member.says(truth, draw)) for member in who]
    return found


def labels_of(said: list[CrowdRating], seconds: float = 40) -> list[ItemLabel]:
    """The same ratings as labels, some seconds apart."""
    return [
        ItemLabel(one.member.name, str(one.item), one.value, START + timedelta(seconds=seconds * i))
        for i, one in enumerate(said)
    ]
