"""What people's ratings teach: the rows that may be made of corrections, comparisons, votes and questions.

Votes and comparisons are counted by weight (see `data.raters`): a brigade that votes upside down does not decide a
label where people who agree with each other outweigh it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import Answer
from data.candidates import NO_CONSENT, OTHER_PROMPT, SAME_TEXT, Candidate, anchor
from data.chat import Message
from data.consent import Cover, outside_judge_since
from data.current_ratings import Rated
from data.raters import Panel
from data.weighed_ratings import Opinions, load_opinions
from data.weights import Support, both, support


async def rated(session: AsyncSession) -> tuple[list[Candidate], Panel]:
    """The rows that ratings and questions may become, and the raters' weights."""
    world = _World(await load_opinions(session), await outside_judge_since(session))
    rows = [*_corrections(world), *_comparisons(world), *_votes(world), *_prompts(world)]
    return rows, world.panel


class _World:
    """What was said and rated, and `outside`: when each person lets an outside judge read their words."""

    def __init__(self, opinions: Opinions, outside: Mapping[int, Cover]) -> None:
        self.answers, self.events = opinions.answers, opinions.events
        self.since, self.outside = opinions.since, outside
        self.panel, self.problem = opinions.panel, opinions.problem
        self.same = self._same()

    def _same(self) -> dict[int, int]:
        """For each generation the one that stands for it: of the same text answered to the same prompt the first that
        may be used. At a low temperature ↻ often says the same again, and what people say of one holds of all."""
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, answer in self.answers.items():
            said = " ".join((answer.text or f"#{number}").split())
            groups[answer.generation.rendered_sha256, said].append(number)
        found = {}
        for group in groups.values():
            usable = (n for n in group if self.answers[n].problem(self.since, finished=True) is None)
            found.update(dict.fromkeys(group, next(usable, group[0])))
        return found

    def newest(self, events: Iterable[Rated]) -> list[Rated]:
        """Each rater's newest word among these."""
        return list({event.rater: event for event in events}.values())


def _prompts(world: _World) -> Iterable[Candidate]:
    prompts: dict[str, Candidate] = {}
    for answer in world.answers.values():
        problem = answer.problem(world.since, finished=False)
        candidate = _candidate(world, "prompt", (answer,), {"prompt": answer.prompt()}, problem)
        known = prompts.setdefault(answer.generation.rendered_sha256, candidate)
        if known.problem is not None and candidate.problem is None:
            prompts[answer.generation.rendered_sha256] = candidate  # somebody else who asked the same consents
    return prompts.values()


def _corrections(world: _World) -> Iterable[Candidate]:
    for event in world.events:
        if event.rating.kind != "correction" or event.text is None:
            continue
        answer = world.answers[event.rating.generation_id]
        mine = event.problem(world.since)
        behind = support(world.panel, [event.rater])
        corrected = [Message(role="assistant", content=event.text.text or "")]
        demonstration = {"messages": [*answer.prompt(), *corrected]}
        problem = mine or answer.problem(world.since, finished=False)
        yield _candidate(world, "demonstration", (answer,), demonstration, problem, [event], behind, words=event)
        problem = mine or answer.problem(world.since, finished=True)
        same = SAME_TEXT if corrected == answer.completion() else None
        parts = {"prompt": answer.prompt(), "chosen": corrected, "rejected": answer.completion()}
        yield _candidate(world, "preference", (answer,), parts, problem or same, [event], behind, words=event)


def _comparisons(world: _World) -> Iterable[Candidate]:
    said: dict[frozenset[int], list[Rated]] = defaultdict(list)  # pair -> what the people who may be counted said
    for event in world.events:
        if event.rating.kind == "comparison" and world.problem(event) is None:
            said[_pair(world, event)].append(event)
    for event in world.events:
        if event.rating.kind != "comparison" or event.rating.other_id is None:
            continue
        preferred = _preferred(world, event)
        # Of a tie, the earlier answer first: whichever way it was shown, it is one row.
        first, second = (world.answers[target] for target in sorted(map(world.same.__getitem__, event.targets)))
        better, worse = (second, first) if preferred == second.generation.id else (first, second)
        problems = (better.problem(world.since, finished=True), worse.problem(world.since, finished=True))
        problem = world.problem(event) or next((p for p in problems if p), None)
        if first.prompt() != second.prompt():
            problem = problem or OTHER_PROMPT  # only answers to the very same prompt form a pair
        same = SAME_TEXT if better.completion() == worse.completion() else None
        parts = {"prompt": better.prompt(), "chosen": better.completion(), "rejected": worse.completion()}
        words: dict[int | None, list[Rated]] = defaultdict(list)
        for word in world.newest(said[_pair(world, event)]):
            words[_preferred(world, word)].append(word)
        for_it, against = words[better.generation.id], words[worse.generation.id]
        tie = preferred is None
        if tie:
            for_it, against = words[None], max(for_it, against, key=lambda who: _weight(world.panel, who))
        undecided = [] if tie else words[None]
        behind = support(world.panel, _names(for_it), _names(against), _names(undecided))
        # Who does not count themselves stands behind nothing; the others that say the same do, whoever came first.
        yield _candidate(world, "preference", (better, worse), parts, problem or same, for_it, behind, tie=tie)


def _pair(world: _World, event: Rated) -> frozenset[int]:
    return frozenset(world.same[target] for target in event.targets)


def _preferred(world: _World, event: Rated) -> int | None:
    return None if event.preferred is None else world.same[event.preferred]


def _votes(world: _World) -> Iterable[Candidate]:
    votes: dict[int, list[Rated]] = defaultdict(list)
    for event in world.events:
        if event.rating.kind == "vote":
            votes[world.same[event.rating.generation_id]].append(event)
    allowed = {
        generation: world.newest(e for e in cast if world.problem(e) is None) for generation, cast in votes.items()
    }
    labels: dict[int, bool] = {}
    behind: dict[int, Support] = {}
    problems: dict[int, str | None] = {}
    for generation, cast in votes.items():
        up = [event for event in allowed[generation] if event.rating.value == "up"]
        down = [event for event in allowed[generation] if event.rating.value != "up"]
        labels[generation] = _weight(world.panel, up) > _weight(world.panel, down)
        most, least = (up, down) if labels[generation] else (down, up)
        behind[generation] = support(world.panel, _names(most), _names(least))
        problem = world.answers[generation].problem(world.since, finished=True)
        if not allowed[generation]:
            problem = problem or next(filter(None, map(world.problem, cast)), NO_CONSENT)
        problems[generation] = problem or behind[generation].problem
    siblings: dict[str, list[int]] = defaultdict(list)
    for generation in votes:
        siblings[world.answers[generation].generation.rendered_sha256].append(generation)
    for group in siblings.values():
        good = [g for g in group if problems[g] is None and labels[g]]
        bad = [g for g in group if problems[g] is None and not labels[g]]
        # As many pairs as the longer side has answers, each answer with one of the other side: everything is used,
        # and nobody's ten clicks make twenty-five pairs.
        pairs = max(len(good), len(bad)) if good and bad else 0
        for g, b in ((good[i % len(good)], bad[i % len(bad)]) for i in range(pairs)):
            answers = (world.answers[g], world.answers[b])
            better, worse = (answer.completion() for answer in answers)
            parts = {"prompt": answers[0].prompt(), "chosen": better, "rejected": worse}
            same = SAME_TEXT if better == worse else None
            cast = [*allowed[g], *allowed[b]]
            yield _candidate(world, "preference", answers, parts, same, cast, both(behind[g], behind[b]))
        for g in group:
            if pairs and problems[g] is None:
                continue  # the pairs say it already
            answer = world.answers[g]
            parts = {"prompt": answer.prompt(), "completion": answer.completion()}
            yield _candidate(world, "labelled", (answer,), parts, problems[g], allowed[g], behind[g], label=labels[g])


def _names(events: Iterable[Rated]) -> list[str]:
    return [event.rater for event in events]


def _weight(panel: Panel, events: Iterable[Rated]) -> float:
    return sum(map(panel.weight, _names(events)))


def _candidate(
    world: _World,
    kind: str,
    answers: Sequence[Answer],
    parts: dict[str, list[Message]],
    problem: str | None,
    events: Sequence[Rated] = (),
    behind: Support | None = None,
    *,
    label: bool | None = None,
    words: Rated | None = None,
    tie: bool = False,
) -> Candidate:
    answer = answers[0]
    prompt = parts.get("prompt") or parts["messages"]
    # A row came through Discord when any text in it did: the conversation, or the rater's words about another one.
    platforms = {a.generation.platform for a in answers} | {a.conversation.platform for a in answers}
    if words is not None:
        platforms.add(words.rating.platform)
    return Candidate(
        kind=kind,
        parts=parts,
        problem=problem or (behind.problem if behind else None),
        anchor=anchor(prompt, str(answer.conversation.id)),
        platform="discord" if "discord" in platforms else answer.generation.platform,
        persona=answer.conversation.persona,
        language=answer.conversation.language,
        source="feedback",
        label=label,
        weight=behind.weight if behind else 1.0,
        raters=tuple(sorted(set(_names(events)))),
        backing=behind.backing if behind else {},
        outside_judge=all(a.covered(world.outside) for a in answers)
        and all(event.problem(world.outside) is None for event in events),
        tie=tie,
    )
