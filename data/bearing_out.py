"""Who is borne out by others: whose ratings people outside their own company confirm. Pure functions.

Anybody can open accounts, rate questions that nobody else sees, and agree with themselves. So a rating is confirmed
only by certain people, on an item that both rated:

- Two raters are linked when they agree on more items than chance explains. Linked raters are a circle. A
  circle may bear out its members when it holds more than half of all heads: its members, and people who rated too
  little to be linked but say the same as the circle. A ring of accounts among a majority of honest people does not.
- People for whom an operator vouches bear out whoever agrees with them.
- Raters who mostly rate the same items do not confirm each other: they may be one person. This does not hold for
  company that is itself more than half of all heads, as in a group that rates everything.
- One person confirms at most `_EACH` ratings of another, unless an operator vouches for that person. So a ring whose
  accounts each agree with some honest people gains a few rows for each account, however many questions it rates.
"""

from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from data.company import ENOUGH, OTHERS, active_raters
from data.labels import Flags, Ints, Labels, Signs, Square

_COMPANY = 0.5  # raters do not confirm each other if this share of the items of either are items of both
_EACH = 3  # how many ratings of somebody one other person confirms at most
_LINKED = 2  # the shared items that a link between two raters needs ...
_SURE = 1.0  # ... and the standard errors by which they agree on more of them than chance explains
_PASSES = 3
_EVEN = 1e-6  # a smaller lead is rounding
_RELIABLE = 0.5  # a rater with a smaller weight is not borne out


def confirmed(
    labels: Labels, weights: Signs, heads: Collection[str], vouched: Collection[str] = ()
) -> dict[str, int]:
    """For each rater who is borne out: how many of their ratings are confirmed, less those that are contradicted.

    `weights` are the raters' reliability, by their numbers, `heads` all people who rated in any way. Somebody is
    borne out by at least `ENOUGH` confirmed ratings of `OTHERS` different people, or of one person for whom an
    operator vouches.
    """
    labels = labels.with_at_least(2)
    raters = active_raters(labels)
    if not len(raters):
        return {}
    names = [labels.names[rater] for rater in raters]
    trusted = np.array([name in vouched for name in names])
    square = Square.of(labels, raters)
    net, shared = square.agreement()
    circle = _majority(labels, raters, net, shared, heads)
    apart = _apart(shared, len(heads)) | trusted[None, :]
    np.fill_diagonal(apart, False)
    voice = weights[raters].astype(np.float32)
    most = np.where(trusted, np.inf, _EACH).astype(np.float32)[None, :]
    found = np.zeros(len(raters), dtype=np.int64)
    for _ in range(_PASSES):
        # Whom the others contradict does not speak for them.
        heard = apart & (trusted | (circle & (found >= 0)))[None, :]
        found = _confirmed(square, heard, voice, most)
    agreeing = heard & (net > 0)
    known = (agreeing.sum(axis=1) >= OTHERS) | agreeing[:, trusted].any(axis=1)
    borne_out = (found >= ENOUGH) & known & (voice >= _RELIABLE)
    return {names[at]: int(found[at]) for at in np.flatnonzero(borne_out)}


def _apart(shared: Signs, heads: int) -> Flags:
    """For each two raters, whether the second is outside the first one's company.

    Company is measured by the share of the items of either that both rated. That does not depend on what others rate,
    so a flood of other items does not make honest people look like company.
    """
    rated = np.diag(shared)
    company = shared > _COMPANY * np.maximum(1, rated[:, None] + rated[None, :] - shared)
    company[2 * company.sum(axis=1) > heads] = False
    apart: Flags = ~company
    return apart


def _majority(labels: Labels, raters: Ints, net: Signs, shared: Signs, heads: Collection[str]) -> Flags:
    """Who belongs to the circle that holds more than half of all heads; nobody, when there is no such circle."""
    linked = (shared >= _LINKED) & (net > 0) & (net**2 >= _SURE**2 * shared)
    np.fill_diagonal(linked, False)
    elsewhere = set(raters[linked.any(axis=1)].tolist())
    largest: Flags = max(_circles(linked), key=np.sum, default=np.zeros(len(raters), dtype=bool))
    members = raters[largest]
    held = set(members.tolist()) | (_who_say_the_same(labels, members) - elsewhere)
    return largest if 2 * len(held) > len(heads) else np.zeros(len(raters), dtype=bool)


def _circles(linked: Flags) -> Iterable[Flags]:
    """The connected parts, of at least two raters each."""
    left = linked.any(axis=1)
    while left.any():
        circle = np.zeros(len(linked), dtype=bool)
        edge = np.zeros(len(linked), dtype=bool)
        edge[np.argmax(left)] = True
        while edge.any():
            circle |= edge
            edge = linked[edge].any(axis=0) & ~circle
        left &= ~circle
        yield circle


def _who_say_the_same(labels: Labels, members: Ints) -> set[int]:
    """The other raters who agree with the majority of a circle's members more often than not."""
    member = np.zeros(len(labels.names), dtype=bool)
    member[members] = True
    sign = labels.signs()
    lead = labels.by_item(np.where(member[labels.rater], sign, 0.0))
    said = lead[labels.item]
    score = labels.by_rater(np.sign(said) * sign)
    return set(np.flatnonzero(score > 0).tolist())


def _confirmed(square: Square, heard: Flags, voice: Signs, most: Signs) -> NDArray[np.int64]:
    """For each rater: the ratings that the majority of those who are heard confirms, less those that it contradicts.

    Each such rating is divided among the people of that majority, and of one person no more than `most` count.
    """
    credit = np.zeros((square.raters, square.raters), dtype=np.float32)
    weight = heard.astype(np.float32) * voice[None, :]
    _credit_pairs(square, heard, weight, credit)
    for block in square.columns():
        others = weight @ block
        others[np.abs(others) < _EVEN] = 0
        for side in (1.0, -1.0):
            on_it = (block == side).astype(np.float32)
            decided = np.where(np.sign(others) == side, block * side, 0.0)
            credit += (decided / np.maximum(1, heard.astype(np.float32) @ on_it)) @ on_it.T
    found: NDArray[np.int64] = np.rint((np.clip(credit, -most, most) * heard).sum(axis=1)).astype(np.int64)
    return found


def _credit_pairs(square: Square, heard: Flags, weight: Signs, credit: Signs) -> None:
    """Add what the items tell that few people rated."""
    place, _, sign = square.few
    for one, other in square.pairs():
        mine, theirs = place[one], place[other]
        others = np.bincount(one, weight[mine, theirs] * sign[other], minlength=len(place))
        side = np.where(np.abs(others) < _EVEN, 0.0, np.sign(others))  # what the majority says, by entry
        on_it = (sign[other] == side[one]) & heard[mine, theirs]
        mates = np.maximum(1, np.bincount(one, on_it, minlength=len(place)))
        decided = sign * side / mates
        credit += square.summed((mine * square.raters + theirs)[on_it], decided[one[on_it]])
