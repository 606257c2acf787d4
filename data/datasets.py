"""Feedback to rows: what people's ratings teach, and what of it may leave the store for training.

| what people did                                         | row                                              |
|---------------------------------------------------------|--------------------------------------------------|
| correction                                              | demonstration; preference correction > original |
| comparison a or b                                       | preference                                       |
| up on one sibling and down on another (the same prompt) | preference                                       |
| up or down alone                                        | labelled completion                              |
| anything                                                | prompt                                           |
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import folds, schema
from data.chat import Message, numbered_speakers
from data.consent import consents_since, covered
from data.home import keyed_hash
from data.personas import LANGUAGES, PERSONAS, persona
from data.rows import PARTS, Row, content_id

# Why a row did not leave the store, in the words that people read.
ERASED = "a text in it was erased"
NO_CONSENT = "somebody in it did not consent, or not yet"
NO_PERMISSION = "came through Discord without Discord's permission to train"
UNFINISHED = "the answer did not end by itself"
SAME_TEXT = "chosen and rejected are the same text"
DUPLICATE = "the same row is there already"
CONTRADICTED = "as many people or more said the opposite"
OTHER_PROMPT = "the two answers were given to different prompts"

IMPORT = "import"  # the platform of rows that the operator brought as their own


@dataclass(frozen=True, slots=True)
class FeedbackRow:
    """A row with what decides its use: `fold` says whether it trains or judges."""

    row: Row
    fold: str
    platform: str
    raters: tuple[str, ...] = ()


@dataclass(slots=True)
class Collected:
    """The rows that may be used now, and why others may not: kind -> reason -> count."""

    rows: list[FeedbackRow] = field(default_factory=list)
    dropped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def of(self, kind: str, fold: str | None = None) -> list[Row]:
        """The rows of one kind (and fold), in an order that a content hash fixes."""
        found = [f.row for f in self.rows if f.row.kind == kind and fold in (None, f.fold)]
        return sorted(found, key=lambda row: content_id(row.data))

    def dropped_counts(self) -> dict[str, dict[str, int]]:
        """The counts of what was dropped, as a manifest holds them."""
        return {kind: dict(sorted(reasons.items())) for kind, reasons in sorted(self.dropped.items())}


@dataclass(frozen=True, slots=True)
class _Text:
    text: str | None
    author: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row before anybody asked whether it may be used."""

    kind: str
    parts: dict[str, list[Message]]
    problem: str | None
    anchor: folds.Anchor
    platform: str
    persona: str | None
    language: str | None
    source: str
    label: bool | None = None
    weight: float = 1.0
    id: str | None = None
    raters: tuple[str, ...] = ()


async def collect(
    reading: AsyncSession, assigning: AsyncSession, key: bytes, *, discord_permission: str | None
) -> Collected:
    """Turn the feedback that `reading` sees into rows; folds of new ones are stored through `assigning`.

    The two may be one session, or a snapshot and the live database. `discord_permission` is the operator's reference
    of Discord's permission to train on message content; without it nothing from Discord is handed out.
    """
    candidates = [*await _imported(reading), *await _rated(reading)]
    collected = Collected()
    kept: list[_Candidate] = []
    seen: set[str] = set()
    for candidate in candidates:
        problem = candidate.problem
        if candidate.platform == "discord" and not discord_permission:
            problem = NO_PERMISSION
        content = f"{candidate.kind}:{content_id(_data(candidate))}"
        if problem is None and content in seen:
            problem = DUPLICATE
        if problem is not None:
            collected.dropped[candidate.kind][problem] += 1
            continue
        seen.add(content)
        kept.append(candidate)
    assigned = await folds.assign(assigning, key, [candidate.anchor for candidate in kept])
    for candidate, fold in zip(kept, assigned, strict=True):
        collected.rows.append(FeedbackRow(_row(candidate, key), fold, candidate.platform, candidate.raters))
    return collected


def _data(candidate: _Candidate) -> dict[str, object]:
    label = {} if candidate.label is None else {"label": candidate.label}
    return {**candidate.parts, **label}


def _row(candidate: _Candidate, key: bytes) -> Row:
    data = _data(candidate)
    extra = {
        "id": candidate.id or keyed_hash(key, "row", candidate.kind, content_id(data))[:32],
        "persona": candidate.persona,
        "language": candidate.language,
        "source": candidate.source,
        "weight": candidate.weight,
        "platform": candidate.platform,
        "consent": True,  # rows without it do not get here
    }
    return Row(candidate.kind, data, {name: value for name, value in extra.items() if value is not None})


# -- rows that were imported --------------------------------------------------------------------------------------


async def _imported(session: AsyncSession) -> list[_Candidate]:
    texts: dict[int, list[tuple[schema.ImportedText, str | None]]] = defaultdict(list)
    query = (
        select(schema.ImportedText, schema.MessageVersion.text)
        .join(schema.MessageVersion, schema.MessageVersion.id == schema.ImportedText.version_id)
        .order_by(schema.ImportedText.row_id, schema.ImportedText.part, schema.ImportedText.position)
    )
    for entry, text in await session.execute(query):
        texts[entry.row_id].append((entry, text))
    rows = await session.scalars(select(schema.ImportedRow).order_by(schema.ImportedRow.id))
    return [_imported_row(row, texts[row.id]) for row in rows]


def _imported_row(row: schema.ImportedRow, texts: Sequence[tuple[schema.ImportedText, str | None]]) -> _Candidate:
    parts: dict[str, list[Message]] = {part: [] for part in PARTS[row.kind]}
    for entry, text in texts:
        parts[entry.part].append(Message(role=entry.role, content=text or ""))
    first = parts[PARTS[row.kind][0]]
    if first and first[0]["role"] != "system" and row.persona in PERSONAS and (row.language or "en") in LANGUAGES:
        system = persona(row.persona, row.language or "en").system_prompt
        first.insert(0, Message(role="system", content=system))
    problem = None if row.consented else NO_CONSENT
    return _Candidate(
        kind=row.kind,
        parts=parts,
        problem=ERASED if any(text is None for _, text in texts) else problem,
        anchor=_anchor(first, None),
        platform=row.platform,
        persona=row.persona,
        language=row.language,
        source=row.source or "import",
        label=row.label,
        weight=row.weight,
        id=row.source_id.removeprefix(imported_id(row.kind, "")),
    )


def imported_id(kind: str, row_id: str) -> str:
    """By what a row is known again when it is imported a second time; rows of two kinds may have one id."""
    return f"{IMPORT}:{kind}:{row_id}"


def _anchor(messages: Sequence[Message], conversation: str | None) -> folds.Anchor:
    opening = next((message["content"] for message in messages if message["role"] == "user"), "")
    return folds.Anchor(opening, conversation)


# -- rows that people's ratings make ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Answer:
    """A generation with all that its rows need."""

    generation: schema.Generation
    system_prompt: str
    conversation: schema.Conversation
    context: list[tuple[str, _Text]] = field(default_factory=list)
    answer: _Text | None = None

    def prompt(self) -> list[Message]:
        """What the model was given. Several people in it become Person 1, Person 2, in the order of speaking."""
        names = iter(numbered_speakers([text.author for role, text in self.context if role == "user"]))
        messages = [Message(role="system", content=self.system_prompt)] if self.system_prompt else []
        for role, text in self.context:
            name = next(names) if role == "user" else ""
            messages.append(Message(role=role, content=name + (text.text or "")))
        return messages

    def completion(self) -> list[Message]:
        """The answer as one assistant message."""
        return [Message(role="assistant", content=(self.answer.text if self.answer else None) or "")]

    def problem(self, since: Mapping[int, datetime], *, finished: bool) -> str | None:
        """Why nothing may be made of this answer; `finished` demands that it ended by itself."""
        texts = [text for _, text in self.context]
        if any(text.text is None for text in texts) or self.answer is None or self.answer.text is None:
            return ERASED
        if any(not covered(text.author, text.at, since) for role, text in self.context if role == "user"):
            return NO_CONSENT
        if finished and (self.generation.finish_reason != "stop" or not self.answer.text.strip()):
            return UNFINISHED
        return None


@dataclass(frozen=True, slots=True)
class _Event:
    rating: schema.Rating
    text: _Text | None
    rater: str


async def _rated(session: AsyncSession) -> list[_Candidate]:
    answers = await _answers(session)
    since = await consents_since(session)
    standing = _standing(await _events(session))
    rows = [*_corrections(standing, answers, since), *_comparisons(standing, answers, since)]
    rows += _votes(standing, answers, since)
    prompts: dict[str, _Candidate] = {}
    for answer in answers.values():
        prompt = {"prompt": answer.prompt()}
        candidate = _candidate("prompt", (answer,), prompt, answer.problem(since, finished=False))
        known = prompts.setdefault(answer.generation.rendered_sha256, candidate)
        if known.problem is not None and candidate.problem is None:
            prompts[answer.generation.rendered_sha256] = candidate  # somebody else who asked the same consents
    return [*rows, *prompts.values()]


async def _answers(session: AsyncSession) -> dict[int, _Answer]:
    versions: dict[int, _Text] = {}
    roles: dict[int, str] = {}
    query = select(schema.MessageVersion, schema.MessageRow.role).outerjoin(
        schema.MessageRow, schema.MessageRow.id == schema.MessageVersion.message_id
    )
    for version, role in await session.execute(query):
        versions[version.id] = _Text(version.text, version.author_id, version.created_at)
        roles[version.id] = role or "user"
    answers: dict[int, _Answer] = {}
    generations = (
        select(schema.Generation, schema.SystemPrompt.text, schema.Conversation)
        .join(schema.SystemPrompt, schema.SystemPrompt.id == schema.Generation.system_prompt_id)
        .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
        .order_by(schema.Generation.id)
    )
    for generation, system_prompt, conversation in await session.execute(generations):
        answers[generation.id] = _Answer(generation, system_prompt, conversation)
        answers[generation.id].answer = versions[generation.version_id]
    context = select(schema.GenerationContext).order_by(
        schema.GenerationContext.generation_id, schema.GenerationContext.position
    )
    for entry in await session.scalars(context):
        answers[entry.generation_id].context.append((roles[entry.version_id], versions[entry.version_id]))
    return answers


async def _events(session: AsyncSession) -> list[_Event]:
    query = (
        select(schema.Rating, schema.Person.pseudonym, schema.MessageVersion)
        .join(schema.Person, schema.Person.id == schema.Rating.rater_id)
        .outerjoin(schema.MessageVersion, schema.MessageVersion.id == schema.Rating.text_version_id)
        .order_by(schema.Rating.id)
    )
    return [
        _Event(rating, _Text(text.text, text.author_id, text.created_at) if text else None, pseudonym)
        for rating, pseudonym, text in await session.execute(query)
    ]


def _standing(events: Iterable[_Event]) -> list[_Event]:
    """What holds now of the events: a rater's newest word on an answer or a pair, nothing taken back or made void."""
    standing: dict[int, _Event] = {}
    about: dict[int, set[int]] = defaultdict(set)  # generation -> the standing ratings that are about it
    for event in events:
        rating = event.rating
        mine = {i for i in about[rating.generation_id] if standing[i].rating.rater_id == rating.rater_id}
        replaced: set[int] = set()
        if rating.kind == "void":
            replaced = set(about[rating.generation_id])
        elif rating.kind == "retraction":
            replaced = {i for i in mine if standing[i].rating.kind == "vote"}  # what taking back takes back
        elif rating.kind in ("vote", "correction", "comparison"):
            pair = set(_targets(rating))
            replaced = {
                i
                for i in mine
                if standing[i].rating.kind == rating.kind and set(_targets(standing[i].rating)) == pair
            }
        for old in replaced:
            for target in _targets(standing.pop(old).rating):
                about[target].discard(old)
        if rating.kind in ("vote", "correction", "comparison"):
            standing[rating.id] = event
            for target in _targets(rating):
                about[target].add(rating.id)
    return list(standing.values())


def _targets(rating: schema.Rating) -> tuple[int, ...]:
    return (rating.generation_id,) if rating.other_id is None else (rating.generation_id, rating.other_id)


def _rater_problem(event: _Event, since: Mapping[int, datetime]) -> str | None:
    if not covered(event.rating.rater_id, event.rating.created_at, since):
        return NO_CONSENT
    return ERASED if event.text is not None and event.text.text is None else None


def _corrections(
    events: Iterable[_Event], answers: Mapping[int, _Answer], since: Mapping[int, datetime]
) -> Iterable[_Candidate]:
    for event in events:
        if event.rating.kind != "correction" or event.text is None:
            continue
        answer = answers[event.rating.generation_id]
        mine = _rater_problem(event, since)
        corrected = [Message(role="assistant", content=event.text.text or "")]
        demonstration = {"messages": [*answer.prompt(), *corrected]}
        problem = mine or answer.problem(since, finished=False)
        yield _candidate("demonstration", (answer,), demonstration, problem, (event.rater,), words=event)
        problem = mine or answer.problem(since, finished=True)
        same = SAME_TEXT if corrected == answer.completion() else None
        parts = {"prompt": answer.prompt(), "chosen": corrected, "rejected": answer.completion()}
        yield _candidate("preference", (answer,), parts, problem or same, (event.rater,), words=event)


def _comparisons(
    events: Sequence[_Event], answers: Mapping[int, _Answer], since: Mapping[int, datetime]
) -> Iterable[_Candidate]:
    tally: dict[frozenset[int], Counter[int]] = defaultdict(Counter)  # pair -> whom people who consent preferred
    for event in events:
        preferred = {"a": event.rating.generation_id, "b": event.rating.other_id}.get(event.rating.value or "")
        if event.rating.kind == "comparison" and preferred and _rater_problem(event, since) is None:
            tally[frozenset(_targets(event.rating))][preferred] += 1
    for event in events:
        if event.rating.kind != "comparison" or event.rating.other_id is None:
            continue
        first, second = answers[event.rating.generation_id], answers[event.rating.other_id]
        if event.rating.value not in ("a", "b"):
            continue  # a tie teaches no preference
        better, worse = (first, second) if event.rating.value == "a" else (second, first)
        problems = (better.problem(since, finished=True), worse.problem(since, finished=True))
        problem = _rater_problem(event, since) or next((p for p in problems if p), None)
        if first.prompt() != second.prompt():
            problem = problem or OTHER_PROMPT  # only answers to the very same prompt form a pair
        same = SAME_TEXT if better.completion() == worse.completion() else None
        parts = {"prompt": better.prompt(), "chosen": better.completion(), "rejected": worse.completion()}
        wins = tally[frozenset(_targets(event.rating))]
        against = CONTRADICTED if wins[better.generation.id] <= wins[worse.generation.id] else None
        yield _candidate("preference", (better, worse), parts, problem or same or against, (event.rater,))


def _votes(
    events: Iterable[_Event], answers: Mapping[int, _Answer], since: Mapping[int, datetime]
) -> Iterable[_Candidate]:
    votes: dict[int, list[_Event]] = defaultdict(list)
    for event in events:
        if event.rating.kind == "vote":
            votes[event.rating.generation_id].append(event)
    score: dict[int, int] = {}
    raters: dict[int, set[str]] = {}
    problems: dict[int, str | None] = {}
    for generation, cast in votes.items():
        allowed = [event for event in cast if _rater_problem(event, since) is None]
        raters[generation] = {event.rater for event in allowed}
        score[generation] = sum(1 if event.rating.value == "up" else -1 for event in allowed)
        problem = answers[generation].problem(since, finished=True)
        problem = problem or (None if allowed else NO_CONSENT)
        problems[generation] = problem or (None if score[generation] else CONTRADICTED)
    siblings: dict[str, list[int]] = defaultdict(list)
    for generation in votes:
        siblings[answers[generation].generation.rendered_sha256].append(generation)
    for group in siblings.values():
        up = [g for g in group if problems[g] is None and score[g] > 0]
        down = [g for g in group if problems[g] is None and score[g] < 0]
        # As many pairs as the longer side has answers, each answer with one of the other side: everything is used,
        # and nobody's ten clicks make twenty-five pairs.
        pairs = max(len(up), len(down)) if up and down else 0
        for good, bad in ((up[i % len(up)], down[i % len(down)]) for i in range(pairs)):
            better, worse = answers[good].completion(), answers[bad].completion()
            same = SAME_TEXT if better == worse else None
            parts = {"prompt": answers[good].prompt(), "chosen": better, "rejected": worse}
            pair = (answers[good], answers[bad])
            yield _candidate("preference", pair, parts, same, tuple(sorted(raters[good] | raters[bad])))
        for g in group:
            if up and down and problems[g] is None:
                continue  # the pairs say it already
            parts = {"prompt": answers[g].prompt(), "completion": answers[g].completion()}
            who = tuple(sorted(raters[g]))
            yield _candidate("labelled", (answers[g],), parts, problems[g], who, label=score[g] > 0)


def _candidate(
    kind: str,
    answers: Sequence[_Answer],
    parts: dict[str, list[Message]],
    problem: str | None,
    raters: tuple[str, ...] = (),
    label: bool | None = None,
    words: _Event | None = None,
) -> _Candidate:
    answer = answers[0]
    prompt = parts.get("prompt") or parts["messages"]
    # A row came through Discord when any text in it did: the conversation, or the rater's words about another one.
    platforms = {a.generation.platform for a in answers} | {a.conversation.platform for a in answers}
    if words is not None:
        platforms.add(words.rating.platform)
    return _Candidate(
        kind=kind,
        parts=parts,
        problem=problem,
        anchor=_anchor(prompt, str(answer.conversation.id)),
        platform="discord" if "discord" in platforms else answer.generation.platform,
        persona=answer.conversation.persona,
        language=answer.conversation.language,
        source="feedback",
        label=label,
        raters=raters,
    )
