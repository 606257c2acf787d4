"""The current ratings with their raters' weights: ratings become labels of texts, and `data.raters` weighs them."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import AnswerInContext, load_answers
from data.candidates import SELF_VOTE
from data.consent import Cover, consents_since
from data.current_ratings import RatingEvent, current_ratings, load_ratings
from data.raters import ItemLabel, Panel, weigh


@dataclass(frozen=True, slots=True)
class WeighedRatings:
    """All answers and all current ratings of them, with the weights of the raters."""

    answers: Mapping[int, AnswerInContext]  # by the generation's number
    events: Sequence[RatingEvent]
    since: Mapping[int, Cover]  # person -> when their words are covered for training
    self_votes: frozenset[int]  # the ratings by which people vote for their own texts
    panel: Panel

    def problem(self, event: RatingEvent) -> str | None:
        """Why a rating does not count: its rater did not agree, or it is for their own text. None when it counts."""
        return event.problem(self.since) or (SELF_VOTE if event.rating.id in self.self_votes else None)


async def load_weighed_ratings(session: AsyncSession) -> WeighedRatings:
    """Read the answers and the ratings, and weigh the raters who agreed to training."""
    answers, since = await load_answers(session), await consents_since(session)
    events = current_ratings(await load_ratings(session))
    own = self_votes(events, answers)
    counted = [event for event in events if event.problem(since) is None and event.rating.id not in own]
    return WeighedRatings(answers, events, since, own, panel_of(counted, answers))


def panel_of(events: Iterable[RatingEvent], answers: Mapping[int, AnswerInContext]) -> Panel:
    """Weigh the raters by their votes and comparisons. Ties do not show who tells good from bad.

    The same text answered to the same prompt is one item, however often it was generated and rated.
    """
    return weigh(label for event in events if (label := _label(event, answers)) is not None)


def self_votes(events: Sequence[RatingEvent], answers: Mapping[int, AnswerInContext]) -> frozenset[int]:
    """The numbers of the ratings by which people rate their own texts.

    Everybody rates the answers to their own questions. A self-vote is a vote on, or a preference for, an answer that
    is word for word a correction by the same rater: the correction has said it already.
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


def _label(event: RatingEvent, answers: Mapping[int, AnswerInContext]) -> ItemLabel | None:
    names = [_item(answers[target]) for target in event.targets]
    if event.rating.kind == "vote":
        return ItemLabel(event.rater, names[0], event.rating.value == "up", event.rating.created_at)
    if event.preferred is None or len(set(names)) < 2:
        return None
    first = min(names)  # an order that does not follow from which one was shown first
    better = names[event.targets.index(event.preferred)]
    return ItemLabel(event.rater, "\n".join(sorted(names)), better == first, event.rating.created_at)


def _item(answer: AnswerInContext) -> str:
    text = f"#{answer.generation.id}" if answer.text is None else _plain(answer.text)
    # A hash, because its order among others is as good as random.
    return hashlib.sha256(f"{answer.generation.rendered_sha256}:{text}".encode()).hexdigest()


def _plain(text: str) -> str:
    return " ".join(text.split())
