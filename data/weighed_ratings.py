"""The current ratings with their raters' weights: ratings become labels of texts, and `data.raters` weighs them."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import AnswerInContext, load_answers
from data.candidates import OUTSIDE, OVER_QUOTA, SELF_VOTE, VOIDED
from data.consent import Cover, consents_since
from data.current_ratings import RatingEvent, current_ratings, load_ratings
from data.limits import Limits, Spent, limits_set, over_quota
from data.people import pseudonyms
from data.raters import ItemLabel, Panel, Reliability, weigh
from data.servers import teachers
from data.standings import imported_by_name, standings


@dataclass(frozen=True, slots=True)
class WeighedRatings:
    """All answers and all current ratings of them, with the weights of the raters."""

    answers: Mapping[int, AnswerInContext]  # by the generation's number
    events: Sequence[RatingEvent]
    since: Mapping[int, Cover]  # person -> when their words are covered for training
    self_votes: frozenset[int]  # the ratings by which people vote for their own texts
    panel: Panel
    over: frozenset[int] = frozenset()  # the ratings that came after a day's quota was used up
    voided: frozenset[int] = frozenset()  # the people whose ratings an operator took out
    names: Mapping[int, str] = field(default_factory=dict)  # person -> pseudonym

    def problem(self, event: RatingEvent) -> str | None:
        """Why a rating does not count, or None: its rater did not agree, it is for their own text, an operator took
        it out, or it is one too many on its day."""
        if problem := event.problem(self.since):
            return problem
        if event.rating.id in self.self_votes:
            return SELF_VOTE
        if event.rating.rater_id in self.voided:
            return VOIDED
        return OVER_QUOTA if event.rating.id in self.over else None


async def load_weighed_ratings(session: AsyncSession, limits: Limits | None = None) -> WeighedRatings:
    """Read the answers and the ratings, and weigh the raters who agreed to training.

    `limits` are the quotas and the servers that teach, by default those that the operator set.
    """
    limits = limits or limits_set()
    answers, since = await load_answers(session), await consents_since(session)
    await _hold_outside(session, answers, limits)
    events = current_ratings(await load_ratings(session))
    own, known = self_votes(events, answers), await standings(session)
    names = await pseudonyms(session)
    ratings = WeighedRatings(answers, events, since, own, Panel({}, ""), voided=known.voided, names=names)
    # Nothing is left of an answer that was erased: the store weighs its raters as if it had never been given.
    counted = [event for event in events if ratings.problem(event) is None and _stands(event, answers)]
    spent = [Spent(e.rating.id, e.rater, _server(e, answers), e.rating.created_at) for e in counted]
    vouched = {names[person] for person in known.vouched}
    imported = await imported_by_name(session)
    over = over_quota([*spent, *imported], limits, exempt=vouched)
    ratings = replace(ratings, over=frozenset(name for name in over if isinstance(name, int)))
    counted = [event for event in counted if event.rating.id not in ratings.over]
    panel = panel_of(counted, answers, vouched)
    taken_out = {
        names[person]: Reliability(0.0, 0, 0, "an operator took their ratings out") for person in known.voided
    }
    refused = {str(one.name): OVER_QUOTA for one in imported if one.name in over}
    refused |= {str(one.name): VOIDED for one in imported if one.rater in taken_out}
    return replace(ratings, panel=replace(panel, raters={**panel.raters, **taken_out}, refused=refused))


async def _hold_outside(session: AsyncSession, answers: Mapping[int, AnswerInContext], limits: Limits) -> None:
    """Mark the answers that were given where nobody teaches the shared model."""
    who = await teachers(session, limits.servers)
    for answer in answers.values():
        authors = [text.author for role, text in answer.context if role == "user"]
        if answer.teaches and not who.teach_in(answer.conversation, authors):
            answer.teaches, answer.held = False, OUTSIDE


def _stands(event: RatingEvent, answers: Mapping[int, AnswerInContext]) -> bool:
    return all(answers[target].text is not None for target in event.targets)


def _server(event: RatingEvent, answers: Mapping[int, AnswerInContext]) -> int | None:
    return answers[event.rating.generation_id].conversation.server_id


def panel_of(
    events: Sequence[RatingEvent], answers: Mapping[int, AnswerInContext], vouched: Collection[str] = ()
) -> Panel:
    """Weigh the raters by their votes and comparisons. Ties do not show who tells good from bad.

    The same text answered to the same prompt is one item, however often it was generated and rated.
    """
    labels = (label for event in events if (label := _label(event, answers)) is not None)
    return weigh(labels, {event.rater for event in events if event.rating.kind != "report"}, vouched)


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
    return hashlib.sha256(f"{answer.asked}:{text}".encode()).hexdigest()


def _plain(text: str) -> str:
    return " ".join(text.split())
