"""The texts that open conversations, as folds know them: by a keyed fingerprint and a signature (see `data.folds`).

Whoever has the key can test a guess against both. So they go with the last answer and the last imported row that open
with the text; as long as one is left, the text is there too, and its fold stays.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.candidates import opening
from data.chat import speakers, spoken
from data.database import chunks
from data.folds import fingerprint
from data.schema import (
    FoldMember,
    Generation,
    GenerationContext,
    ImportedRow,
    ImportedText,
    MessageRow,
    MessageVersion,
)


async def opening_of(session: AsyncSession, key: bytes, context: Sequence[int]) -> str | None:
    """The fingerprint of the text that opens an answer's context; None when a text of it was erased."""
    query = (
        select(MessageVersion.id, MessageRow.role, MessageVersion.author_id, MessageVersion.text)
        .outerjoin(MessageRow, MessageRow.id == MessageVersion.message_id)
        .where(MessageVersion.id.in_(context))
    )
    found = {version: (role or "user", author, text) for version, role, author, text in await session.execute(query)}
    known = [found[version] for version in context if version in found]
    turns = [(role, author, text) for role, author, text in known if text is not None]
    if len(turns) < len(context):
        return None
    return fingerprint(key, opening(spoken(turns, speakers(turns))))


async def forget_openings(session: AsyncSession, key: bytes, versions: Collection[int]) -> None:
    """Remove what folds know of these texts, and of how the answers to them opened.

    Called before the texts are erased, and after `forget_imported`.
    """
    gone: set[str] = set()
    for chunk in chunks(versions):
        texts = select(MessageVersion.text).where(MessageVersion.id.in_(chunk), MessageVersion.text.is_not(None))
        gone.update(fingerprint(key, text) for text in await session.scalars(texts) if text)
        answers = select(GenerationContext.generation_id).where(GenerationContext.version_id.in_(chunk))
        theirs = Generation.id.in_(answers), Generation.opening.is_not(None)
        gone.update(name for name in await session.scalars(select(Generation.opening).where(*theirs)) if name)
        await session.execute(update(Generation).where(*theirs).values(opening=None))
    member = FoldMember.fingerprint
    for some in chunks(gone):
        left = [select(each.opening).where(each.opening.in_(some)) for each in (Generation, ImportedRow)]
        kept = {name for query in left for name in await session.scalars(query)}
        await session.execute(delete(FoldMember).where(member.in_(set(some) - kept)))


async def note_openings(session: AsyncSession, key: bytes) -> None:
    """Write the fingerprints of how imported rows open, with another key."""
    text, row = MessageVersion.text, ImportedText.row_id
    query = (
        select(row, text)
        .join(MessageVersion, MessageVersion.id == ImportedText.version_id)
        .join(ImportedRow, ImportedRow.id == row)
        .where(ImportedRow.opening.is_not(None), ImportedText.role == "user")
        .where(ImportedText.part.in_(("messages", "prompt")))
        .order_by(row, ImportedText.position.desc())
    )
    for number, said in (await session.execute(query)).all():  # the first of a row comes last
        change = update(ImportedRow).where(ImportedRow.id == number)
        await session.execute(change.values(opening=fingerprint(key, said or "")))
