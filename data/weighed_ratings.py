"""People's ratings as opinions on texts: what `data.raters` weighs them by."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import Answer, load_answers
from data.candidates import SELF_VOTE
from data.consent import Cover, consents_since
from data.current_ratings import Rated, load_ratings, standing
from data.raters import Event, Panel, weigh


@dataclass(frozen=True, slots=True)
class Opinions:
    """All that was answered and all that holds of its ratings, with the weights of those who rated."""

    answers: Mapping[int, Answer]  # by the generation's number
    events: Sequence[Rated]
    since: Mapping[int, Cover]  # person -> when they let their words train
    own_words: frozenset[int]  # the ratings by which people vote for their own words
    panel: Panel

    def problem(self, event: Rated) -> str | None:
        """Why a rating is not counted: its rater did not agree, or it is for their own words."""
        return event.problem(self.since) or (SELF_VOTE if event.rating.id in self.own_words else None)


async def load_opinions(session: AsyncSession) -> Opinions:
    """Read the answers and the ratings, and weigh the raters who agreed."""
    answers, since = await load_answers(session), await consents_since(session)
    events = standing(await load_ratings(session))
    own = self_votes(events, answers)
    counted = [event for event in events if event.problem(since) is None and event.rating.id not in own]
    return Opinions(answers, events, since, own, panel_of(counted, answers))


def panel_of(events: Iterable[Rated], answers: Mapping[int, Answer]) -> Panel:
    """Weigh the raters by their votes and comparisons. Ties say nothing about who tells good from bad.

    The same text answered to the same prompt is one item, however often it was generated: who rates it ten times has
    said one thing.
    """
    return weigh(opinion for event in events if (opinion := _opinion(event, answers)) is not None)


def self_votes(events: Sequence[Rated], answers: Mapping[int, Answer]) -> frozenset[int]:
    """The numbers of ratings by which people judge their own words.

    Rating the answers to one's own questions is what everybody does. A self-vote is a vote on, or a preference for,
    an answer that says word for word what the rater once wrote as a correction: it was said by the correction.
    """
    written: dict[int, set[str]] = defaultdict(set)
    for event in events:
        if event.rating.kind == "correction" and event.text is not None and event.text.text:
            text = _plain(event.text.text)
            if text != _plain(answers[event.rating.generation_id].text or ""):
                written[event.rating.rater_id].add(text)
    found = set()
    for event in events:
        judged = event.rating.generation_id if event.rating.kind == "vote" else event.preferred
        if judged is not None and _plain(answers[judged].text or "") in written[event.rating.rater_id]:
            found.add(event.rating.id)
    return frozenset(found)


def _opinion(event: Rated, answers: Mapping[int, Answer]) -> Event | None:
    names = [_item(answers[target]) for target in event.targets]
    if event.rating.kind == "vote":
        return Event(event.rater, names[0], event.rating.value == "up", event.rating.created_at)
    if event.preferred is None or len(set(names)) < 2:
        return None
    first = min(names)  # an order that does not follow from which one was shown first
    better = names[event.targets.index(event.preferred)]
    return Event(event.rater, "\n".join(sorted(names)), better == first, event.rating.created_at)


def _item(answer: Answer) -> str:
    text = f"#{answer.generation.id}" if answer.text is None else _plain(answer.text)
    # A hash, because its order among others is as good as drawn by lot.
    return hashlib.sha256(f"{answer.generation.rendered_sha256}:{text}".encode()).hexdigest()


def _plain(text: str) -> str:
    return " ".join(text.split())
