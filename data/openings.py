"""The texts that open conversations, as folds know them: by a keyed fingerprint and a signature (see `data.folds`).

Whoever has the key can test a guess against both. So they go when the text is erased. Rows that remain keep their
folds: those of feedback by their conversation, and an imported row by the fingerprint in its own table, as long as
its text is there.
"""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.answers import load_answers
from data.candidates import opening
from data.database import chunks
from data.folds import fingerprint
from data.schema import FoldMember, GenerationContext, ImportedRow, MessageVersion


async def forget_openings(session: AsyncSession, key: bytes, versions: Collection[int]) -> None:
    """Remove what folds know of these texts, and of how the answers to them opened.

    Called before the texts are erased, and after `forget_imported`.
    """
    gone: set[str] = set()
    answers: set[int] = set()
    for chunk in chunks(versions):
        texts = select(MessageVersion.text).where(MessageVersion.id.in_(chunk), MessageVersion.text.is_not(None))
        gone.update(fingerprint(key, text) for text in await session.scalars(texts) if text)
        context = select(GenerationContext.generation_id).where(GenerationContext.version_id.in_(chunk))
        answers.update(await session.scalars(context))
    found = await load_answers(session, answers)
    gone.update(fingerprint(key, opening(answer.prompt())) for answer in found.values())
    for some in chunks(gone):
        kept = select(ImportedRow.opening).where(ImportedRow.opening.in_(some))
        member = FoldMember.fingerprint
        await session.execute(delete(FoldMember).where(member.in_(some), member.not_in(kept)))
