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

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping

from data.answers import AnswerInContext
from data.candidates import NO_CONSENT
from data.current_ratings import RatingEvent
from data.raters import Panel
from data.weighed_ratings import WeighedRatings


class Refused:
    """The answers that are never a target."""

    def __init__(self, ratings: WeighedRatings) -> None:
        self._prompts = {number: _prompt(answer) for number, answer in ratings.answers.items()}
        self._answers = ratings.answers
        self._refused = {
            *self._corrected(ratings),
            *self._reported(ratings),
            *self._voted_down(ratings),
            *self._lost(ratings),
        }

    def has(self, generation: int, text: str | None = None) -> bool:
        """Whether an answer is never a target; with `text`, whether this other reply to its prompt never is."""
        return self._name(generation, text) in self._refused

    def _name(self, generation: int, text: str | None = None) -> str:
        if text is None:
            text = self._answers[generation].text
        said = f"#{generation}" if text is None else " ".join(text.split())
        return f"{self._prompts[generation]}:{said}"

    def _corrected(self, ratings: WeighedRatings) -> set[str]:
        found = set()
        for event in _of_kind(ratings, "correction"):
            name = self._name(event.rating.generation_id)
            written = event.text.text if event.text else None
            other = written is not None and self._name(event.rating.generation_id, written) != name
            if other and ratings.panel.weight(event.rater) > 0 and ratings.problem(event) is None:
                found.add(name)
        return found

    def _reported(self, ratings: WeighedRatings) -> set[str]:
        return {
            self._name(event.rating.generation_id)
            for event in _of_kind(ratings, "report")
            if ratings.panel.weight(event.rater) > 0 and ratings.problem(event) in (None, NO_CONSENT)
        }

    def _voted_down(self, ratings: WeighedRatings) -> set[str]:
        votes: dict[str, dict[str, bool]] = defaultdict(dict)  # answer -> rater -> their newest vote
        for event in _of_kind(ratings, "vote"):
            if ratings.problem(event) is None:
                votes[self._name(event.rating.generation_id)][event.rater] = event.rating.value == "up"
        return {name for name, cast in votes.items() if _against(ratings.panel, cast)}

    def _lost(self, ratings: WeighedRatings) -> set[str]:
        # answer -> rater and the answer it was compared with -> whether it won; the newest verdict on a pair counts
        verdicts: dict[str, dict[tuple[str, str], bool]] = defaultdict(dict)
        for event in _of_kind(ratings, "comparison"):
            one, other = event.targets
            names = self._name(one), self._name(other)
            if len(set(names)) < 2 or self._prompts[one] != self._prompts[other] or ratings.problem(event):
                continue
            for mine, against in (names, names[::-1]):
                verdicts[mine].pop((event.rater, against), None)
                if event.preferred is not None:
                    verdicts[mine][event.rater, against] = self._name(event.preferred) == mine
        return {
            name
            for name, found in verdicts.items()
            if _outweighed(
                sum(ratings.panel.weight(rater) for (rater, _), won in found.items() if won),
                sum(ratings.panel.weight(rater) for (rater, _), won in found.items() if not won),
            )
        }


def _of_kind(ratings: WeighedRatings, kind: str) -> list[RatingEvent]:
    return [event for event in ratings.events if event.rating.kind == kind]


def _against(panel: Panel, cast: Mapping[str, bool]) -> bool:
    up = sum(panel.weight(rater) for rater, good in cast.items() if good)
    return _outweighed(up, sum(panel.weight(rater) for rater, good in cast.items() if not good))


def _outweighed(good: float, bad: float) -> bool:
    return bad > 0 and bad >= good


def _prompt(answer: AnswerInContext) -> str:
    # The messages, not `rendered_sha256`: another base's template renders the same prompt differently.
    return hashlib.sha256(json.dumps(answer.prompt(), ensure_ascii=False).encode()).hexdigest()
