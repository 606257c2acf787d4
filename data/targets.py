"""Which answers are never learnt: those that people corrected, voted down, reported, or found worse than another.

| what people did to it | when it stops being a target                                                |
|-----------------------|-----------------------------------------------------------------------------|
| correction            | always, if the person's ratings count                                       |
| report                | always, even without consent: it only keeps an answer out (quotas apply)    |
| votes                 | when the thumbs down weigh as much as the thumbs up, or more                |
| comparisons           | when the ones that it lost weigh as much as the ones that it won, or more   |

The same text in reply to the same prompt is one answer, however often it was generated and whoever wrote it: a
correction that is word for word such an answer is not a target either. Two different corrections of one answer both
are. A tie and "both bad" say nothing about one of the two.
"""

import numpy as np
from numpy.typing import NDArray

from data.candidates import NO_CONSENT
from data.events import COMPARISON, CORRECTION, PROBLEMS, REPORT, UP, VOTE, Events
from data.facts import Facts, Numbers
from data.labels import ends

Weights = NDArray[np.float64]


class Refused:
    """The answers that are never a target. `weights` are those of the raters, by event.

    An answer's name is a number made of its messages and its text: another base's template renders the same prompt
    differently, so `Facts.rendered` would not do.
    """

    def __init__(self, facts: Facts, events: Events, weights: Weights) -> None:
        self._facts, self._events, self._weights = facts, events, weights
        # An erased answer is like no other.
        text = np.where(facts.erased, facts.generation, facts.text)
        self._answers = _named(facts.prompt, text) + facts.erased
        self._fine = events.problem == 0
        found = [self._corrected(), self._reported(), self._voted_down(), self._lost()]
        self._refused = np.unique(np.concatenate(found))
        self.answers = np.isin(self._answers, self._refused)  # by place in the facts

    def says(self, events: Numbers) -> NDArray[np.bool_]:
        """Whether the texts of these corrections are never a target."""
        return np.isin(self._written(events), self._refused)

    def texts(self, prompts: Numbers, texts: Numbers) -> NDArray[np.bool_]:
        """Whether the texts of some answers are never a target in reply to the prompts of others, by their places."""
        return np.isin(_named(self._facts.prompt[prompts], self._facts.text[texts]), self._refused)

    def _written(self, events: Numbers) -> Numbers:
        """The names of the answers that corrections write."""
        return _named(self._facts.prompt[self._events.answer[events]], self._events.text[events])

    def _name(self, events: Numbers) -> Numbers:
        return self._answers[self._events.answer[events]]

    def _corrected(self) -> Numbers:
        events = self._events.of(CORRECTION)
        other = (self._events.written[events] != 0) & (self._written(events) != self._name(events))
        return self._name(events[other & self._fine[events] & (self._weights[events] > 0)])

    def _reported(self) -> Numbers:
        events = self._events.of(REPORT)
        counts = self._fine | (self._events.problem == PROBLEMS.index(NO_CONSENT))
        return self._name(events[counts[events] & (self._weights[events] > 0)])

    def _voted_down(self) -> Numbers:
        events = self._events.of(VOTE)
        events = events[self._fine[events]]
        first, last = ends(_keys(self._name(events), self._events.rater[events]))
        order = np.argsort(first)
        newest = events[last[order]]
        return _outweighed(self._name(newest), self._weights[newest], self._events.value[newest] == UP)

    def _lost(self) -> Numbers:
        events = self._events.of(COMPARISON)
        events = events[self._fine[events] & (self._events.other[events] >= 0)]
        one, other = self._events.answer[events], self._events.other[events]
        names, others = self._answers[one], self._answers[other]
        real = (names != others) & (self._facts.prompt[one] == self._facts.prompt[other])
        events, names, others = events[real], names[real], others[real]
        preferred = self._events.preferred[events]
        # Of each rater the newest verdict on a pair counts.
        mine, against = np.concatenate([names, others]), np.concatenate([others, names])
        twice = np.concatenate([events, events])
        order = np.argsort(twice, kind="stable")
        _, last = ends(_keys(mine[order], against[order], self._events.rater[twice[order]]))
        last = np.sort(last)
        mine, twice = mine[order[last]], twice[order[last]]
        best = np.concatenate([preferred, preferred])[order[last]]
        decided = best >= 0
        won = self._answers[best] == mine
        return _outweighed(mine[decided], self._weights[twice[decided]], won[decided])


def _named(prompt: Numbers, text: Numbers) -> Numbers:
    """A number for an answer to a prompt."""
    with np.errstate(over="ignore"):
        return (prompt * np.int64(-7046029254386353131)) ^ (text * np.int64(-4417276706812531889))


def _keys(*columns: Numbers) -> Numbers:
    """A number for each different combination of values."""
    found = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _, numbers = np.unique(column, return_inverse=True)
        found = np.unique(found * (len(column) + 1) + numbers, return_inverse=True)[1].astype(np.int64)
    return found


def _outweighed(names: Numbers, weights: Weights, good: NDArray[np.bool_]) -> Numbers:
    """The answers with at least as much weight of ratings against them as for them."""
    found, place = np.unique(names, return_inverse=True)
    up = np.bincount(place, weights * good, minlength=len(found))
    down = np.bincount(place, weights * ~good, minlength=len(found))
    return found[(down > 0) & (down >= up)]
