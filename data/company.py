"""Who rates the same items as whom, beyond chance: copies of a rater add nothing to what that rater says."""

import math

import numpy as np

from data.labels import Ints, Labels, Signs, Square

ENOUGH = 5  # the shared answers of one rater before anything is said about that rater
OTHERS = 3  # the different people that a rater is compared with

_PAIRED = 3000  # with more active raters than this, only the most active ones are compared with each other


def active_raters(labels: Labels) -> Ints:
    """The raters with at least `ENOUGH` ratings, in the order of their names; of very many, the most active ones."""
    count = labels.ratings()
    active = np.flatnonzero(count >= ENOUGH).tolist()
    busiest = sorted(active, key=lambda rater: (-count[rater], labels.names[rater]))[:_PAIRED]
    return np.array(sorted(busiest, key=lambda rater: labels.names[rater]), dtype=np.int64)


def company(labels: Labels) -> tuple[Ints, Signs]:
    """The active raters, and how far each two go together: 0 for by chance, 1 for always.

    It is the phi coefficient of who rated what, since two regulars who rate nearly everything share many items
    without following each other. Items of only one rater say nothing about that; a flood of them would make everybody
    else look like one group.
    """
    labels = labels.with_at_least(2)
    active, items = active_raters(labels), labels.items
    _, both = Square.of(labels, active).agreement()
    mine = np.diag(both)
    spread = np.sqrt(mine * (items - mine))
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = (items * both - np.outer(mine, mine)) / np.outer(spread, spread)
    # A rater of everything follows nobody; their phi is not a number.
    phi = np.clip(np.nan_to_num(phi, nan=0.0, posinf=0.0, neginf=0.0), 0, 1)
    phi[phi < 2 / math.sqrt(max(1, items))] = 0  # two standard errors of phi when nobody follows anybody
    np.fill_diagonal(phi, 1)
    return active, phi.astype(np.float32)
