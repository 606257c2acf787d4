"""What `python -m data backup`, `restore` and `check` print. `data.__main__` reads the command line."""

import getpass
import sys
from pathlib import Path

from data.backup import default_name, write_backup
from data.check import check_home
from data.errors import BadInput, NothingToDo
from data.finding import Finding
from data.home import home, setting
from data.pasted import pasted
from data.reapply import Reapplied
from data.restore import Restored, is_sealed, restore, verify


def backup(out: Path | None, *, encrypt: bool) -> None:
    """Write a backup of the home, encrypted if there is a passphrase."""
    made = write_backup(home(), out or default_name(), _new_passphrase(ask=encrypt))
    print(f"Wrote {made.path}: {made.files} files, {made.bytes / 1e6:.1f} MB, {_form(encrypted=made.encrypted)}.")
    if not made.encrypted:
        print("It holds the key and what people said, readable for whoever has it: keep it as private as the home.")
    print("What people erase from now on is still in it. Delete it after PARLEY_RETENTION_DAYS.")


def _form(*, encrypted: bool) -> str:
    return "encrypted" if encrypted else "not encrypted"


def restore_home(source: Path, *, replace: bool) -> None:
    """Put a backup in the place of the home."""
    place = home()
    done = restore(place, _there(source), _passphrase(source), replace=replace)
    print(f"Restored {place} as it was on {done.manifest.created_at}: {len(done.manifest.files)} files, all whole.")
    if done.before is not None:
        print(
            f"The home from before is kept as {done.before}. Neither `forget` nor the daily erasure reaches it: "
            "delete it soon, at the latest after PARLEY_RETENTION_DAYS."
        )
    print(pasted(_again(done.again)))
    _say_bases(done)


def _again(done: Reapplied | None) -> str:
    if done is not None and done.readable:
        return (
            f"What the home from before knew was erased again: {done.texts} texts, {done.people} people who were "
            f"forgotten, {done.consents} consents that were taken back."
        )
    return (
        "What people erased after the backup was made is back, because no home from before could tell. Forget the "
        "same people again with `python -m data forget`."
    )


def _say_bases(done: Restored) -> None:
    if done.missing_bases:
        print(
            f"Base models are not in a backup, and these are missing here: {', '.join(done.missing_bases)}. Fetch "
            "the bundled one with `python -m data fetch`, and add yours again, from the same weights, with "
            "`python -m alignment.bases add` (or copy its folder to where PARLEY_BASES says)."
        )


def check(source: Path | None) -> None:
    """Check the home, or a backup; print what is wrong and what to do. Raises `NothingToDo` for small things only,
    `BadInput` for damage."""
    if source is not None:
        manifest = verify(_there(source), _passphrase(source))
        print(f"{source} is whole: {len(manifest.files)} files of {manifest.created_at}.")
        return
    findings = check_home(home())
    for finding in findings:
        print(pasted(f"{'damage' if finding.damage else 'note'}: {finding.sentence}"))
    damage = sum(finding.damage for finding in findings)
    _conclude(findings, damage)


def _conclude(findings: list[Finding], damage: int) -> None:
    if damage:
        raise BadInput(f"{home()} is damaged in {damage} place{'s' if damage > 1 else ''}; see above what to do.")
    if findings:
        raise NothingToDo(
            f"{home()} is whole; {len(findings)} small thing{'s' if len(findings) > 1 else ''} to mend."
        )
    print(f"{home()} is whole: the database, the releases and the rounds.")


def _there(source: Path) -> Path:
    if not source.is_file():
        raise BadInput(f"There is no backup {source}.")
    return source


def _passphrase(source: Path) -> str | None:
    """The passphrase of a backup that is there, or None where it needs none."""
    if not is_sealed(_there(source)):
        return None
    return setting("PARLEY_BACKUP_PASSPHRASE") or _asked("The backup's passphrase: ")


def _new_passphrase(*, ask: bool) -> str | None:
    given = setting("PARLEY_BACKUP_PASSPHRASE")
    if given is not None or not ask:
        return given
    first = _asked("A passphrase for the backup (without it nobody can read the backup, you neither): ")
    if first is None:
        raise BadInput("--encrypt needs a passphrase: set PARLEY_BACKUP_PASSPHRASE, or run this in a terminal.")
    if not first:
        raise BadInput("The passphrase is empty; nothing was written.")
    if first != _asked("The same once more: "):
        raise BadInput("The two passphrases differ; nothing was written.")
    return first


def _asked(prompt: str) -> str | None:
    """What somebody types at the terminal, unseen; None where there is no terminal."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else None
