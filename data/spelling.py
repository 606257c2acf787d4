"""Reads the texts of planned rows, some hundreds at a time, and writes the rows out as candidates."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from data.candidates import FEEDBACK, FOLLOWUP, SAME_TEXT, Candidate, anchor
from data.chat import Message, prompt_messages
from data.events import Events
from data.facts import Facts
from data.feedback import Plan
from data.lesson_writers import lesson_sources

AT_ONCE = 500  # planned rows, or answers

_ANSWERS = """
SELECT g.id, g.platform, c.id, c.platform, c.persona, c.language, g.release, p.text, v.id, v.text
FROM generations g
JOIN conversations c ON c.id = g.conversation_id
JOIN system_prompts p ON p.id = g.system_prompt_id
JOIN message_versions v ON v.id = g.version_id
WHERE g.id IN (SELECT value FROM json_each(?))
"""
_CONTEXTS = """
SELECT x.generation_id, v.id, coalesce(m.role, 'user'), v.author_id, coalesce(v.text, '')
FROM generation_context x
JOIN message_versions v ON v.id = x.version_id
LEFT JOIN messages m ON m.id = v.message_id
WHERE x.generation_id IN (SELECT value FROM json_each(?))
ORDER BY x.generation_id, x.position
"""
_CORRECTIONS = """
SELECT r.id, r.platform, coalesce(v.text, '') FROM ratings r JOIN message_versions v ON v.id = r.text_version_id
WHERE r.id IN (SELECT value FROM json_each(?))
"""


class Answer(NamedTuple):
    """An answer as rows have it; `text` is empty when it was erased.

    `taught` are the other conversations whose corrections it or an answer before it was given as lessons.
    """

    platform: str
    conversation: int
    talked_on: str
    persona: str
    language: str
    release: int
    prompt: list[Message]
    text: str
    taught: tuple[int, ...]


def candidates(
    connection: sqlite3.Connection, plans: Iterable[Plan], facts: Facts, events: Events
) -> Iterator[Candidate]:
    """The candidates of planned rows, in their order."""
    plans = iter(plans)
    sources = lesson_sources(connection)
    generation = facts.generation.tolist()  # plain numbers are found faster one at a time
    while some := list(islice(plans, AT_ONCE)):
        wanted = {generation[at] for plan in some for at in plan.answers}
        answers = read_answers(connection, wanted, sources)
        numbers = {int(events.number[plan.correction]) for plan in some if plan.correction is not None}
        written = {number: said for number, *said in connection.execute(_CORRECTIONS, (_listed(numbers),))}
        for plan in some:
            mine = [answers[generation[at]] for at in plan.answers]
            correction = None if plan.correction is None else written[int(events.number[plan.correction])]
            yield _candidate(plan, mine, correction)


def _listed(numbers: Iterable[int]) -> str:
    return json.dumps(sorted(numbers))


def read_answers(
    connection: sqlite3.Connection, numbers: set[int], sources: Mapping[int, tuple[int, ...]] | None = None
) -> dict[int, Answer]:
    """Some answers with their prompts, by their numbers.

    `sources` says whose corrections which texts may repeat; see `lesson_sources`.
    """
    sources = sources or {}
    listed = _listed(numbers)
    turns: dict[int, list[tuple[str, int | None, str]]] = defaultdict(list)
    taught: dict[int, tuple[int, ...]] = {}
    for number, version, role, author, said in connection.execute(_CONTEXTS, (listed,)):
        turns[number].append((role, author, said))
        if version in sources:
            taught[number] = taught.get(number, ()) + sources[version]
    found = {}
    for number, *place, system, version, text in connection.execute(_ANSWERS, (listed,)):
        repeats = taught.get(number, ()) + sources.get(version, ())
        platform, conversation, talked_on, persona, language, release = place
        prompt = prompt_messages(system, turns[number])
        found[number] = Answer(
            platform, conversation, talked_on, persona, language, release, prompt, text or "", repeats
        )
    return found


def _said(text: str) -> list[Message]:
    return [Message(role="assistant", content=text)]


def _candidate(plan: Plan, answers: Sequence[Answer], correction: Sequence[Any] | None) -> Candidate:
    answer = answers[0]
    parts = {"prompt": answers[-1].prompt if plan.weak else answer.prompt}
    if plan.kind in ("demonstration", "labelled"):
        parts["completion"] = _said(answer.text if correction is None else correction[1])
    if plan.kind == "preference":
        parts["chosen"] = _said(answer.text if correction is None else correction[1])
        parts["rejected"] = _said(answers[-1].text)
    same = SAME_TEXT if plan.kind == "preference" and parts["chosen"] == parts["rejected"] else None
    # A row came through Discord when any text in it did: the conversation, or a correction written there.
    through = any("discord" in (each.platform, each.talked_on) for each in answers)
    through = through or (correction is not None and correction[0] == "discord")
    taught = [str(each) for answer in answers for each in answer.taught]
    return Candidate(
        kind=plan.kind,
        parts=parts,
        problem=plan.problem or same or plan.later,
        anchor=anchor(parts["prompt"], str(answer.conversation), taught),
        platform="discord" if through else answer.platform,
        persona=answer.persona,
        language=answer.language,
        source=FOLLOWUP if plan.weak else FEEDBACK,
        label=plan.label,
        weight=plan.weight,
        raters=tuple(plan.raters),
        backing=plan.backing,
        outside_judge=plan.outside,
        tie=plan.tie,
        weak=plan.weak,
        release=min(each.release for each in answers) if plan.kind in ("preference", "labelled") else None,
        answers=plan.answers,
        disputed=plan.disputed,
    )
