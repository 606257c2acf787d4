"""The rows that were imported, read back from the store."""

import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.bulk import Grouped, rows
from data.candidates import ERASED, FOLLOWUP, NO_CONSENT, Candidate, anchor
from data.chat import Message
from data.database import chunks
from data.home import keyed_hash
from data.personas import LANGUAGES, broken_personas, persona, persona_names, personas_dir
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
    await session.flush()


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


_ROWS = """
SELECT id, source_id, kind, label, persona, language, source, weight, margin, outside_judge, platform, consented,
       rater
FROM imported_rows ORDER BY id
"""
_TEXTS = """
SELECT t.row_id, t.part, t.position, t.role, v.text
FROM imported_texts t CROSS JOIN message_versions v ON v.id = t.version_id
ORDER BY t.row_id, t.part, t.position
"""
_Text = tuple[str, int, str, str | None]  # part, position there, role and text


def imported(connection: sqlite3.Connection) -> Iterator[Candidate]:
    """Every imported row, in the order of import."""
    texts = Grouped(rows(connection, _TEXTS))
    # A row of a persona whose file is broken is an error: without its prompt it would be another row.
    names = {*persona_names(), *broken_personas(personas_dir())}
    prompt = cache(lambda name, language: persona(name, language).system_prompt)
    for row in rows(connection, _ROWS):
        known = row[4] in names and (row[5] or "en") in LANGUAGES
        yield _candidate(_Imported(*row), texts.of(row[0]), prompt(row[4], row[5] or "en") if known else "")


class _Imported(NamedTuple):
    id: int
    source_id: str
    kind: str
    label: int | None
    persona: str | None
    language: str | None
    source: str | None
    weight: float
    margin: float | None
    outside_judge: int | None
    platform: str
    consented: int
    rater: str | None


def _candidate(row: _Imported, texts: Sequence[_Text], system_prompt: str) -> Candidate:
    found: dict[str, list[Message]] = {}
    more, tools, erased = [], None, False
    for part, position, role, text in texts:
        erased = erased or text is None
        if part == TOOLS:
            tools = json.loads(text) if text else None
        elif part.endswith(KEYS):
            more.append((part.removesuffix(KEYS), position, text))
        else:
            found.setdefault(part, []).append({"role": role, "content": text or ""})
    for part, position, text in more:
        found[part][position].update(json.loads(text or "{}"))
    names = next(names for names in PARTS[row.kind] if names[0] in found)
    parts = {name: found[name] for name in names}
    first = parts[names[0]]
    if first and first[0]["role"] != "system" and system_prompt:
        first.insert(0, Message(role="system", content=system_prompt))
    problem = None if row.consented else NO_CONSENT
    return Candidate(
        kind=row.kind,
        parts=parts,
        problem=ERASED if erased else problem,
        anchor=anchor(first, None),
        platform=row.platform,
        persona=row.persona,
        language=row.language,
        source=row.source or "import",
        label=None if row.label is None else bool(row.label),
        tools=tools,
        weight=row.weight,
        margin=row.margin,
        id=row.source_id.removeprefix(imported_id(row.kind, "")),
        raters=(row.rater,) if row.rater else (),
        backing={row.rater: 1.0} if row.rater else {},
        # Operators may show their own rows to anybody, unless a row forbids it; never rows from other platforms.
        outside_judge=row.platform == IMPORT and row.outside_judge != 0,
        weak=row.source == FOLLOWUP,
    )
