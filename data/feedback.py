"""What people teach: the rows that corrections, comparisons, votes, questions and follow-ups may become.

Votes and comparisons are counted by their raters' weights (see `data.raters`): a brigade that votes upside down does
not decide a label where people who agree with each other outweigh it. Only a row's last turn is learnt, and never an
answer that `data.targets` refuses; earlier answers in a prompt are context.

Everything here is decided on numbers; `data.spelling` reads the texts of the rows afterwards.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from data.candidates import NO_CONSENT, OTHER_PROMPT, REFUSED, VOIDED
from data.events import COMPARISON, CORRECTION, UP, VOTE, Events
from data.events import PROBLEMS as RATING_PROBLEMS
from data.facts import PROBLEMS, Facts, Numbers
from data.followup_events import PROBLEMS as FOLLOWUP_PROBLEMS
from data.followup_events import Followups
from data.hindsight_events import PROBLEMS as HINDSIGHT_PROBLEMS
from data.hindsight_events import Hindsight
from data.known import Known
from data.labels import ends
from data.raters import Panel
from data.targets import Refused
from data.weights import WEAK, Support, both, support

_NOBODY: Mapping[str, float] = MappingProxyType({})


class Plan(NamedTuple):
    """A row without its texts: of which answers (places in the facts) it is made, and of which correction.

    Of a preference the first answer is the chosen one, unless a correction is; the prompt is that of the last one.
    `problem` comes before the problem that both texts are the same, `later` after it.
    """

    kind: str
    answers: tuple[int, ...]
    problem: str | None
    later: str | None = None
    raters: Collection[str] = ()
    weight: float = 1.0
    backing: Mapping[str, float] = _NOBODY
    correction: int | None = None  # the event
    label: bool | None = None
    tie: bool = False
    outside: bool = False
    weak: bool = False  # made of follow-up messages
    disputed: bool = False  # people who count said the opposite, or neither


class Feedback:
    """All answers, current ratings and follow-ups, and what follows from them."""

    def __init__(
        self,
        facts: Facts,
        events: Events,
        panel: Panel,
        known: Known,
        followups: Followups,
        hindsight: Hindsight,
    ) -> None:
        self.facts, self.events, self.panel, self.known = facts, events, panel, known
        self.followups, self.hindsight = followups, hindsight
        self._names = {person: known.names[person] for person in np.unique(events.rater).tolist()}
        weight = {person: panel.weight(name) for person, name in self._names.items()}
        people, place = np.unique(events.rater, return_inverse=True)
        weights = np.array([weight[person] for person in people.tolist()], dtype=np.float64)[place]
        self._refused = Refused(facts, events, weights)
        # One number at a time is read from a view in half of the time that an array takes.
        self._weights, self._rater = weights.data, events.rater.data
        self._problems, self._values = events.problem.data, events.value.data
        self._answer_problems = facts.problem.data

    def plans(self) -> Iterator[Plan]:
        """The rows that ratings, questions and follow-ups may become."""
        yield from self._corrections()
        yield from self._comparisons()
        yield from self._votes()
        yield from self._prompts()
        yield from self._followed()

    def _name(self, event: int) -> str:
        return self._names[self._rater[event]]

    def _all(self, events: Iterable[int]) -> list[str]:
        return [self._name(event) for event in events]

    def _problem(self, event: int) -> str | None:
        return RATING_PROBLEMS[self._problems[event]]

    def _of_answer(self, answer: int) -> str | None:
        return PROBLEMS[self._answer_problems[answer]]

    def _plan(
        self,
        kind: str,
        answers: tuple[int, ...],
        problem: str | None,
        events: Sequence[int],
        found: Support,
        *,
        later: str | None = None,
        correction: int | None = None,
        label: bool | None = None,
        tie: bool = False,
    ) -> Plan:
        outside = all(self.facts.outside[answer] for answer in answers)
        return Plan(
            kind=kind,
            answers=answers,
            problem=problem,
            later=later or found.problem,
            raters=tuple(sorted(set(self._all(events)))),
            weight=found.weight,
            backing=found.backing,
            correction=correction,
            label=label,
            tie=tie,
            outside=outside and all(self.events.lets_outside(event, self.known) for event in events),
            disputed=found.disputed,
        )

    def _prompts(self) -> Iterator[Plan]:
        voided = np.isin(self.facts.asker, list(self.known.voided)) & (self.facts.asker >= 0)
        usable = (self.facts.unfinished == 0) & ~voided
        places = np.arange(len(usable))
        order = np.lexsort((places, ~usable, self.facts.rendered))
        ordered = self.facts.rendered[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = ordered[1:] != ordered[:-1]
        # Somebody else may have asked the same and consents; the order is that of who asked first.
        chosen = order[new]
        first = np.minimum.reduceat(places[order], np.flatnonzero(new)) if len(order) else places
        for answer in chosen[np.argsort(first)].tolist():
            asker = int(self.facts.asker[answer])
            problem = PROBLEMS[self.facts.unfinished[answer]] or (VOIDED if voided[answer] else None)
            backing = {} if asker < 0 else {self.known.names[asker]: 1.0}
            yield Plan("prompt", (answer,), problem, backing=backing, outside=bool(self.facts.outside[answer]))

    def _corrections(self) -> Iterator[Plan]:
        corrections = self.events.of(CORRECTION)
        corrections = corrections[self.events.written[corrections] != 0]
        refused = self._refused.says(corrections).tolist()
        for event, never in zip(corrections.tolist(), refused, strict=True):
            answer = int(self.events.answer[event])
            mine, later = self._problem(event), REFUSED if never else None
            found = support(self.panel, [self._name(event)])
            more = {"later": later, "correction": event}
            unfinished = PROBLEMS[self.facts.unfinished[answer]]
            yield self._plan("demonstration", (answer,), mine or unfinished, [event], found, **more)
            yield self._plan("preference", (answer,), mine or self._of_answer(answer), [event], found, **more)

    def _comparisons(self) -> Iterator[Plan]:
        events = self.events.of(COMPARISON)
        events = events[self.events.other[events] >= 0]
        same, preferred = self.facts.same, self.events.preferred
        one, other = same[self.events.answer[events]], same[self.events.other[events]]
        low, high = np.minimum(one, other), np.maximum(one, other)
        best = np.where(preferred[events] >= 0, same[preferred[events]], -1)
        members, start, end = self._newest(events, low, high)
        for at, event in enumerate(events.tolist()):
            others = members[start[at] : end[at]].tolist()
            yield self._compared(event, int(low[at]), int(high[at]), int(best[at]), others, best, events)

    def _newest(self, events: Numbers, low: Numbers, high: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Each rater's newest comparison of each pair that counts, as places in `events`; and from where to where
        those of each event's pair are."""
        _, pair = np.unique(np.stack([low, high]), axis=1, return_inverse=True)
        fine = np.flatnonzero(self.events.problem[events] == 0)
        _, rater = np.unique(self.events.rater[events], return_inverse=True)
        first, last = ends(pair[fine] * (len(events) + 1) + rater[fine])
        order = np.lexsort((first, pair[fine[first]]))
        members = fine[last[order]]
        found = pair[members]
        return members, np.searchsorted(found, pair, "left"), np.searchsorted(found, pair, "right")

    def _compared(
        self, event: int, first: int, second: int, best: int, others: list[int], bests: Numbers, events: Numbers
    ) -> Plan:
        """The row of one comparison; in a tie, the earlier answer comes first: both orders make the same row."""
        better, worse = (second, first) if best == second else (first, second)
        problem = self._problem(event) or self._of_answer(better) or self._of_answer(worse)
        if self.facts.prompt[first] != self.facts.prompt[second]:
            problem = problem or OTHER_PROMPT  # only answers to the same prompt form a pair
        by_preferred: dict[int, list[int]] = defaultdict(list)
        for other in others:
            by_preferred[int(bests[other])].append(int(events[other]))
        for_it, against = by_preferred[better], by_preferred[worse]
        tie = best < 0
        if tie:
            for_it, against = by_preferred[-1], max(for_it, against, key=self._weight)
        undecided = [] if tie else by_preferred[-1]
        refused = REFUSED if not tie and self._refused.answers[better] else None
        found = support(self.panel, self._all(for_it), self._all(against), self._all(undecided))
        # The row names every rater who counts and agrees, whoever came first; raters who do not count are not named.
        return self._plan(
            "preference", (better, worse), problem, for_it, found, later=found.problem or refused, tie=tie
        )

    def _votes(self) -> Iterator[Plan]:
        events = self.events.of(VOTE)
        same = self.facts.same[self.events.answer[events]]
        for prompt in _grouped(self.facts.rendered[same]):
            group: dict[int, list[int]] = {}
            for at in prompt:
                group.setdefault(int(same[at]), []).append(int(events[at]))
            yield from self._siblings([self._voted(answer, cast) for answer, cast in group.items()])

    def _voted(self, answer: int, cast: list[int]) -> "_Voted":
        allowed = [event for event in cast if self._problems[event] == 0]
        allowed = list({self._rater[event]: event for event in allowed}.values())
        up = [event for event in allowed if self._values[event] == UP]
        down = [event for event in allowed if self._values[event] != UP]
        label = self._weight(up) > self._weight(down)
        most, least = (up, down) if label else (down, up)
        found = support(self.panel, self._all(most), self._all(least))
        problem = self._of_answer(answer)
        if not allowed:
            problem = problem or next(filter(None, map(self._problem, cast)), NO_CONSENT)
        problem = problem or found.problem
        if label and self._refused.answers[answer]:
            problem = problem or REFUSED
        return _Voted(answer, label, found, problem, allowed)

    def _siblings(self, group: list["_Voted"]) -> Iterator[Plan]:
        """The rows of the answers to one prompt that people voted on."""
        good = [each for each in group if each.problem is None and each.label]
        bad = [each for each in group if each.problem is None and not each.label]
        # As many pairs as the longer side has answers, each answer with one of the other side: every answer is used,
        # and ten clicks do not make twenty-five pairs.
        pairs = max(len(good), len(bad)) if good and bad else 0
        for up, down in ((good[i % len(good)], bad[i % len(bad)]) for i in range(pairs)):
            found = both(up.support, down.support)
            yield self._plan("preference", (up.answer, down.answer), None, [*up.events, *down.events], found)
        for each in group:
            if pairs and each.problem is None:
                continue  # the pairs hold this vote already
            yield self._plan("labelled", (each.answer,), each.problem, each.events, each.support, label=each.label)

    def _followed(self) -> Iterator[Plan]:
        """The rows of low weight that follow-ups may become: one for each answer, in which a person's newest counts,
        and one for each complaint that the answer after it mends."""
        found, mended = self.followups, self.hindsight.places()
        for group in _grouped(self.facts.same[found.answer]):
            allowed = [at for at in group if found.problem[at] == 0]
            newest = list(
                {int(found.rater[at]): at for at in sorted(allowed, key=lambda at: int(found.at[at]))}.values()
            )
            good = [at for at in newest if found.good[at]]
            bad = [at for at in newest if not found.good[at]]
            label = found.certainty[good].sum() > found.certainty[bad].sum()
            most, least = (good, bad) if label else (bad, good)
            answer = int(self.facts.same[found.answer[group[0]]])
            problem = self._of_answer(answer)
            if not allowed:
                problem = problem or FOLLOWUP_PROBLEMS[int(found.problem[group[0]])]
            backed = support(self.panel, self._people(most), self._people(least))
            problem = problem or backed.problem or (REFUSED if label and self._refused.answers[answer] else None)
            weight = backed.weight * WEAK * float(found.certainty[most].max(initial=0.0))
            raters = tuple(sorted(set(self._people(newest))))
            yield Plan(
                kind="labelled",
                answers=(answer,),
                problem=problem,
                raters=raters,
                weight=weight,
                backing=backed.backing,
                label=bool(label),
                weak=True,
                disputed=backed.disputed,
            )
            if problem is None:
                yield from (self._mended(at, mended[at], least) for at in most if at in mended)

    def _mended(self, complaint: int, at: int, against: Sequence[int]) -> Plan:
        """The answer after a complaint over the one before it; `against` are follow-ups that praise the latter."""
        worse, better = int(self.followups.answer[complaint]), int(self.hindsight.better[at])
        backed = support(self.panel, self._people([complaint]), self._people(against))
        never = self._refused.answers[better] or self._refused.texts(np.array([worse]), np.array([better]))[0]
        problem = self._of_answer(better) or HINDSIGHT_PROBLEMS[int(self.hindsight.problem[at])]
        share = float(self.hindsight.share[at] * self.followups.certainty[complaint])
        return Plan(
            kind="preference",
            answers=(better, worse),
            problem=problem or backed.problem or (REFUSED if never else None),
            raters=tuple(self._people([complaint])),
            weight=backed.weight * WEAK * share,
            backing=backed.backing,
            weak=True,
            disputed=backed.disputed,
        )

    def _people(self, followups: Iterable[int]) -> list[str]:
        return [self.known.names[int(self.followups.rater[at])] for at in followups]

    def _weight(self, events: Iterable[int]) -> float:
        return sum([self._weights[event] for event in events])


@dataclass(frozen=True, slots=True)
class _Voted:
    """An answer with what its votes say: the label, who supports it, and the votes that count."""

    answer: int
    label: bool
    support: Support
    problem: str | None
    events: list[int]


def _grouped(*columns: Numbers) -> Iterator[list[int]]:
    """The places with the same values, in the order in which these values appear first."""
    if not len(columns[0]):
        return
    places = np.arange(len(columns[0]))
    order = np.lexsort((places, *columns))
    new = np.zeros(len(order), dtype=bool)
    new[0] = True
    for column in columns:
        new[1:] |= column[order[1:]] != column[order[:-1]]
    starts = np.flatnonzero(new)
    after = np.append(starts[1:], len(order))
    for at in np.argsort(order[starts], kind="stable").tolist():
        yield order[starts[at] : after[at]].tolist()
