"""`python -m data import | export | stats | forget | fetch`: the memory, from the command line."""

import argparse
import asyncio
from collections import Counter
from pathlib import Path

from data.errors import BadInput, NothingToDo, nearest, run
from data.home import discord_permission, home

_KINDS = {
    "demonstrations": "demonstration",
    "preferences": "preference",
    "labelled": "labelled",
    "prompts": "prompt",
}
_FOLDS = ("train", "judge_train", "judge", "gate", "all")


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m data", description="Import, export and count feedback.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    bring = commands.add_parser("import", help="store the rows of files of JSON lines, all or none")
    bring.add_argument("files", nargs="+", type=Path, metavar="ROWS.jsonl")
    take = commands.add_parser("export", help="write the rows that may be trained on, in TRL's formats")
    take.add_argument("--kind", required=True, metavar="|".join(_KINDS))
    take.add_argument("--out", required=True, type=Path, metavar="ROWS.jsonl")
    take.add_argument("--fold", default="train", choices=_FOLDS, help="which fold (default: train)")
    take.add_argument("--force", action="store_true", help="replace the file if it is there")
    commands.add_parser("stats", help="show what the installation holds and what may be used")
    drop = commands.add_parser("forget", help="erase all that one person said and rated")
    drop.add_argument("rater", metavar="RATER", help="the person's pseudonym, as `stats` lists it")
    fetch = commands.add_parser("fetch", help="bring a bundled base model onto this machine")
    fetch.add_argument("alias", nargs="?", default="smollm2-135m", metavar="ALIAS")
    arguments = parser.parse_args()
    if arguments.command == "fetch":
        return _fetch(arguments.alias)
    if arguments.command == "import":
        return asyncio.run(_import(arguments.files))
    if arguments.command == "export":
        return asyncio.run(_export(arguments))
    if arguments.command == "forget":
        return asyncio.run(_forget(arguments.rater))
    return asyncio.run(_stats())


def _fetch(alias: str) -> int:
    from data import bases

    bases.fetch(alias)
    return 0


async def _import(files: list[Path]) -> int:
    from data.imports import check_ties, import_rows
    from data.rows import Row, read_rows
    from data.store import Store

    rows: list[Row] = []
    for file in files:  # every one is checked before any row is stored
        found = read_rows(file)
        check_ties(found, file)
        rows += found
    store = await Store.open(home())
    try:
        result = await import_rows(store, rows)
    finally:
        await store.close()
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(result.new.items())) or "no new rows"
    known = f"; {result.known} were there already" if result.known else ""
    known += f"; {result.erased} left out because somebody had a text in them erased" if result.erased else ""
    print(f"Imported {counts} from {len(files)} file{'s' if len(files) > 1 else ''}{known}.")
    return 0


async def _export(arguments: argparse.Namespace) -> int:
    from data.imports import collect_rows
    from data.rows import write_rows
    from data.store import Store

    if arguments.kind not in _KINDS:
        known = ", ".join(_KINDS)
        raise BadInput(f"--kind {arguments.kind} is not one of {known}.{nearest(arguments.kind, _KINDS)}")
    if arguments.out.exists() and not arguments.force:
        raise BadInput(f"{arguments.out} is there already; choose another name or add --force.")
    if not arguments.out.absolute().parent.is_dir():
        raise BadInput(f"There is no folder {arguments.out.absolute().parent} to write to.")
    store = await Store.open(home())
    try:
        collected = await collect_rows(store, discord_permission=discord_permission())
    finally:
        await store.close()
    kind = _KINDS[arguments.kind]
    rows = collected.of(kind, None if arguments.fold == "all" else arguments.fold)
    held_back = collected.dropped.get(kind, Counter())
    for reason, count in sorted(held_back.items()):
        print(f"Held back {count}: {reason}.")
    if not rows:
        raise NothingToDo(f"There are no {arguments.kind} in fold {arguments.fold}; nothing was written.")
    write_rows(arguments.out, rows)
    print(f"Wrote {len(rows)} {arguments.kind} to {arguments.out} ({held_back.total()} held back).")
    return 0


async def _forget(rater: str) -> int:
    from data.rounds import remove_leftovers
    from data.store import Store

    store = await Store.open(home())
    try:
        erased = await store.forget(await store.person_of_pseudonym(rater))
        if store.words_in_log:
            print("Another process reads the database; its log loses the words when that ends.")
    finally:
        await store.close()
    if not remove_leftovers(home()):
        print("A round is running: it removes its own copy of the rows when it ends.")
    print(f"Forgot {rater}: {erased} texts erased, with their ratings.")
    print("Releases trained before keep what they learnt; the next round trains without these rows.")
    return 0


async def _stats() -> int:
    from data.stats import print_stats
    from data.store import Store

    store = await Store.open(home())
    try:
        await print_stats(store, discord_permission=discord_permission())
    finally:
        await store.close()
    return 0


if __name__ == "__main__":
    run(main)
