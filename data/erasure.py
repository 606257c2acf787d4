"""Permanent removal of texts, of everything that may repeat them, and of what leads back to their authors.

What goes is decided by origin, never by equal words: a text's versions, the answers that were given to it, the
corrections of those, and the imported copies of rows made of them. A copy is known by its row's id (see
`data.row_ids`); a row that merely says the same stays, so nobody erases an operator's rows by repeating them. The ids
of the erased rows stay as tombstones: an older export does not bring the rows back, and a round's manifest, which
holds the ids of its rows, still says whether it learnt from somebody who left. Nothing else is kept of an erasure:
no time, no hash of a text or of an account, and no order.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Table,
    delete,
    exists,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as insert_new
from sqlalchemy.ext.asyncio import AsyncSession

from data import open_answers, schema
from data.chat import sayings
from data.consent import consents_since
from data.database import chunks, listed
from data.generations import forget_prompts
from data.histories import forget_histories
from data.home import keyed_hash
from data.imported import forget_imported, imported_id
from data.leaving import remove_times, unlink, unlink_conversations
from data.lesson_erasure import faq_of_left, forget_entries, forget_lessons, is_faq
from data.lesson_events import count_again
from data.openings import forget_openings
from data.persona_texts import answers_under, forget_personas
from data.row_ids import rows_rated_by, rows_with
from data.rows import KINDS
from data.schema import (
    Conversation,
    Generation,
    ImportedRow,
    ImportedText,
    MessageRow,
    MessageVersion,
    PlatformMessage,
    Rating,
    Server,
    Tombstone,
)
from data.times import UtcDateTime, today

DELETED, FORGOTTEN = "erased", "forgotten"  # why a row is gone
# When people's words are covered; each connection that needs it has its own, in memory or a temporary file.
_SPANS = Table(
    "spans",
    MetaData(),
    Column("person", Integer, index=True),
    Column("since", UtcDateTime),
    Column("until", UtcDateTime),
    prefixes=["TEMPORARY"],
)
# An answer is context of later answers, which may repeat it too, and a correction of such an answer is another
# person's version of it. An answer that was given with a lesson may repeat the lesson.
_WITH_ANSWERS = text(
    """
    WITH RECURSIVE gone(id) AS (
        SELECT value FROM json_each(:versions)
        UNION
        SELECT g.version_id FROM gone
        CROSS JOIN generation_context x ON x.version_id = gone.id
        CROSS JOIN generations g ON g.id = x.generation_id
        UNION
        SELECT g.version_id FROM gone
        CROSS JOIN lessons l ON l.question_id = gone.id OR l.answer_id = gone.id
        CROSS JOIN generation_lessons x ON x.lesson_id = l.id
        CROSS JOIN generations g ON g.id = x.generation_id
        UNION
        SELECT r.text_version_id FROM gone
        CROSS JOIN generations g ON g.version_id = gone.id
        CROSS JOIN ratings r ON r.generation_id = g.id
        WHERE r.text_version_id IS NOT NULL
    )
    SELECT id FROM gone
    """
)
_TELLING = 20  # characters; many people write the same shorter texts


async def erase_message(session: AsyncSession, platform: str, platform_id: str, key: bytes) -> bool:
    """Erase every version of a platform's message, and what was generated from it. False for an unknown message."""
    await open_answers.forget_questions(session, platform, [platform_id])
    place = await session.get(PlatformMessage, (platform, platform_id))
    if place is None:
        return False
    query = select(MessageVersion.id).where(MessageVersion.message_id == place.message_id)
    await erase(session, (await session.scalars(query)).all(), key)
    return True


async def channel_versions(session: AsyncSession, platform: str, channel: str) -> list[int]:
    """The texts of all that was said in a channel and in its threads.

    A conversation's key begins with its channel, or with its thread's channel and the thread: `channel:...` or
    `channel/thread:...`.
    """
    begins = Conversation.key
    here = or_(begins.startswith(f"{channel}:"), begins.startswith(f"{channel}/"), begins.contains(f"/{channel}:"))
    query = (
        select(MessageVersion.id)
        .join(MessageRow, MessageRow.id == MessageVersion.message_id)
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .where(Conversation.platform == platform, here, MessageVersion.text.is_not(None))
    )
    return list(await session.scalars(query))


async def forget_channel(session: AsyncSession, channel: str) -> None:
    """Forget the settings of a channel."""
    setting = schema.Setting
    await session.execute(delete(setting).where(setting.scope == "channel", setting.scope_id == channel))


async def versions_by(session: AsyncSession, person: int) -> list[int]:
    """The texts of a person that are not erased yet, the oldest first."""
    mine = MessageVersion.author_id == person, MessageVersion.text.is_not(None)
    return list(await session.scalars(select(MessageVersion.id).where(*mine).order_by(MessageVersion.id)))


async def forget(session: AsyncSession, person: int, key: bytes) -> int:
    """Erase a person's texts and ratings, and the link to their platform id; returns the number of erased texts."""
    row = await session.get_one(schema.Person, person)
    sent = select(MessageRow.id).where(MessageRow.author_id == person)  # also what they only forwarded
    mine = or_(MessageVersion.author_id == person, MessageVersion.message_id.in_(sent))
    query = select(MessageVersion.id).where(mine)
    spoke = select(MessageRow.conversation_id).where(MessageRow.author_id == person).distinct()
    written = [*await session.scalars(query), *await answers_under(session, person)]
    rated = select(ImportedText.version_id).join(ImportedRow, ImportedRow.id == ImportedText.row_id)
    written += await session.scalars(rated.where(ImportedRow.rater == row.pseudonym))
    erased = await erase(session, written, key, rows=await rows_rated_by(session, key, person), reason=FORGOTTEN)
    await forget_personas(session, person)
    await forget_lessons(session, person)
    await session.execute(delete(Rating).where(Rating.rater_id == person))
    await count_again(session)
    await session.execute(delete(schema.Standing).where(schema.Standing.person_id == person))
    # A message on the platform leads back to its author.
    said = select(PlatformMessage.platform_id).where(PlatformMessage.message_id.in_(sent))
    await open_answers.forget_questions(session, row.platform, said)
    await session.execute(delete(PlatformMessage).where(PlatformMessage.message_id.in_(sent)))
    await unlink_conversations(session, (await session.scalars(spoke)).all())
    await unlink(session, row)
    return erased


async def expired_versions(session: AsyncSession, older_than: datetime) -> list[int]:
    """The texts to erase: people's texts from before `older_than` without consent, and all texts of servers that
    removed the bot before then.

    Answers that may repeat them are erased with them; see `erase`.
    """
    left = (
        select(MessageVersion.id)
        .join(MessageRow, MessageRow.id == MessageVersion.message_id)
        .join(Conversation, Conversation.id == MessageRow.conversation_id)
        .join(Server, Server.id == Conversation.server_id)
        .where(MessageVersion.text.is_not(None), Server.left_at < older_than)
    )
    old = select(MessageVersion.id).where(
        MessageVersion.text.is_not(None),
        MessageVersion.created_at < older_than,
        ~await _is_covered(session),
        ~_is_answer(),
        ~_is_imported(),
        ~is_faq(),
    )
    faq = await faq_of_left(session, older_than)
    return sorted({*await session.scalars(left), *await session.scalars(old), *faq})


async def _is_covered(session: AsyncSession) -> ColumnElement[bool]:
    """Whether a text's author had agreed when it was written, for a query: `covered` for many texts at once."""
    spans = [
        {"person": person, "since": span.since, "until": span.until}
        for person, cover in (await consents_since(session)).items()
        for span in cover
    ]
    connection = await session.connection()
    await connection.run_sync(lambda here: _SPANS.drop(here, checkfirst=True))
    await connection.run_sync(_SPANS.create)
    if spans:
        await session.execute(insert(_SPANS), spans)
    column = _SPANS.c
    return exists().where(
        column.person == MessageVersion.author_id,
        column.since <= MessageVersion.created_at,
        column.until.is_(None) | (MessageVersion.created_at < column.until),
    )


def _is_answer() -> ColumnElement[bool]:
    return exists().where(Generation.version_id == MessageVersion.id)


def _is_imported() -> ColumnElement[bool]:
    # The operator who imported a row is responsible for the consent to it; it does not expire by itself.
    return exists().where(ImportedText.version_id == MessageVersion.id)


def said_before(key: bytes, said: str) -> set[str]:
    """The hashes by which earlier versions of Parley knew the erased messages that a row's text may repeat.

    Rows join messages and name the speakers. Now the ids of erased rows are kept instead.
    """
    plain = {" ".join(saying.split()) for saying in sayings(said)}
    return {keyed_hash(key, "erased", each) for each in plain if len(each) >= _TELLING}


async def erased_rows(session: AsyncSession, reason: str | None = None) -> set[str]:
    """The ids of rows in which a text was erased; with `FORGOTTEN`, of rows of people who left."""
    query = select(Tombstone.ref_hash).where(Tombstone.kind == "row")
    return set(await session.scalars(query if reason is None else query.where(Tombstone.reason == reason)))


async def erase(
    session: AsyncSession,
    versions: Collection[int],
    key: bytes,
    *,
    rows: Collection[str] = (),
    reason: str = DELETED,
) -> int:
    """Remove texts permanently, with every answer that was generated from them, since it may repeat them.

    Imported copies of the rows with these texts go too, and those with the ids `rows`. Returns the number of removed
    texts. What held a text stays without it, so that references to it hold.
    """
    await session.flush()  # what follows is plain SQL
    wanted = set(await session.scalars(_WITH_ANSWERS, {"versions": listed(versions)}))
    erased = 0
    ids = {*rows, *await rows_with(session, key, wanted)}
    wanted |= await _imported_copies(session, ids)
    await forget_imported(session, key, wanted)
    await forget_openings(session, key, wanted)
    await forget_prompts(session, wanted)
    await forget_histories(session, wanted)
    await forget_entries(session, wanted)
    for chunk in chunks(wanted):
        gone = update(MessageVersion).where(MessageVersion.id.in_(chunk), MessageVersion.text.is_not(None))
        gone = gone.values(text=None, erased_at=today()).execution_options(synchronize_session=False)
        erased += len((await session.scalars(gone.returning(MessageVersion.id))).all())
    if reason == FORGOTTEN:
        await remove_times(session, wanted)
    for some in chunks(ids):
        new = [{"kind": "row", "ref_hash": ref, "reason": reason} for ref in some]
        await session.execute(insert_new(Tombstone).on_conflict_do_nothing(), new)
    return erased


async def _imported_copies(session: AsyncSession, ids: Collection[str]) -> set[int]:
    """The texts of imported rows that were exported from here with one of these ids."""
    found: set[int] = set()
    for chunk in chunks(ids, 100):
        sources = [imported_id(kind, each) for kind in KINDS for each in chunk]
        query = (
            select(ImportedText.version_id)
            .join(ImportedRow, ImportedRow.id == ImportedText.row_id)
            .where(ImportedRow.source_id.in_(sources))
        )
        found.update(await session.scalars(query))
    return found
