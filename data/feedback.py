"""What people's ratings teach: the rows that corrections, comparisons, votes and questions may become.

Votes and comparisons are counted by their raters' weights (see `data.raters`): a brigade that votes upside down does
not decide a label where people who agree with each other outweigh it. Only a row's last turn is learnt, and never an
answer that `data.targets` refuses; earlier answers in a prompt are context.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import AnswerInContext
from data.candidates import NO_CONSENT, OTHER_PROMPT, REFUSED, SAME_TEXT, VOIDED, Candidate, anchor
from data.chat import Message
from data.consent import Cover, outside_judge_since
from data.current_ratings import RatingEvent
from data.raters import Panel
from data.targets import Refused
from data.weighed_ratings import WeighedRatings, load_weighed_ratings
from data.weights import Support, both, support


async def feedback_candidates(session: AsyncSession) -> tuple[list[Candidate], Panel]:
    """The rows that ratings and questions may become, and the raters' weights."""
    feedback = _Feedback(await load_weighed_ratings(session), await outside_judge_since(session))
    rows = [*_corrections(feedback), *_comparisons(feedback), *_votes(feedback), *_prompts(feedback)]
    return rows, feedback.panel


class _Feedback:
    """All answers and current ratings; `outside` says when each person lets an outside judge read their words."""

    def __init__(self, ratings: WeighedRatings, outside: Mapping[int, Cover]) -> None:
        self.answers, self.events = ratings.answers, ratings.events
        self.since, self.outside = ratings.since, outside
        self.panel, self.problem = ratings.panel, ratings.problem
        self.names, self.voided = ratings.names, ratings.voided
        self.same = self._same()
        self.refused = Refused(ratings)

    def _same(self) -> dict[int, int]:
        """For each generation the one that represents it: the first usable one with the same text and prompt.

        At a low temperature ↻ often gives the same text again, and a rating of one copy is a rating of all.
        """
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, answer in self.answers.items():
            text = " ".join((answer.text or f"#{number}").split())
            groups[answer.asked, text].append(number)
        found = {}
        for group in groups.values():
            usable = (n for n in group if self.answers[n].problem(self.since, finished=True) is None)
            found.update(dict.fromkeys(group, next(usable, group[0])))
        return found

    def newest(self, events: Iterable[RatingEvent]) -> list[RatingEvent]:
        """Each rater's newest event among these."""
        return list({event.rater: event for event in events}.values())


def _prompts(feedback: _Feedback) -> Iterable[Candidate]:
    prompts: dict[str, Candidate] = {}
    for answer in feedback.answers.values():
        asker = _asker(answer)
        problem = answer.problem(feedback.since, finished=False) or (VOIDED if asker in feedback.voided else None)
        candidate = _candidate(feedback, "prompt", (answer,), {"prompt": answer.prompt()}, problem)
        candidate = replace(candidate, backing={} if asker is None else {feedback.names[asker]: 1.0})
        known = prompts.setdefault(answer.asked, candidate)
        if known.problem is not None and candidate.problem is None:
            prompts[answer.asked] = candidate  # somebody else asked the same and consents
    return prompts.values()


def _asker(answer: AnswerInContext) -> int | None:
    """The person whose voice a question is: whoever asked it."""
    authors = [text.author for role, text in answer.context if role == "user"]
    return authors[-1] if authors else None


def _corrections(feedback: _Feedback) -> Iterable[Candidate]:
    for event in feedback.events:
        if event.rating.kind != "correction" or event.text is None:
            continue
        answer = feedback.answers[event.rating.generation_id]
        mine = feedback.problem(event)
        found = support(feedback.panel, [event.rater])
        corrected = [Message(role="assistant", content=event.text.text or "")]
        demonstration = {"prompt": answer.prompt(), "completion": corrected}
        refused = REFUSED if feedback.refused.has(event.rating.generation_id, event.text.text) else None
        problem = mine or answer.problem(feedback.since, finished=False) or refused
        yield _candidate(
            feedback, "demonstration", (answer,), demonstration, problem, [event], found, correction=event
        )
        problem = mine or answer.problem(feedback.since, finished=True)
        same = SAME_TEXT if corrected == answer.completion() else None
        parts = {"prompt": answer.prompt(), "chosen": corrected, "rejected": answer.completion()}
        problem = problem or same or refused
        yield _candidate(feedback, "preference", (answer,), parts, problem, [event], found, correction=event)


def _comparisons(feedback: _Feedback) -> Iterable[Candidate]:
    counted: dict[frozenset[int], list[RatingEvent]] = defaultdict(list)  # pair -> the comparisons that may count
    for event in feedback.events:
        if event.rating.kind == "comparison" and feedback.problem(event) is None:
            counted[_pair(feedback, event)].append(event)
    for event in feedback.events:
        if event.rating.kind != "comparison" or event.rating.other_id is None:
            continue
        preferred = _preferred(feedback, event)
        # In a tie, the earlier answer comes first, so that both orders of showing make the same row.
        first, second = (feedback.answers[target] for target in sorted(map(feedback.same.__getitem__, event.targets)))
        better, worse = (second, first) if preferred == second.generation.id else (first, second)
        problems = (better.problem(feedback.since, finished=True), worse.problem(feedback.since, finished=True))
        problem = feedback.problem(event) or next((p for p in problems if p), None)
        if first.prompt() != second.prompt():
            problem = problem or OTHER_PROMPT  # only answers to the same prompt form a pair
        same = SAME_TEXT if better.completion() == worse.completion() else None
        parts = {"prompt": better.prompt(), "chosen": better.completion(), "rejected": worse.completion()}
        by_preferred: dict[int | None, list[RatingEvent]] = defaultdict(list)
        for other in feedback.newest(counted[_pair(feedback, event)]):
            by_preferred[_preferred(feedback, other)].append(other)
        for_it, against = by_preferred[better.generation.id], by_preferred[worse.generation.id]
        tie = preferred is None
        if tie:
            for_it, against = by_preferred[None], max(for_it, against, key=lambda side: _weight(feedback.panel, side))
        undecided = [] if tie else by_preferred[None]
        refused = REFUSED if not tie and feedback.refused.has(better.generation.id) else None
        found = support(feedback.panel, _names(for_it), _names(against), _names(undecided))
        # The row names every rater who counts and agrees, whoever came first; raters who do not count are not named.
        problem = problem or same or found.problem or refused
        yield _candidate(feedback, "preference", (better, worse), parts, problem, for_it, found, tie=tie)


def _pair(feedback: _Feedback, event: RatingEvent) -> frozenset[int]:
    return frozenset(feedback.same[target] for target in event.targets)


def _preferred(feedback: _Feedback, event: RatingEvent) -> int | None:
    return None if event.preferred is None else feedback.same[event.preferred]


def _votes(feedback: _Feedback) -> Iterable[Candidate]:
    votes: dict[int, list[RatingEvent]] = defaultdict(list)
    for event in feedback.events:
        if event.rating.kind == "vote":
            votes[feedback.same[event.rating.generation_id]].append(event)
    allowed = {
        generation: feedback.newest(e for e in cast if feedback.problem(e) is None)
        for generation, cast in votes.items()
    }
    labels: dict[int, bool] = {}
    supports: dict[int, Support] = {}
    problems: dict[int, str | None] = {}
    for generation, cast in votes.items():
        up = [event for event in allowed[generation] if event.rating.value == "up"]
        down = [event for event in allowed[generation] if event.rating.value != "up"]
        labels[generation] = _weight(feedback.panel, up) > _weight(feedback.panel, down)
        most, least = (up, down) if labels[generation] else (down, up)
        supports[generation] = support(feedback.panel, _names(most), _names(least))
        problem = feedback.answers[generation].problem(feedback.since, finished=True)
        if not allowed[generation]:
            problem = problem or next(filter(None, map(feedback.problem, cast)), NO_CONSENT)
        problems[generation] = problem or supports[generation].problem
        if labels[generation] and feedback.refused.has(generation):
            problems[generation] = problems[generation] or REFUSED
    siblings: dict[str, list[int]] = defaultdict(list)
    for generation in votes:
        siblings[feedback.answers[generation].asked].append(generation)
    for group in siblings.values():
        good = [g for g in group if problems[g] is None and labels[g]]
        bad = [g for g in group if problems[g] is None and not labels[g]]
        # As many pairs as the longer side has answers, each answer with one of the other side: every answer is used,
        # and ten clicks do not make twenty-five pairs.
        pairs = max(len(good), len(bad)) if good and bad else 0
        for g, b in ((good[i % len(good)], bad[i % len(bad)]) for i in range(pairs)):
            answers = (feedback.answers[g], feedback.answers[b])
            better, worse = (answer.completion() for answer in answers)
            parts = {"prompt": answers[0].prompt(), "chosen": better, "rejected": worse}
            same = SAME_TEXT if better == worse else None
            cast = [*allowed[g], *allowed[b]]
            yield _candidate(feedback, "preference", answers, parts, same, cast, both(supports[g], supports[b]))
        for g in group:
            if pairs and problems[g] is None:
                continue  # the pairs hold this vote already
            answer = feedback.answers[g]
            parts = {"prompt": answer.prompt(), "completion": answer.completion()}
            yield _candidate(
                feedback, "labelled", (answer,), parts, problems[g], allowed[g], supports[g], label=labels[g]
            )


def _names(events: Iterable[RatingEvent]) -> list[str]:
    return [event.rater for event in events]


def _weight(panel: Panel, events: Iterable[RatingEvent]) -> float:
    return sum(map(panel.weight, _names(events)))


def _candidate(
    feedback: _Feedback,
    kind: str,
    answers: Sequence[AnswerInContext],
    parts: dict[str, list[Message]],
    problem: str | None,
    events: Sequence[RatingEvent] = (),
    supported: Support | None = None,
    *,
    label: bool | None = None,
    correction: RatingEvent | None = None,
    tie: bool = False,
) -> Candidate:
    answer = answers[0]
    # A row came through Discord when any text in it did: the conversation, or a correction written there.
    platforms = {a.generation.platform for a in answers} | {a.conversation.platform for a in answers}
    if correction is not None:
        platforms.add(correction.rating.platform)
    return Candidate(
        kind=kind,
        parts=parts,
        problem=problem or (supported.problem if supported else None),
        anchor=anchor(parts["prompt"], str(answer.conversation.id)),
        platform="discord" if "discord" in platforms else answer.generation.platform,
        persona=answer.conversation.persona,
        language=answer.conversation.language,
        source="feedback",
        label=label,
        weight=supported.weight if supported else 1.0,
        raters=tuple(sorted(set(_names(events)))),
        backing=supported.backing if supported else {},
        outside_judge=all(a.covered(feedback.outside) for a in answers)
        and all(event.problem(feedback.outside) is None for event in events),
        tie=tie,
    )
