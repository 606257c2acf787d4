"""The rows that were imported, read back from the store."""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.candidates import ERASED, NO_CONSENT, Candidate, anchor
from data.chat import Message
from data.database import chunks
from data.home import keyed_hash
from data.personas import LANGUAGES, PERSONAS, persona
from data.row import IMPORT, PARTS, TOOLS, Row

# A message's other keys (tool calls, weight 0) are stored as a further text, in JSON, so that erasure reaches it.
KEYS = "+"
_MAY_BE_CONTENT = re.compile(r"[0-9a-f]{32}|\d+-[0-9a-f]{12}")


def imported_id(kind: str, row_id: str) -> str:
    """The id by which a second import of a row is recognised. Rows of different kinds may have the same `row_id`."""
    return f"{IMPORT}:{kind}:{row_id}"


async def forget_imported(session: AsyncSession, key: bytes, versions: Collection[int]) -> None:
    """Remove what the imported rows with these texts say about them beside the texts: how they opened, whose ratings
    they were, and ids that may be a hash of the content."""
    for chunk in chunks(versions):
        rows = select(schema.ImportedText.row_id).where(schema.ImportedText.version_id.in_(chunk))
        for row in await session.scalars(select(schema.ImportedRow).where(schema.ImportedRow.id.in_(rows))):
            row.opening, row.rater = None, None
            start = imported_id(row.kind, "")
            row.source_id = start + rekeyed(key, row.source_id.removeprefix(start))


def rekeyed(key: bytes, row_id: str) -> str:
    """A row's id without a plain hash of its content, against which a guess could be tested.

    The whole of an id may be such a hash, or what follows a number in it; others stay.
    """
    if not _MAY_BE_CONTENT.fullmatch(row_id):
        return row_id
    number, dash, content = row_id.rpartition("-")
    return f"{number}{dash}{keyed_hash(key, 'content', content)[: len(content)]}"


def texts_of(row: Row) -> list[tuple[str, int, str, str]]:
    """The texts to store for a row: part, position there, role and text."""
    texts = []
    for part in row.parts:
        for position, message in enumerate(row.data[part]):
            texts.append((part, position, message["role"], message["content"]))
            others = {key: value for key, value in message.items() if key not in ("role", "content")}
            if others:
                texts.append((f"{part}{KEYS}", position, message["role"], json.dumps(others, ensure_ascii=False)))
    if row.tools is not None:
        texts.append((TOOLS, 0, "system", json.dumps(row.tools, ensure_ascii=False)))
    return texts


async def imported(session: AsyncSession) -> list[Candidate]:
    """Every imported row, in the order of import."""
    texts: dict[int, list[tuple[schema.ImportedText, str | None]]] = defaultdict(list)
    query = (
        select(schema.ImportedText, schema.MessageVersion.text)
        .join(schema.MessageVersion, schema.MessageVersion.id == schema.ImportedText.version_id)
        .order_by(schema.ImportedText.row_id, schema.ImportedText.part, schema.ImportedText.position)
    )
    for entry, text in await session.execute(query):
        texts[entry.row_id].append((entry, text))
    rows = await session.scalars(select(schema.ImportedRow).order_by(schema.ImportedRow.id))
    return [_candidate(row, texts[row.id]) for row in rows]


def _candidate(row: schema.ImportedRow, texts: Sequence[tuple[schema.ImportedText, str | None]]) -> Candidate:
    found: dict[str, list[Message]] = defaultdict(list)
    for entry, text in texts:
        if entry.part != TOOLS and not entry.part.endswith(KEYS):
            found[entry.part].append(Message(role=entry.role, content=text or ""))
    for entry, text in texts:
        if entry.part.endswith(KEYS):
            found[entry.part.removesuffix(KEYS)][entry.position].update(json.loads(text or "{}"))
    tools = next((json.loads(text) for entry, text in texts if entry.part == TOOLS and text), None)
    names = next(names for names in PARTS[row.kind] if names[0] in found)
    parts = {name: found[name] for name in names}
    first = parts[names[0]]
    if first and first[0]["role"] != "system" and row.persona in PERSONAS and (row.language or "en") in LANGUAGES:
        system = persona(row.persona, row.language or "en").system_prompt
        first.insert(0, Message(role="system", content=system))
    problem = None if row.consented else NO_CONSENT
    return Candidate(
        kind=row.kind,
        parts=parts,
        problem=ERASED if any(text is None for _, text in texts) else problem,
        anchor=anchor(first, None),
        platform=row.platform,
        persona=row.persona,
        language=row.language,
        source=row.source or "import",
        label=row.label,
        tools=tools,
        weight=row.weight,
        margin=row.margin,
        id=row.source_id.removeprefix(imported_id(row.kind, "")),
        raters=(row.rater,) if row.rater else (),
        backing={row.rater: 1.0} if row.rater else {},
        # Operators may show their own rows to anybody, unless a row forbids it; never rows from other platforms.
        outside_judge=row.platform == IMPORT and row.outside_judge is not False,
    )
