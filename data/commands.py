"""What the commands of `python -m data` do. `data.__main__` reads the command line."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from data import bases, lineage_command
from data.erasure import FORGOTTEN, erased_rows
from data.errors import BadInput, NothingToDo, nearest
from data.home import discord_permission, home
from data.imports import check_ties, collect_rows, import_rows
from data.lineage import releases_with
from data.rounds import remove_leftovers
from data.rows import Row, read_rows, write_rows
from data.stats import print_stats
from data.store import Store

_KINDS = {
    "demonstrations": "demonstration",
    "preferences": "preference",
    "labelled": "labelled",
    "prompts": "prompt",
}


@asynccontextmanager
async def _opened() -> AsyncIterator[Store]:
    store = await Store.open(home())
    try:
        yield store
    finally:
        await store.close()


async def import_files(files: list[Path]) -> None:
    """Store the rows of some files, all or none. Raises `BadInput` at the first bad row."""
    rows: list[Row] = []
    for file in files:  # every file is checked before any row is stored
        found = read_rows(file)
        check_ties(found, file)
        rows += found
    async with _opened() as store:
        result = await import_rows(store, rows)
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(result.new.items())) or "no new rows"
    known = f"; {result.known} were there already" if result.known else ""
    known += f"; {result.erased} left out because somebody had a text in them erased" if result.erased else ""
    print(f"Imported {counts} from {len(files)} file{'s' if len(files) > 1 else ''}{known}.")


async def export(kind: str, out: Path, fold: str, *, force: bool) -> None:
    """Write the rows of one kind and fold that may be trained on. Raises `NothingToDo` when there are none."""
    if kind not in _KINDS:
        raise BadInput(f"--kind {kind} is not one of {', '.join(_KINDS)}.{nearest(kind, _KINDS)}")
    _check_writable(out, force=force)
    async with _opened() as store:
        collected = await collect_rows(store, discord_permission=discord_permission())
    rows = collected.of(_KINDS[kind], None if fold == "all" else fold)
    held_back = collected.dropped.get(_KINDS[kind], Counter())
    for reason, count in sorted(held_back.items()):
        print(f"Held back {count}: {reason}.")
    if not rows:
        raise NothingToDo(f"There are no {kind} in fold {fold}; nothing was written.")
    write_rows(out, rows)
    print(f"Wrote {len(rows)} {kind} to {out} ({held_back.total()} held back).")


def _check_writable(out: Path, *, force: bool) -> None:
    if out.exists() and not force:
        raise BadInput(f"{out} is there already; choose another name or add --force.")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"There is no folder {out.absolute().parent} to write to.")


async def stats() -> None:
    """Print what the installation holds."""
    async with _opened() as store:
        await print_stats(store, discord_permission=discord_permission())


async def lineage(pseudonym: str | None) -> None:
    """Print which rounds and releases learnt from a person; with None, from people who left."""
    async with _opened() as store:
        await lineage_command.lineage(store, pseudonym)


async def forget(rater: str) -> None:
    """Erase what the person with this pseudonym said and rated. Raises `BadInput` when there is nobody."""
    async with _opened() as store:
        erased = await store.forget(await store.person_of_pseudonym(rater))
        if store.words_in_log:
            print("Another process is reading the database; its log keeps the texts until that process ends.")
        async with store.database.read() as session:
            learnt = releases_with(home(), await erased_rows(session, FORGOTTEN))
    if not remove_leftovers(home()):
        print("A round is running; it removes its own copy of the rows when it ends.")
    print(f"Forgot {rater}: {erased} texts erased, with their ratings.")
    print("Releases trained before keep what they learnt; the next round trains without these rows.")
    if learnt:
        numbers = ", ".join(map(str, learnt))
        print(f"Releases that learnt from people who left: {numbers} (see `python -m data lineage`).")


def fetch(alias: str) -> None:
    """Download a bundled base model. Raises `BadInput` when that fails."""
    bases.fetch(alias)
