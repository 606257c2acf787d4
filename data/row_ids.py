"""The ids of rows that are made of feedback: by them an export, a round's manifest and an erasure know a row again.

An id is a keyed hash of the row's content. Nobody without the installation's key can make one, so nobody can claim
that somebody else's row was exported from here, or test a guess at erased texts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import AnswerInContext, load_answers
from data.chat import Message
from data.database import chunks
from data.home import keyed_hash
from data.imported import imported_id
from data.rows import content_id
from data.schema import (
    Generation,
    GenerationContext,
    ImportedRow,
    MessageVersion,
    Rating,
    SystemPromptAuthor,
)


def row_id(key: bytes, kind: str, data: Mapping[str, Any]) -> str:
    """The id of a row with this content."""
    if kind == "demonstration" and "messages" not in data:
        # Corrections became rows of the form `messages` once; their ids stay as they were then.
        data = {"messages": [*data["prompt"], *data["completion"]]}
    return id_of(key, kind, bytes.fromhex(content_id(dict(data))))


def id_of(key: bytes, kind: str, digest: bytes) -> str:
    """The same of a row whose content has this hash."""
    return keyed_hash(key, "row", kind, digest.hex())[:32]


async def rows_with(session: AsyncSession, key: bytes, versions: Collection[int]) -> set[str]:
    """The ids of all rows, past and present, that hold one of these texts: in the prompt, or as an answer."""
    answers: set[int] = set()
    corrections: set[int] = set()
    for chunk in chunks(versions):
        context = select(GenerationContext.generation_id).where(GenerationContext.version_id.in_(chunk))
        answers.update(await session.scalars(context))
        answers.update(await session.scalars(select(Generation.id).where(Generation.version_id.in_(chunk))))
        corrections.update(await session.scalars(select(Rating.id).where(Rating.text_version_id.in_(chunk))))
    return await _ids(session, key, answers, corrections)


async def rows_of(session: AsyncSession, key: bytes, person: int) -> set[str]:
    """The ids of all rows, past and present, that a person wrote a part of or rated."""
    written = select(MessageVersion.id).where(MessageVersion.author_id == person)
    found = await rows_with(session, key, (await session.scalars(written)).all())
    under = (
        select(Generation.id)
        .join(SystemPromptAuthor, SystemPromptAuthor.prompt_id == Generation.system_prompt_id)
        .where(SystemPromptAuthor.person_id == person)
    )
    rated = select(Rating.id).where(Rating.rater_id == person)
    answers, ratings = (await session.scalars(under)).all(), (await session.scalars(rated)).all()
    return found | await _ids(session, key, answers, ratings)


async def imported_rows_of(session: AsyncSession, rater: str) -> set[str]:
    """The ids of the imported rows that name somebody as their rater; other files may use the same ids."""
    rows = await session.scalars(select(ImportedRow).where(ImportedRow.rater == rater))
    return {row.source_id.removeprefix(imported_id(row.kind, "")) for row in rows}


async def _ids(session: AsyncSession, key: bytes, answers: Collection[int], ratings: Collection[int]) -> set[str]:
    """The ids of the rows of these answers, whoever rated them, and of the rows that these ratings support."""
    chosen: dict[int, Rating] = {}
    for chunk in chunks(ratings):
        query = select(Rating).where(Rating.id.in_(chunk))
        chosen.update({rating.id: rating for rating in await session.scalars(query)})
    whole = set(answers)
    near = await _siblings(session, whole | {target for rating in chosen.values() for target in _targets(rating)})
    rows = _Rows(key, await load_answers(session, near))
    cast: dict[int, Rating] = {}
    for chunk in chunks(near):
        touching = select(Rating).where(or_(Rating.generation_id.in_(chunk), Rating.other_id.in_(chunk)))
        cast.update({rating.id: rating for rating in await session.scalars(touching)})
    texts = await _texts(session, cast.values())
    voted: dict[str, set[int]] = defaultdict(set)  # a prompt as it was rendered -> its answers with votes
    for rating in cast.values():
        if rating.kind == "vote" and rating.generation_id in rows.answers:
            voted[rows.answers[rating.generation_id].generation.rendered_sha256].add(rating.generation_id)
    found = {rows.prompt(number) for number in whole if number in rows.answers}
    for rating in cast.values():
        mine = rating.id in chosen
        if not (mine or whole & set(_targets(rating))) or not set(_targets(rating)) <= set(rows.answers):
            continue
        found |= rows.supported(rating, texts.get(rating.text_version_id or 0), voted, whole)
    return found - {""}


class _Rows:
    """The ids of the rows of some answers; empty where a text in the row was erased."""

    def __init__(self, key: bytes, answers: Mapping[int, AnswerInContext]) -> None:
        self.key, self.answers = key, answers

    def prompt(self, number: int) -> str:
        return self._id("prompt", number)

    def supported(
        self, rating: Rating, text: str | None, voted: Mapping[str, Collection[int]], whole: Collection[int]
    ) -> set[str]:
        """The rows that a rating supports or supported."""
        number, other = rating.generation_id, rating.other_id
        if rating.kind == "correction":
            both = self._pair(number, text, self._text(number))
            return {self._id("demonstration", number, completion=text), both}
        if rating.kind == "comparison" and other is not None:
            found = {self._pair(number, self._text(number), self._text(other))}
            return found | {self._pair(number, self._text(other), self._text(number))}
        if rating.kind != "vote":
            return set()
        labels = (True, False) if number in whole else (rating.value == "up",)
        found = {self._id("labelled", number, completion=self._text(number), label=label) for label in labels}
        for sibling in voted[self.answers[number].generation.rendered_sha256]:
            better, worse = (number, sibling) if rating.value == "up" else (sibling, number)
            found.add(self._pair(number, self._text(better), self._text(worse)))
        return found

    def _text(self, number: int) -> str | None:
        return self.answers[number].text if number in self.answers else None

    def _pair(self, number: int, chosen: str | None, rejected: str | None) -> str:
        return "" if chosen == rejected else self._id("preference", number, chosen=chosen, rejected=rejected)

    def _id(self, kind: str, number: int, *, label: bool | None = None, **parts: str | None) -> str:
        answer = self.answers[number]
        if None in parts.values() or any(text.text is None for _, text in answer.context):
            return ""
        said = {name: [Message(role="assistant", content=text or "")] for name, text in parts.items()}
        more = {} if label is None else {"label": label}
        return row_id(self.key, kind, {"prompt": answer.prompt(), **said, **more})


def _targets(rating: Rating) -> tuple[int, ...]:
    return (rating.generation_id,) if rating.other_id is None else (rating.generation_id, rating.other_id)


async def _siblings(session: AsyncSession, answers: Collection[int]) -> set[int]:
    """These answers, and all rated ones that were given to the same prompts."""
    found = set(answers)
    prompts: set[str] = set()
    for chunk in chunks(answers):
        prompts.update(await session.scalars(select(Generation.rendered_sha256).where(Generation.id.in_(chunk))))
    for some in chunks(prompts):
        rated = select(Generation.id).where(
            Generation.rendered_sha256.in_(some),
            Generation.id.in_(select(Rating.generation_id)) | Generation.id.in_(select(Rating.other_id)),
        )
        found.update(await session.scalars(rated))
    return found


async def _texts(session: AsyncSession, ratings: Iterable[Rating]) -> dict[int, str | None]:
    found: dict[int, str | None] = {}
    for chunk in chunks({rating.text_version_id for rating in ratings if rating.text_version_id is not None}):
        query = select(MessageVersion.id, MessageVersion.text).where(MessageVersion.id.in_(chunk))
        found.update((await session.execute(query)).all())
    return found
