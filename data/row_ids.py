"""The ids of rows that are made of feedback: by them an export, a round's manifest and an erasure know a row again.

An id is a keyed hash of the row's content. Nobody without the installation's key can make one, so nobody can claim
that somebody else's row was exported from here, or test a guess at erased texts.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data.answers import AnswerInContext, load_answers
from data.chat import Message
from data.database import chunks, listed
from data.home import keyed_hash
from data.imported import imported_id
from data.rows import content_id
from data.schema import (
    Generation,
    ImportedRow,
    MessageRow,
    MessageVersion,
    Person,
    Rating,
    SystemPromptAuthor,
)

# By the versions of some texts: the answers that had one in their prompt (also as a lesson) or are one, and the
# ratings that correct an answer with one.
_WITH = text(
    """
    WITH gone(id) AS (SELECT value FROM json_each(:versions))
    SELECT x.generation_id, 0 FROM gone CROSS JOIN generation_context x ON x.version_id = gone.id
    UNION SELECT g.id, 0 FROM gone CROSS JOIN generations g ON g.version_id = gone.id
    UNION SELECT x.generation_id, 0 FROM gone
    CROSS JOIN lessons l ON l.question_id = gone.id OR l.answer_id = gone.id
    CROSS JOIN generation_lessons x ON x.lesson_id = l.id
    UNION ALL
    SELECT r.id, 1 FROM gone CROSS JOIN ratings r ON r.text_version_id = gone.id WHERE r.text_version_id IS NOT NULL
    """
)
_AT_ONCE = 100  # answers or ratings that are read at once; more would hold the event loop for too long


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
    for number, corrects in await session.execute(_WITH, {"versions": listed(versions)}):
        (corrections if corrects else answers).add(number)
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
    found |= await _ids(session, key, (await session.scalars(under)).all(), ())
    return found | await rows_rated_by(session, key, person)


async def rows_rated_by(session: AsyncSession, key: bytes, person: int) -> set[str]:
    """The ids of all rows, past and present, that a person's ratings support."""
    rated = await session.scalars(select(Rating.id).where(Rating.rater_id == person))
    return await _ids(session, key, (), rated.all())


async def ratings_behind(session: AsyncSession, key: bytes, raters: Collection[str]) -> dict[str, list[Rating]]:
    """The ratings of people with these pseudonyms, by the ids of the rows that they support; the oldest first."""
    mine = select(Rating.id).join(Person, Person.id == Rating.rater_id).order_by(Rating.id)
    found: dict[str, list[Rating]] = defaultdict(list)
    for names in chunks(raters):
        for some in chunks((await session.scalars(mine.where(Person.pseudonym.in_(names)))).all(), _AT_ONCE):
            query = select(Rating).where(Rating.id.in_(some)).order_by(Rating.id)
            cast = (await session.scalars(query)).all()
            rows, texts = await _loaded(session, key, (), cast)
            for rating in cast:
                for row in await asyncio.to_thread(rows.all, (), (), [rating], texts, ()):
                    found[row].append(rating)
    found.pop("", None)
    return dict(found)


async def imported_rows_of(session: AsyncSession, rater: str) -> set[str]:
    """The ids of the imported rows that name somebody as their rater; other files may use the same ids."""
    rows = await session.scalars(select(ImportedRow).where(ImportedRow.rater == rater))
    return {row.source_id.removeprefix(imported_id(row.kind, "")) for row in rows}


async def _ids(session: AsyncSession, key: bytes, answers: Collection[int], ratings: Collection[int]) -> set[str]:
    """The ids of the rows of these answers, whoever rated them, and of the rows that these ratings support.

    Read in small parts and hashed in a thread: somebody may have written a great deal, and the bot answers meanwhile.
    """
    whole = frozenset(answers)
    found: set[str] = set()
    seen: set[int] = set()
    for some in chunks(answers, _AT_ONCE):
        touching = select(Rating).where(or_(Rating.generation_id.in_(some), Rating.other_id.in_(some)))
        cast = (await session.scalars(touching)).all()
        found |= await _part(session, key, some, cast, whole) | await _mended(session, key, some)
        seen.update(rating.id for rating in cast)
    for some in chunks(set(ratings) - seen, _AT_ONCE):
        chosen = (await session.scalars(select(Rating).where(Rating.id.in_(some)))).all()
        found |= await _part(session, key, (), chosen, whole)
    return found - {""}


async def _part(
    session: AsyncSession, key: bytes, answers: Collection[int], ratings: Sequence[Rating], whole: Collection[int]
) -> set[str]:
    """The ids of the prompts of these answers, and of the rows that these ratings support."""
    rows, texts = await _loaded(session, key, answers, ratings)
    followed = await _followed(session, answers)
    return await asyncio.to_thread(rows.all, answers, followed, ratings, texts, whole)


async def _loaded(
    session: AsyncSession, key: bytes, answers: Collection[int], ratings: Sequence[Rating]
) -> tuple["_Rows", dict[int, str | None]]:
    """What the ids of these answers' and ratings' rows are made of, and the ratings' texts."""
    needed = {*answers, *(target for rating in ratings for target in _targets(rating))}
    loaded: dict[int, AnswerInContext] = {}
    for chunk in chunks(needed, _AT_ONCE):
        loaded |= await load_answers(session, chunk)
    voted = {rating.generation_id for rating in ratings if rating.kind == "vote"}
    prompts = {prompt for number in voted if (prompt := loaded[number].generation.rendered_sha256)}
    return _Rows(key, loaded, await _voted_texts(session, prompts)), await _texts(session, ratings)


class _Rows:
    """The ids of the rows of some answers; empty where a text in the row was erased.

    `siblings` are the texts of the answers with votes, by the prompt that they were given to, as it was rendered.
    """

    def __init__(
        self, key: bytes, answers: Mapping[int, AnswerInContext], siblings: Mapping[str, Collection[str]]
    ) -> None:
        self.key, self.answers, self.siblings = key, answers, siblings

    def all(
        self,
        answers: Collection[int],
        followed: Collection[int],
        ratings: Iterable[Rating],
        texts: Mapping[int, str | None],
        whole: Collection[int],
    ) -> set[str]:
        """The rows of answers, those that ratings support or supported, and those of `followed` answers, which a
        message after them may have made."""
        found = {self._id("prompt", number) for number in answers}
        for number in followed:
            mine = self._text(number)
            found |= {self._id("labelled", number, completion=mine, label=label) for label in (True, False)}
        votes: set[tuple[int, str | None]] = set()
        for rating in ratings:
            if rating.kind == "vote":
                votes.add((rating.generation_id, rating.value))
            else:
                found |= self._supported(rating, texts.get(rating.text_version_id or 0))
        for number, value in votes:
            found |= self._voted(number, value, both=number in whole)
        return found

    def mended(self, pairs: Iterable[tuple[int, int]]) -> set[str]:
        """The preferences of the second answer of each pair over the first one, in reply to what that replies to."""
        return {self._pair(older, self._text(newer), self._text(older)) for older, newer in pairs}

    def _supported(self, rating: Rating, text: str | None) -> set[str]:
        number, other = rating.generation_id, rating.other_id
        if rating.kind == "correction":
            both = self._pair(number, text, self._text(number))
            return {self._id("demonstration", number, completion=text), both}
        if rating.kind == "comparison" and other is not None:
            found = {self._pair(number, self._text(number), self._text(other))}
            return found | {self._pair(number, self._text(other), self._text(number))}
        return set()

    def _voted(self, number: int, value: str | None, *, both: bool) -> set[str]:
        labels = (True, False) if both else (value == "up",)
        mine = self._text(number)
        found = {self._id("labelled", number, completion=mine, label=label) for label in labels}
        for other in self.siblings.get(self.answers[number].generation.rendered_sha256, ()):
            better, worse = (mine, other) if value == "up" else (other, mine)
            found.add(self._pair(number, better, worse))
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


async def _followed(session: AsyncSession, answers: Collection[int]) -> list[int]:
    """Those of some answers to which somebody said something."""
    query = (
        select(Generation.id)
        .join(MessageRow, MessageRow.parent_id == Generation.message_id)
        .where(Generation.id.in_(answers), MessageRow.role == "user")
        .distinct()
    )
    return list(await session.scalars(query))


async def _mended(session: AsyncSession, key: bytes, answers: Collection[int]) -> set[str]:
    """The ids of the preferences of an answer over the one before it, where one of both is among some answers: the
    message between them may have been a complaint."""
    older, newer = aliased(Generation), aliased(Generation)
    between, after = aliased(MessageRow), aliased(MessageRow)
    query = (
        select(older.id, newer.id)
        .join(between, between.parent_id == older.message_id)
        .join(after, after.parent_id == between.id)
        .join(newer, newer.message_id == after.id)
        .where(between.role == "user")
    )
    pairs: set[tuple[int, int]] = set()
    for one in (older, newer):
        pairs.update((first, second) for first, second in await session.execute(query.where(one.id.in_(answers))))
    loaded: dict[int, AnswerInContext] = {}
    for chunk in chunks({number for pair in pairs for number in pair}, _AT_ONCE):
        loaded |= await load_answers(session, chunk)
    rows = _Rows(key, loaded, {})
    return await asyncio.to_thread(rows.mended, pairs)


def _targets(rating: Rating) -> tuple[int, ...]:
    return (rating.generation_id,) if rating.other_id is None else (rating.generation_id, rating.other_id)


async def _voted_texts(session: AsyncSession, prompts: Collection[str]) -> dict[str, set[str]]:
    """The texts of the answers with votes that were given to these prompts."""
    found: dict[str, set[str]] = defaultdict(set)
    for chunk in chunks(prompts):
        voted = exists().where(Rating.generation_id == Generation.id, Rating.kind == "vote")
        query = (
            select(Generation.rendered_sha256, MessageVersion.text)
            .join(MessageVersion, MessageVersion.id == Generation.version_id)
            .where(Generation.rendered_sha256.in_(chunk), MessageVersion.text.is_not(None), voted)
        )
        for prompt, said in await session.execute(query):
            found[prompt].add(str(said))
    return found


async def _texts(session: AsyncSession, ratings: Iterable[Rating]) -> dict[int, str | None]:
    found: dict[int, str | None] = {}
    for chunk in chunks({rating.text_version_id for rating in ratings if rating.text_version_id is not None}):
        query = select(MessageVersion.id, MessageVersion.text).where(MessageVersion.id.in_(chunk))
        found.update((await session.execute(query)).all())
    return found
