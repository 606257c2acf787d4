"""Imports rows into the store, and collects all rows that may be used."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.anchors import fingerprint
from data.candidates import opening
from data.collected import Collected
from data.datasets import collect
from data.erasure import erased_rows, said_before
from data.errors import BadInput
from data.home import installation_key
from data.imported import imported_id, rekeyed, texts_of
from data.live import Pair
from data.people import rater_named
from data.platforms import platform_name
from data.row import IMPORT, Row, content_id
from data.row_ids import row_id
from data.store import Store


@dataclass(slots=True)
class Imported:
    """The result of an import: new rows by kind, rows that were there already, and rows with an erased text."""

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0
    erased: int = 0


TIE = ", field 'tie': a tie teaches no preference; leave such rows out."


async def import_rows(store: Store, rows: Iterable[Row]) -> Imported:
    """Store rows, all or none. A row whose id (or content, if it has no id) is stored already is skipped.

    `platform` and `consent` in a row say where it comes from and whether it may be trained on. A row with neither
    counts as the importing operator's own, who is responsible for it. A row that names a platform needs
    `consent: true`. A row that names its `rater` (a pseudonym from here, PLATFORM:ID or any name) counts as that
    person's: it uses up their quota of the day of the import, and they hold no more than others may. Raises
    `BadInput` at a tie: stored as a preference, it would teach something that nobody prefers.
    """
    rows = list(rows)
    for row in rows:
        if row.extra.get("tie"):
            raise BadInput(f"row {row.id}{TIE}")
    result = Imported()
    key = installation_key(store.database.path.parent)
    async with store.database.write() as session:
        ids = await session.execute(select(schema.ImportedRow.source_id, schema.ImportedRow.id))
        known: dict[str, int] = dict(ids.all())
        gone = await erased_rows(session)
        erased = select(schema.Tombstone.ref_hash).where(schema.Tombstone.kind == "text")
        tombstones: set[str] = set((await session.scalars(erased)).all())
        for row in rows:
            texts, before = texts_of(row), row.id  # `before`: its name in earlier versions
            if before in gone:
                result.erased += 1
                continue
            number = before if row.extra.get("id") else rekeyed(key, before)
            same_number = known.get(imported_id(row.kind, number)) if before.isdigit() else None
            if same_number is not None and await _differs(session, same_number, texts):
                # A number only counts the rows of one file; another file has the same numbers.
                before = f"{before}-{content_id(row.data)[:12]}"
                number = rekeyed(key, before)
            # A row that was erased since has another name: an id may be a hash of its content.
            names = [
                imported_id(row.kind, each) for each in (number, before, rekeyed(key, number), rekeyed(key, before))
            ]
            if not known.keys().isdisjoint(names):
                result.known += 1
                continue
            source_id = names[0]
            # Only a row that was exported from here can have been erased here: others merely say the same.
            exported = row.id == row_id(key, row.kind, row.data)
            if exported and any(said_before(key, text) & tombstones for *_, text in texts):
                result.erased += 1
                continue
            platform = platform_name(row.extra.get("platform") or IMPORT)
            imported = schema.ImportedRow(
                source_id=source_id,
                opening=fingerprint(key, opening(row.data[row.parts[0]])),
                kind=row.kind,
                label=row.data.get("label"),
                persona=row.extra.get("persona"),
                language=row.extra.get("language"),
                source=row.extra.get("source"),
                weight=float(row.extra.get("weight", 1.0)),
                margin=None if row.extra.get("margin") is None else float(row.extra["margin"]),
                outside_judge=row.extra.get("outside_judge"),
                platform=platform,
                consented=row.extra.get("consent", platform == IMPORT) is True,
                rater=await rater_named(session, key, rater) if (rater := row.extra.get("rater")) else None,
            )
            session.add(imported)
            versions = [schema.MessageVersion(text=text) for *_, text in texts]
            session.add_all(versions)
            await session.flush()
            known[source_id] = imported.id
            session.add_all(
                schema.ImportedText(row_id=imported.id, part=part, position=i, role=role, version_id=version.id)
                for (part, i, role, _), version in zip(texts, versions, strict=True)
            )
            result.new[row.kind] += 1
    return result


async def _differs(session: AsyncSession, stored: int, texts: Sequence[tuple[str, int, str, str]]) -> bool:
    """Whether a stored row has other texts than these, as far as nothing in it was erased."""
    query = (
        select(schema.ImportedText, schema.MessageVersion.text)
        .join(schema.MessageVersion, schema.MessageVersion.id == schema.ImportedText.version_id)
        .where(schema.ImportedText.row_id == stored)
    )
    found = [(entry.part, entry.position, entry.role, text) for entry, text in await session.execute(query)]
    return all(text is not None for *_, text in found) and sorted(found) != sorted(texts)


async def collect_rows(store: Store, *, discord_permission: str | None, trial: Pair | None = None) -> Collected:
    """The rows of an installation that may be used now; new rows get their permanent fold.

    `trial` are two releases whose comparisons are counted on the way.
    """
    database = store.database.path
    key = installation_key(database.parent)
    return await asyncio.to_thread(
        collect, database, database, key, discord_permission=discord_permission, trial=trial
    )
