"""What the commands of `python -m data` do. `data.__main__` reads the command line."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from data import bundled, lineage_command
from data.collected import Collected
from data.database import NAME
from data.erasure import FORGOTTEN, erased_rows
from data.errors import BadInput, NothingToDo, nearest
from data.home import discord_permission, home
from data.imports import TIE, collect_rows, import_rows
from data.lineage import releases_with
from data.pasted import pasted
from data.rounds import remove_leftovers
from data.rows import EXPORTED, Row, check_rows, for_others, write_rows
from data.stats import print_stats
from data.store import Store

_LISTED = 100  # bad rows that are listed


@asynccontextmanager
async def _opened(*, begins: bool = False) -> AsyncIterator[Store]:
    """The store. Raises `BadInput` where there is none, which only an import `begins`."""
    if not begins and not home().is_file() and not (home() / NAME).exists():
        raise BadInput(
            f"There is no home in {home()} yet. Is PARLEY_HOME right? Chat and rate (`make run`), or import rows "
            "(`python -m data import ROWS.jsonl`), to begin one."
        )
    store = await Store.open(home())
    try:
        yield store
    finally:
        await store.close()


async def import_files(sources: list[str], *, dry_run: bool = False, allow_download: bool = False) -> None:
    """Store the rows of some files or data sets, all or none; with `dry_run`, only say what they hold.

    Raises `BadInput` with a list of the bad rows and unreadable files if there are any; nothing is stored then.
    """
    rows: list[Row] = []
    problems: list[str] = []
    unread: list[str] = []
    for source in sources:  # everything is checked before any row is stored
        try:
            found = check_rows(source, allow_download=allow_download)
        except BadInput as error:
            unread.append(str(error))
            continue
        rows += found.rows
        ties = [row.line for row in found.rows if row.extra.get("tie")]
        problems += [*found.problems, *(f"{source}, line {line}{TIE}" for line in ties)]
    files = f"{len(sources)} file{'s' if len(sources) > 1 else ''}"
    if dry_run:
        kinds = Counter(row.kind for row in rows)
        print(f"{_counted(kinds) or 'no rows'} in {files}; nothing is stored (--dry_run).")
    if problems or unread:
        raise BadInput(_listed(unread, problems))
    if dry_run:
        return
    async with _opened(begins=True) as store:
        result = await import_rows(store, rows)
    known = f"; {result.known} were there already" if result.known else ""
    known += f"; {result.erased} left out because somebody had a text in them erased" if result.erased else ""
    print(f"Imported {_counted(result.new) or 'no new rows'} from {files}{known}.")


def _counted(kinds: Mapping[str, int]) -> str:
    named = {kind: plural for plural, kind in EXPORTED.items()}
    return ", ".join(f"{count} {kind if count == 1 else named[kind]}" for kind, count in sorted(kinds.items()))


def _listed(unread: list[str], problems: list[str]) -> str:
    """The sentences of files that cannot be read and of bad rows, at most `_LISTED` of these, and how many there
    are."""
    if len(unread) + len(problems) == 1:
        return (unread or problems)[0]
    more = [f"... and {len(problems) - _LISTED} more"] if len(problems) > _LISTED else []
    counts = [
        f"{len(found)} {what if len(found) == 1 else f'{what}s'} cannot be {done}"
        for found, what, done in ((unread, "file", "read"), (problems, "row", "used"))
        if found
    ]
    return "\n".join([*unread, *problems[:_LISTED], *more, f"{', '.join(counts)}; nothing was stored."])


async def export(kind: str, out: Path, fold: str, *, force: bool) -> None:
    """Write the rows of one kind and fold that may be trained on. Raises `NothingToDo` when there are none."""
    if kind not in EXPORTED:
        raise BadInput(f"--kind {kind} is not one of {', '.join(EXPORTED)}.{nearest(kind, EXPORTED)}")
    _check_writable(out, force=force)
    async with _opened() as store:
        collected = await collect_rows(store, discord_permission=discord_permission())
    rows = collected.of(EXPORTED[kind], None if fold == "all" else fold)
    held_back = collected.dropped.get(EXPORTED[kind], Counter())
    for reason, count in sorted(held_back.items()):
        print(f"Held back {count}: {reason}.")
    others = _other_folds(collected, EXPORTED[kind], fold)
    if not rows:
        raise NothingToDo(f"There are no {kind} in fold {fold}; nothing was written.{others}")
    write_rows(out, map(for_others, rows))
    print(f"Wrote {_counted({EXPORTED[kind]: len(rows)})} to {out} ({held_back.total()} held back).{others}")


def _other_folds(collected: Collected, kind: str, fold: str) -> str:
    """A sentence that says how many rows of a kind are in the folds that are not exported."""
    counts: Counter[str] = Counter()
    for use, count in collected.counts().items():
        counts[use.fold] += count * (use.kind == kind)
    counts = +counts
    others = ", ".join(f"{counts[name]} in {name}" for name in sorted(counts) if name != fold)
    return f" Other folds: {others}." if others and fold != "all" else ""


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
    """Erase what the person with this name said and rated. Raises `BadInput` when there is nobody."""
    async with _opened() as store:
        erased = await store.eraser.forget(await store.person_named(rater))
        if store.eraser.words_in_log:
            print("Another process is reading the database; its log keeps the texts until that process ends.")
        async with store.database.read() as session:
            learnt = releases_with(home(), await erased_rows(session, FORGOTTEN))
    if not remove_leftovers(home()):
        print("A round is running; it removes its own copy of the rows when it ends.")
    print(f"Forgot {rater}: {erased} texts erased, with their ratings.")
    print("Releases trained before keep what they learnt; the next round trains without these rows.")
    if learnt:
        numbers = ", ".join(map(str, learnt))
        print(pasted(f"Releases that learnt from people who left: {numbers} (see `python -m data lineage`)."))


def fetch(alias: str) -> None:
    """Download a bundled base model. Raises `BadInput` when that fails."""
    bundled.fetch(alias)
