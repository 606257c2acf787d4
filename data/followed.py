"""Lessons that a release follows without help: which ones a round asks about, and what a manifest says of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.chat import Message
from data.consent import withdrawn
from data.database import chunks
from data.errors import BadInput
from data.lessons import every_lesson
from data.releases import BASE_RELEASE, Releases
from data.schema import Generation, SystemPrompt


class Asked(NamedTuple):
    """A lesson by its number, as a question in a new conversation, and its answer."""

    lesson: int
    system_prompt: str
    question: str
    answer: str

    @property
    def messages(self) -> list[Message]:
        """The conversation up to the answer."""
        return [Message(role="system", content=self.system_prompt), Message(role="user", content=self.question)]


async def to_ask(session: AsyncSession, most: int) -> list[Asked]:
    """The newest corrections that hold at least for their authors, at most `most` of them, the newest first.

    Entries of a FAQ are not among them: they are facts of the operator's or a manager's, which stay in the prompts.
    """
    gone = await withdrawn(session)
    found = [each for each in await every_lesson(session) if each.generation is not None and each.author not in gone]
    newest = found[::-1][:most]
    prompts = await _system_prompts(session, [each.generation or 0 for each in newest])
    return [
        Asked(each.lesson, prompts[each.generation or 0], each.question, each.answer)
        for each in newest
        if prompts.get(each.generation or 0)
    ]


async def _system_prompts(session: AsyncSession, generations: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for some in chunks(list(generations)):
        query = select(Generation.id, SystemPrompt.text).join(
            SystemPrompt, SystemPrompt.id == Generation.system_prompt_id
        )
        found.update((row.id, row.text) for row in await session.execute(query.where(Generation.id.in_(some))))
    return found


def followed_by(home: Path, release: int) -> frozenset[int]:
    """The lessons that a release follows without help, by their numbers; none for a base or an unreadable release."""
    if release == BASE_RELEASE:
        return frozenset()
    try:
        return frozenset(Releases(home).get(release).manifest.follows)
    except BadInput:  # whoever loads the release is told
        return frozenset()


def followed_now(home: Path) -> frozenset[int]:
    """The lessons that the champion follows without help."""
    try:
        return followed_by(home, Releases(home).champion())
    except BadInput:
        return frozenset()
