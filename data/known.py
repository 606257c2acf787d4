"""What is known of people, as far as rows need it: small next to what they said, and read before it in one go."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data.bulk import micros_of
from data.consent import Cover, consents_since, followups_since, hindsight_since, outside_judge_since
from data.database import Database
from data.limits import Limits, limits_set
from data.people import pseudonyms
from data.persona_texts import prompt_authors
from data.servers import Teachers, teachers
from data.standings import standings

_EVER = 1 << 62
# The times covered, in microseconds: from the first to before the second of each pair.
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """People's names, when their words are covered, whose ratings count how, and where people teach.

    `authors` are those of system prompts that have known ones, with the times at which they wrote.
    """

    names: Mapping[int, str]
    since: Mapping[int, Spans]
    outside: Mapping[int, Spans]
    followups: Mapping[int, Spans]
    hindsight: Mapping[int, Spans]
    vouched: frozenset[int]
    voided: frozenset[int]
    teachers: Teachers
    authors: Mapping[int, tuple[tuple[int, int], ...]]
    limits: Limits

    def covered(self, person: int | None, at: int) -> bool:
        """Whether what a person said at a time may be kept for training. An unknown person counts as refusing."""
        return within(self.since, person, at)


def within(covers: Mapping[int, Spans], person: int | None, at: int) -> bool:
    """Whether a person's words at a time are covered."""
    spans = covers.get(person, ()) if person is not None else ()
    return any(since <= at < until for since, until in spans)


def read_known(path: Path) -> Known:
    """Read it from a database. It blocks, and starts an event loop: call it in a thread."""
    return asyncio.run(_read(path))


async def _read(path: Path) -> Known:
    database = await Database.open(path)
    try:
        async with database.read() as session:
            limits, known = limits_set(), await standings(session)
            return Known(
                names=await pseudonyms(session),
                since=_spans(await consents_since(session)),
                outside=_spans(await outside_judge_since(session)),
                followups=_spans(await followups_since(session)) if limits.followups else {},
                hindsight=_spans(await hindsight_since(session)) if limits.followups else {},
                vouched=known.vouched,
                voided=known.voided,
                teachers=await teachers(session, limits.servers),
                authors={
                    prompt: tuple((person, micros_of(at)) for person, at in authors)
                    for prompt, authors in (await prompt_authors(session)).items()
                },
                limits=limits,
            )
    finally:
        await database.close()


def _spans(covers: Mapping[int, Cover]) -> dict[int, Spans]:
    return {
        person: tuple((micros_of(s.since), _EVER if s.until is None else micros_of(s.until)) for s in spans)
        for person, spans in covers.items()
    }
