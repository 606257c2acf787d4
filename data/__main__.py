"""`python -m data import | export | stats | lineage | raters | lessons | keys | forget | backup | restore | check |
key | fetch`.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from data.errors import run
from data.home import home

_FOLDS = ("train", "judge_train", "judge", "gate", "all")


def main() -> int:
    """Read the command line and run the command."""
    arguments = _parser().parse_args()

    # After the flags are read: --help does not load the database.
    from data import api_keys_command, backup_commands, commands, key_command, lessons_command, raters_command

    match arguments.command:
        case "import":
            given = {"dry_run": arguments.dry_run, "allow_download": arguments.allow_download}
            asyncio.run(commands.import_files(arguments.files, **given))
        case "export":
            asyncio.run(commands.export(arguments.kind, arguments.out, arguments.fold, force=arguments.force))
        case "stats":
            asyncio.run(commands.stats())
        case "lineage":
            asyncio.run(commands.lineage(arguments.person))
        case "forget":
            asyncio.run(commands.forget(arguments.rater))
        case "raters":
            asyncio.run(raters_command.raters(arguments))
        case "lessons":
            asyncio.run(lessons_command.lessons(arguments))
        case "keys":
            asyncio.run(api_keys_command.keys(arguments))
        case "backup":
            backup_commands.backup(arguments.out, encrypt=arguments.encrypt)
        case "restore":
            backup_commands.restore_home(arguments.backup, replace=arguments.replace)
        case "check":
            backup_commands.check(arguments.backup)
        case "key":
            asyncio.run(key_command.key(home(), accept=arguments.accept))
        case "fetch":
            commands.fetch(arguments.alias)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description="Import, export and count feedback.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add = commands.add_parser("import", help="store the rows of files or data sets, all or none")
    add.add_argument(
        "files",
        nargs="+",
        metavar="ROWS.jsonl",
        help="JSON lines, a JSON array, CSV, Parquet (packed with gzip or not), a data set folder, or a Hugging Face "
        "id; NAME#SPLIT chooses a part of a data set",
    )
    add.add_argument(
        "--dry_run", action="store_true", help="say what the files hold and list bad rows; store nothing"
    )
    add.add_argument("--allow_download", action="store_true", help="fetch data sets by their Hugging Face id")
    export = commands.add_parser("export", help="write the rows that may be trained on, in TRL's formats")
    export.add_argument("--kind", required=True, metavar="demonstrations|preferences|labelled|prompts")
    export.add_argument("--out", required=True, type=Path, metavar="ROWS.jsonl")
    export.add_argument("--fold", default="train", choices=_FOLDS, help="which fold (default: train)")
    export.add_argument("--force", action="store_true", help="replace the file if it exists")
    commands.add_parser("stats", help="show what the installation holds and what may be used")
    lineage = commands.add_parser("lineage", help="show which rounds and releases learnt from a person")
    lineage.add_argument(
        "person", nargs="?", metavar="PERSON", help="a pseudonym, as `stats` lists it (default: everybody who left)"
    )
    forget = commands.add_parser("forget", help="erase everything that one person said and rated")
    forget.add_argument("rater", metavar="RATER", help="the person's pseudonym, as `stats` lists it")
    _add_backups(commands)
    key = commands.add_parser("key", help="check the installation's key, and what to do when it is lost")
    key.add_argument("--accept", action="store_true", help="go on with another key; see what it costs without this")
    fetch = commands.add_parser("fetch", help="download a bundled base model to this machine")
    fetch.add_argument("alias", nargs="?", default="smollm2-135m", metavar="ALIAS")
    _add_raters(commands)
    _add_lessons(commands)
    _add_keys(commands)
    return parser


def _add_backups(commands: Any) -> None:
    backup = commands.add_parser(
        "backup",
        help="write the home into one file, while the bot and rounds may run",
        description="Write the database, the key, the releases and the rounds into one private file. Base models are "
        "left out. With a passphrase in PARLEY_BACKUP_PASSPHRASE it is encrypted.",
    )
    backup.add_argument(
        "out", nargs="?", type=Path, metavar="FILE", help="a new file (default: parley-backup-TIME.tar, here)"
    )
    backup.add_argument("--encrypt", action="store_true", help="ask for a passphrase if none is set")
    restore = commands.add_parser(
        "restore",
        help="put a backup in the place of the home, once all of it is verified",
        description="Verify a backup, and put it in the place of PARLEY_HOME in one step. Nothing may run meanwhile.",
    )
    restore.add_argument("backup", type=Path, metavar="FILE", help="what `backup` wrote")
    restore.add_argument("--replace", action="store_true", help="replace a home that is there; it is kept beside it")
    check = commands.add_parser(
        "check",
        help="find what is damaged, missing or changed in the home, and say what to do",
        description="Check the home. Exit code 0: all is well, 1: small things to mend, 2: damage.",
    )
    check.add_argument("backup", nargs="?", type=Path, metavar="FILE", help="check this backup instead")


def _add_raters(commands: Any) -> None:
    raters = commands.add_parser("raters", help="show who weighs how much and why; vouch for people, take them out")
    raters.add_argument("--json", action="store_true", help="print the report as JSON")
    deeds = raters.add_subparsers(dest="deed", metavar="vouch|unvouch|void")
    for deed, meaning in (
        ("vouch", "let somebody whom you know hold more than one head: up to a third of each kind of row"),
        ("unvouch", "take that back"),
        ("void", "take somebody's ratings out of what is trained, and out of the gate"),
    ):
        one = deeds.add_parser(deed, help=meaning)
        one.add_argument("name", metavar="NAME", help="a pseudonym from the report, or PLATFORM:ID (discord:1234)")
        if deed == "void":
            one.add_argument("--undo", action="store_true", help="let their ratings count again")


def _add_lessons(commands: Any) -> None:
    lessons = commands.add_parser("lessons", help="import a FAQ; list, accept and remove lessons")
    deeds = lessons.add_subparsers(dest="deed", metavar="import|list|accept|remove", required=True)
    add = deeds.add_parser("import", help="make a lesson of each entry of a FAQ; unchanged entries stay")
    add.add_argument("file", metavar="FILE", help="CSV or JSON lines with question and answer, or Markdown")
    add.add_argument("--server", metavar="ID", help="the Discord server that it is for (default: everybody)")
    add.add_argument("--persona", metavar="NAME", help="the persona that it is for (default: all)")
    deeds.add_parser("list", help="show all lessons")
    accept = deeds.add_parser("accept", help="let a lesson stand in everybody's prompts on its platform")
    accept.add_argument("number", type=int, metavar="NUMBER")
    accept.add_argument("--own", action="store_true", help="undo that: let it hold only for the person who taught it")
    remove = deeds.add_parser("remove", help="take a lesson, or all entries of a file, out of the prompts")
    remove.add_argument("what", metavar="NUMBER|FILE")


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="make, list and revoke the keys of the API (docs/api.md)")
    deeds = keys.add_subparsers(dest="deed", metavar="add|list|revoke", required=True)
    add = deeds.add_parser("add", help="make a key for a program, and print its secret once")
    add.add_argument("name", metavar="NAME", help="small letters, digits and - _ . (telegram-bot)")
    add.add_argument("--platform", metavar="NAME", help="where its users talk (default: the key's name)")
    add.add_argument(
        "--may",
        nargs="+",
        choices=("chat", "feedback", "rows"),
        default=["chat", "feedback"],
        help="what it may do; rows are all that may be trained on, for the operator (default: chat feedback)",
    )
    add.add_argument(
        "--consent",
        action="store_true",
        help="the program asks its users for consent, with Parley's text, and says so in each request",
    )
    add.add_argument("--hourly", type=_limit, default=0, metavar="N", help="answers an hour in all (default: any)")
    add.add_argument(
        "--hourly_per_user", type=_limit, default=0, metavar="N", help="answers an hour for each user (default: any)"
    )
    deeds.add_parser("list", help="show all keys and what they may do")
    revoke = deeds.add_parser("revoke", help="let a key open nothing from now on")
    revoke.add_argument("name", metavar="NAME")


def _limit(text: str) -> int:
    """A number of answers from the command line."""
    if not text.isdecimal() or int(text) > 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of answers from 0 to 10000000")
    return int(text)


if __name__ == "__main__":
    run(main)
