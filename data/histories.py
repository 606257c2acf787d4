"""Finds the conversation of a client that keeps none: one that sends all that was said with every question.

Such a client names no conversation, so a history is known by its hash: a chain over its messages, keyed with the
installation's key and begun with the person, so that nobody finds another person's conversation by saying the same.
Questions have their hash in the table `histories`; an answer is known as the answer below its question that says what
the client sends back. The same history once more is the same question, and its answers are siblings.

What the client sends and nobody said here before is the person's own: its system message, and answers of another
model or changed ones. Their texts are stored as the person's, so consent and erasure reach them like a question.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import uuid4

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.database import Database, listed
from data.home import keyed_hash
from data.messages import add_message, messages_down_to, newest_version, newest_versions
from data.records import StoredMessage
from data.schema import Generation, History, MessageRow, MessageVersion
from data.servers import conversation_of


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a history: `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """How much of a history is known: that many messages, and the last of them, None for a new conversation."""

    known: int
    message: StoredMessage | None


class Histories:
    """The histories of an installation. Each method is one transaction."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database, self._key = database, key

    async def find(self, person: int, said: Sequence[Said]) -> Place:
        """How much of a person's history was said here before."""
        async with self._database.read() as session:
            return await _find(session, chain(self._key, person, said), said)

    async def add(
        self, platform: str, person: int, said: Sequence[Said], *, persona: str, language: str = "en"
    ) -> StoredMessage:
        """The last message of a person's history, with what is new of the history stored before it.

        A new conversation begins with this persona and language.
        """
        hashes = chain(self._key, person, said)
        async with self._database.write() as session:
            place = await _find(session, hashes, said)
            message = place.message
            if message is None:
                conversation = await conversation_of(
                    session, platform, uuid4().hex, persona=persona, language=language, server=None
                )
            else:
                conversation = message.conversation
            for at, (one, name) in list(enumerate(zip(said, hashes, strict=True)))[place.known :]:
                parent = None if message is None else message.message
                message = await add_message(
                    session, conversation, one.role, one.text, author=person, parent=parent, platform_id=None
                )
                if at < len(said) - 1:
                    await _date_back(session, message)
                if one.role == "user":
                    await session.merge(History(hash=name, message_id=message.message))
        assert message is not None, "a history holds a question"
        return message

    async def add_below(self, answer: int, person: int, said: str, *, platform_id: str) -> StoredMessage | None:
        """A person's message below an answer (its message's number), as if they had sent the history so far with it.

        None when the answer was erased. `platform_id` is the id by which the message is known on its platform.
        """
        async with self._database.write() as session:
            path = await messages_down_to(session, answer)
            if not path or path[-1].message != answer:
                return None
            message = await add_message(
                session,
                path[-1].conversation,
                "user",
                said,
                author=person,
                parent=answer,
                platform_id=platform_id,
            )
            whole = [*(Said(each.role, each.text) for each in path), Said("user", said)]
            await session.merge(History(hash=chain(self._key, person, whole)[-1], message_id=message.message))
            return message

    async def answered_by(self, question: int) -> int | None:
        """The release of the newest answer to a question (its message's number); None without an answer."""
        query = (
            select(Generation.release)
            .join(MessageRow, MessageRow.id == Generation.message_id)
            .where(MessageRow.parent_id == question)
            .order_by(Generation.id.desc())
            .limit(1)
        )
        async with self._database.read() as session:
            found: int | None = await session.scalar(query)
        return found


def chain(key: bytes, person: int, said: Sequence[Said]) -> list[str]:
    """The hash of a history after each of its messages. Space around a text does not matter."""
    found: list[str] = []
    before = f"{person}"
    for one in said:
        before = keyed_hash(key, "history", before, one.role, one.text.strip())
        found.append(before)
    return found


async def _find(session: AsyncSession, hashes: Sequence[str], said: Sequence[Said]) -> Place:
    query = select(History.hash, History.message_id).where(History.hash.in_(hashes))
    stored: dict[str, int] = dict((await session.execute(query)).all())
    known, message = 0, None
    for at in reversed(range(len(said))):
        number = stored.get(hashes[at])
        message = None if number is None else await newest_version(session, number)
        if message is not None:
            known = at + 1
            break
    while message is not None and known < len(said) and said[known].role == "assistant":
        answer = await _answer(session, message, said[known].text)
        if answer is None:
            break
        known, message = known + 1, answer
    return Place(known, message)


async def _answer(session: AsyncSession, question: StoredMessage, said: str) -> StoredMessage | None:
    """The newest answer below a question with this text."""
    below = select(MessageRow.id).where(MessageRow.parent_id == question.message, MessageRow.role == "assistant")
    answers = await newest_versions(session, (await session.scalars(below)).all())
    return next((each for each in reversed(answers) if each.text.strip() == said.strip()), None)


async def _date_back(session: AsyncSession, message: StoredMessage) -> None:
    """Give an earlier message of a history the time at which its author first said the same.

    A client whose history begins otherwise now sends all of it anew. It was said then: consent covers it by that
    time, and it is kept as long as from that time.
    """
    table = MessageVersion
    said = select(func.min(table.created_at)).where(table.author_id == message.author, table.text == message.text)
    first = await session.scalar(said)
    await session.execute(update(table).where(table.id == message.version).values(created_at=first))


# Those of all that was said in the conversations of some texts: a hash holds the texts before it, too. Each
# conversation is looked through once, however many of its texts are erased.
_FORGET = text(
    """
    DELETE FROM histories WHERE message_id IN (
        SELECT id FROM messages WHERE conversation_id IN (
            SELECT m.conversation_id FROM json_each(:versions) gone
            JOIN message_versions v ON v.id = gone.value
            JOIN messages m ON m.id = v.message_id
        )
    )
    """
)


async def forget_histories(session: AsyncSession, versions: Collection[int]) -> None:
    """Remove the hashes of the histories in which these texts, which are erased, may be."""
    if await session.scalar(select(History.hash).limit(1)) is not None:
        await session.execute(_FORGET, {"versions": listed(versions)})
