"""Who rates the same items as whom, beyond chance: copies of a rater add nothing to what that rater says."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

ENOUGH = 5  # the shared answers of one rater before anything is said about that rater
OTHERS = 3  # the different people that a rater is compared with

_PAIRED = 3000  # with more active raters than this, only the most active ones are compared with each other
_BLOCK = 2000  # items at a time

Labels = Mapping[str, Mapping[str, bool]]  # item -> rater -> their label of it
Signs = NDArray[np.float32]


def active_raters(labels: Labels) -> list[str]:
    """The raters with at least `ENOUGH` ratings, sorted; of very many, the most active ones."""
    count = Counter(rater for said in labels.values() for rater in said)
    active = [rater for rater, number in count.items() if number >= ENOUGH]
    return sorted(sorted(active, key=lambda rater: (-count[rater], rater))[:_PAIRED])


def blocks(labels: Labels, raters: Sequence[str]) -> Iterator[Signs]:
    """The labels as matrices (raters, items), some items at a time: 1 for yes, -1 for no, 0 for not rated."""
    place = {rater: at for at, rater in enumerate(raters)}
    items = list(labels.values())
    for start in range(0, len(items), _BLOCK):
        block = np.zeros((len(raters), len(items[start : start + _BLOCK])), dtype=np.float32)
        for column, said in enumerate(items[start : start + _BLOCK]):
            for rater, value in said.items():
                if rater in place:
                    block[place[rater], column] = 1 if value else -1
        yield block


def company(labels: Labels) -> tuple[list[str], Signs]:
    """The active raters, and how far each two go together: 0 for by chance, 1 for always.

    It is the phi coefficient of who rated what, since two regulars who rate nearly everything share many items
    without following each other. Items of only one rater say nothing about that; a flood of them would make everybody
    else look like one group.
    """
    labels = {item: said for item, said in labels.items() if len(said) > 1}
    active = active_raters(labels)
    both = np.zeros((len(active), len(active)), dtype=np.float32)
    for block in blocks(labels, active):
        rated = np.abs(block)
        both += rated @ rated.T
    mine = np.diag(both)
    spread = np.sqrt(mine * (len(labels) - mine))
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = (len(labels) * both - np.outer(mine, mine)) / np.outer(spread, spread)
    # A rater of everything follows nobody; their phi is not a number.
    phi = np.clip(np.nan_to_num(phi, nan=0.0, posinf=0.0, neginf=0.0), 0, 1)
    phi[phi < 2 / math.sqrt(max(1, len(labels)))] = 0  # two standard errors of phi when nobody follows anybody
    np.fill_diagonal(phi, 1)
    return active, phi.astype(np.float32)
