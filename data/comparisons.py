"""Live comparisons: which of two releases people preferred when they compared answers of both.

They choose between releases and train nothing, so they need no permission to train, not even on Discord. Ratings are
only stored from people who had agreed when they rated; people who said no since then are left out here as well.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.bulk import reading, rows
from data.chat import Message
from data.events import Recorded, read_recorded
from data.facts import Facts, Numbers
from data.live import CANDIDATE, CHAMPION, Compared, Pair, compared
from data.raters import Panel
from data.spelling import AT_ONCE, read_answers

_FROM_DISCORD = """
SELECT g.id FROM generations g JOIN conversations c ON c.id = g.conversation_id
WHERE g.release IN (?, ?) AND 'discord' IN (g.platform, c.platform)
"""


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """One person's comparison of two answers to the same prompt.

    `value` is 1 when the candidate's answer was preferred, 0 when the champion's was, and 0.5 for a tie or both bad.
    `prompt` is a name of the prompt, the same for all comparisons of its answers. Lengths are in characters.
    `language` and `persona` are those of the conversation.
    """

    value: float
    prompt: str
    candidate_chars: int
    champion_chars: int
    rater: str
    language: str
    persona: str


@dataclass(frozen=True, slots=True)
class ShownPair:
    """Two answers to one prompt that a judge on this machine may read, whether somebody compared them or not.

    `prompt` is the name that comparisons of the same prompt have. `outside_judge` says that everybody whose words are
    in it lets a judge on another machine read them.
    """

    prompt: str
    messages: list[Message]
    champion: str
    candidate: str
    outside_judge: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What is stored of two releases side by side: people's comparisons, pairs of answers, and the raters."""

    comparisons: list[LiveComparison]
    pairs: list[ShownPair]
    panel: Panel


def trial(database: Path, pair: Pair, *, discord_permission: str | None) -> Trial:
    """The comparisons of two releases, and the pairs of answers that a judge may read.

    Only current comparisons: each rater's newest rating of a pair, nothing that was taken back or voided, nothing by
    unreliable raters. Pairs are of prompts whose people all agreed to training; those from Discord need its
    permission, as for training. It reads everything and blocks: call it in a thread. Raises `BadInput` when both
    releases are the same.
    """
    with reading(database) as connection:
        recorded = read_recorded(connection, database)
        found = compared(connection, recorded, pair)
        hidden = () if discord_permission else connection.execute(_FROM_DISCORD, (pair.champion, pair.candidate))
        shown = _shown(recorded.facts, found, [number for (number,) in hidden])
        return Trial(
            list(_comparisons(connection, recorded, found)),
            list(_pairs(connection, recorded.facts, shown)),
            recorded.panel,
        )


def _names(facts: Facts) -> list[str]:
    """The name of each answer's prompt: a number, since a hash would tell anybody who knows a prompt that it was
    asked here."""
    _, first, prompt = np.unique(facts.rendered, return_index=True, return_inverse=True)
    return [f"prompt-{number}" for number in facts.generation[first][prompt].tolist()]


def _comparisons(connection: sqlite3.Connection, recorded: Recorded, found: Compared) -> Iterator[LiveComparison]:
    facts, events, people = recorded.facts, recorded.events, recorded.known.names
    names, number, release = _names(facts), facts.generation, found.release
    answers = np.unique(np.concatenate([events.answer[found.events], events.other[found.events]]))
    known = _known(connection, number[answers])
    for event, value in zip(found.events.tolist(), found.values.tolist(), strict=True):
        one, other = int(events.answer[event]), int(events.other[event])
        old, new = (one, other) if release[one] == CHAMPION else (other, one)
        chars, language, persona = known[int(number[new])]
        sizes = chars, known[int(number[old])][0]
        yield LiveComparison(value, names[one], *sizes, people[int(events.rater[event])], language, persona)


def _known(connection: sqlite3.Connection, answers: Numbers) -> dict[int, tuple[int, str, str]]:
    """How many characters each of these answers has, and its conversation's language and persona."""
    query = """
        SELECT g.id, v.text, c.language, c.persona FROM generations g
        JOIN message_versions v ON v.id = g.version_id JOIN conversations c ON c.id = g.conversation_id
        WHERE g.id BETWEEN ? AND ? ORDER BY g.id
    """
    wanted = set(answers.tolist())
    between = (min(wanted, default=0), max(wanted, default=0))
    return {
        number: (len(text or ""), language, persona)
        for number, text, language, persona in rows(connection, query, between)
        if number in wanted
    }


def _shown(facts: Facts, found: Compared, hidden: list[int]) -> list[tuple[int, int]]:
    """The places of the first answer of each release to each prompt that has one of both, in the order of asking."""
    fine = (facts.unfinished == 0) & ~np.isin(facts.generation, hidden)
    firsts = []
    for side in (CHAMPION, CANDIDATE):
        places = np.flatnonzero(fine & (found.release == side))
        _, first = np.unique(facts.rendered[places], return_index=True)
        firsts.append(places[first])
    old, new = firsts
    both = np.isin(facts.rendered[old], facts.rendered[new]), np.isin(facts.rendered[new], facts.rendered[old])
    pairs = np.stack([old[both[0]], new[both[1]]], axis=1)  # each in the order of its prompt's number
    return [(one, other) for one, other in pairs[np.argsort(pairs.min(axis=1), kind="stable")].tolist()]


def _pairs(connection: sqlite3.Connection, facts: Facts, shown: list[tuple[int, int]]) -> Iterator[ShownPair]:
    names, number = _names(facts), facts.generation.tolist()
    for start in range(0, len(shown), AT_ONCE):
        some = shown[start : start + AT_ONCE]
        answers = read_answers(connection, {number[place] for pair in some for place in pair})
        for old, new in some:
            champion, candidate = answers[number[old]], answers[number[new]]
            outside = bool(facts.outside[old] and facts.outside[new])
            yield ShownPair(names[old], candidate.prompt, champion.text, candidate.text, outside_judge=outside)
