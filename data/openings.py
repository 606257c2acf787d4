"""The texts that open conversations, as folds know them: by a keyed fingerprint and a signature (see `data.folds`).

Whoever has the key can test a guess against both. So they go with the last answer and the last imported row that open
with the text; as long as one is left, the text is there too, and its fold stays.
"""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data.anchors import fingerprint
from data.candidates import opening
from data.chat import speakers, spoken
from data.database import listed
from data.schema import (
    ImportedRow,
    ImportedText,
    MessageRow,
    MessageVersion,
)

# What an answer's context says. It runs for every answer.
_SAID = (
    select(MessageVersion.id, MessageRow.role, MessageVersion.author_id, MessageVersion.text)
    .outerjoin(MessageRow, MessageRow.id == MessageVersion.message_id)
    .where(MessageVersion.id.in_(bindparam("context", expanding=True)))
)


async def opening_of(session: AsyncSession, key: bytes, context: Sequence[int]) -> str | None:
    """The fingerprint of the text that opens an answer's context; None when a text of it was erased."""
    said = await session.execute(_SAID, {"context": list(context)})
    found = {version: (role or "user", author, text) for version, role, author, text in said}
    known = [found[version] for version in context if version in found]
    turns = [(role, author, text) for role, author, text in known if text is not None]
    if len(turns) < len(context):
        return None
    return fingerprint(key, opening(spoken(turns, speakers(turns))))


# The texts, and how the answers to them opened.
_OPEN = text(
    """
    WITH gone(id) AS (SELECT value FROM json_each(:versions))
    SELECT NULL, v.text FROM gone CROSS JOIN message_versions v ON v.id = gone.id WHERE v.text != ''
    UNION ALL
    SELECT g.id, g.opening FROM gone CROSS JOIN generation_context x ON x.version_id = gone.id
    CROSS JOIN generations g ON g.id = x.generation_id WHERE g.opening != ''
    """
)
_UNNAME = text("UPDATE generations SET opening = NULL WHERE id IN (SELECT value FROM json_each(:answers))")
_FORGET = text(
    """
    DELETE FROM fold_members WHERE fingerprint IN (
        SELECT value FROM json_each(:names)
        EXCEPT SELECT opening FROM generations WHERE opening IN (SELECT value FROM json_each(:names))
        EXCEPT SELECT opening FROM imported_rows WHERE opening IN (SELECT value FROM json_each(:names))
    )
    """
)


async def forget_openings(session: AsyncSession, key: bytes, versions: Collection[int]) -> None:
    """Remove what folds know of these texts, and of how the answers to them opened.

    Called before the texts are erased, and after `forget_imported`, whose changes are flushed.
    """
    them = {"versions": listed(versions)}
    found = (await session.execute(_OPEN, them)).all()
    gone = {fingerprint(key, said) for answer, said in found if answer is None}
    gone.update(said for answer, said in found if answer is not None)
    if answers := {answer for answer, _ in found if answer is not None}:
        await session.execute(_UNNAME, {"answers": listed(answers)})
    if gone:
        await session.execute(_FORGET, {"names": json.dumps(sorted(gone))})


async def note_openings(session: AsyncSession, key: bytes) -> None:
    """Write the fingerprints of how imported rows open, with another key."""
    row = ImportedText.row_id
    query = (
        select(row, MessageVersion.text)
        .join(MessageVersion, MessageVersion.id == ImportedText.version_id)
        .join(ImportedRow, ImportedRow.id == row)
        .where(ImportedRow.opening.is_not(None), ImportedText.role == "user")
        .where(ImportedText.part.in_(("messages", "prompt")))
        .order_by(row, ImportedText.position.desc())
    )
    for number, said in (await session.execute(query)).all():  # the first of a row comes last
        change = update(ImportedRow).where(ImportedRow.id == number)
        await session.execute(change.values(opening=fingerprint(key, said or "")))
