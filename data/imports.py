"""Imports rows into the store, and collects all rows that may be used."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from data import schema
from data.candidates import IMPORT
from data.datasets import Collected, collect
from data.erasure import erased_rows, said_before
from data.errors import BadInput
from data.home import installation_key
from data.imported import imported_id
from data.row_ids import row_id
from data.rows import Row
from data.store import Store


@dataclass(slots=True)
class Imported:
    """The result of an import: new rows by kind, rows that were there already, and rows with an erased text."""

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0
    erased: int = 0


def check_ties(rows: Iterable[Row], file: Path | None = None) -> None:
    """Raise `BadInput` at a tie: stored as a preference, it would teach something that nobody prefers."""
    for row in rows:
        if row.extra.get("tie"):
            where = f"{file}, line {row.line}" if file else f"row {row.id}"
            raise BadInput(f"{where}, field 'tie': a tie teaches no preference; leave such rows out.")


async def import_rows(store: Store, rows: Iterable[Row]) -> Imported:
    """Store rows, all or none. A row whose id (or content, if it has no id) is stored already is skipped.

    `platform` and `consent` in a row say where it comes from and whether it may be trained on. A row with neither
    counts as the importing operator's own, who is responsible for it. A row that names a platform needs
    `consent: true`. Raises `BadInput` at a tie (see `check_ties`).
    """
    rows = list(rows)
    check_ties(rows)
    result = Imported()
    key = installation_key(store.database.path.parent)
    async with store.database.write() as session:
        known = set((await session.scalars(select(schema.ImportedRow.source_id))).all())
        gone = await erased_rows(session)
        erased = select(schema.Tombstone.ref_hash).where(schema.Tombstone.kind == "text")
        tombstones: set[str] = set((await session.scalars(erased)).all())
        for row in rows:
            source_id = imported_id(row.kind, row.id)
            if row.id in gone:
                result.erased += 1
                continue
            if source_id in known:
                result.known += 1
                continue
            known.add(source_id)
            texts = [(part, i, m) for part in row.parts for i, m in enumerate(row.data[part])]
            # Only a row that was exported from here can have been erased here: others merely say the same.
            exported = row.id == row_id(key, row.kind, row.data)
            if exported and any(said_before(key, m["content"]) & tombstones for _, _, m in texts):
                result.erased += 1
                continue
            platform = (row.extra.get("platform") or IMPORT).strip().lower()  # "Discord" in any spelling
            imported = schema.ImportedRow(
                source_id=source_id,
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
            )
            session.add(imported)
            versions = [schema.MessageVersion(text=message["content"]) for _, _, message in texts]
            session.add_all(versions)
            await session.flush()
            session.add_all(
                schema.ImportedText(row_id=imported.id, part=part, position=i, role=m["role"], version_id=version.id)
                for (part, i, m), version in zip(texts, versions, strict=True)
            )
            result.new[row.kind] += 1
    return result


async def collect_rows(store: Store, *, discord_permission: str | None) -> Collected:
    """The rows of an installation that may be used now; new rows get their permanent fold."""
    key = installation_key(store.database.path.parent)
    async with store.database.read() as session:
        return await collect(session, store.database.write, key, discord_permission=discord_permission)
