"""`python -m data key`: whether the installation's key is the right one, and how to go on with another."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from data.database import Database
from data.errors import BadInput
from data.home import DATABASE, KEY, KeyLost, draw_key, installation_key
from data.keys import accept_key, is_known, note_key

COST = """\
First look for the right file: it is in every backup of this home. Put it in place, private to the account that runs
Parley, and everything is as it was.
Without it you can go on with another key, by `python -m data key --accept`. This cannot be taken back, and it costs:
- Everybody becomes a stranger. They are asked for their consent again, and cannot see, take back or erase what they
  said before. You still can, by their pseudonyms.
- So all consents are void: nothing that people said so far trains anything any more, and their texts are erased after
  PARLEY_RETENTION_DAYS. Rows that you imported stay.
- The folds of rows are drawn anew. A row that trained the champion may then help to decide about the next release, so
  trust people's votes more than held-out rows in the next rounds.
- Rows of people are no longer known in files that you exported before: delete those files.
Releases and settings stay. Stop the bot and every round first."""


async def key(home: Path, *, accept: bool) -> None:
    """Say whether a home's key is the one that its database was made with; with `accept`, go on with another.

    Raises `BadInput`, which says what that costs, when the key is lost and `accept` is not given.
    """
    if not (home / DATABASE).exists():
        print(f"There is no database in {home} yet. Its key is drawn when the database is made.")
        return
    problem = await _problem(home)
    if problem is None:
        print(f"{home / KEY} is the key that {home / DATABASE} was made with. Keep a copy of it with every backup.")
        return
    if not accept:
        raise BadInput(f"{problem}\n{COST}")
    database = home / DATABASE
    new = _usable(home / KEY)
    opened = await Database.open(database)
    try:
        async with opened.write() as session:
            strangers = await accept_key(session, new)
    finally:
        await opened.close()
    print(f"{database} goes on with the key in {home / KEY}. {_people(strangers)}")


async def _problem(home: Path) -> str | None:
    """What is wrong with a home's key; None if nothing is."""
    try:
        found = installation_key(home)
        opened = await Database.open(home / DATABASE)
        try:
            async with opened.read() as session:
                known = await is_known(session, found, home)
            if not known:
                async with opened.write() as session:
                    await note_key(session, found)
        finally:
            await opened.close()
    except KeyLost as error:
        return error.problem
    return None


def _usable(path: Path) -> bytes:
    """The key in a file. A file that holds no key is moved aside, and a new key is drawn."""
    try:
        found = path.read_bytes()
    except OSError:
        found = b""
    if len(found) == 32:  # whatever it is, the database was made with another one
        return found
    if path.exists() or path.is_symlink():
        path.rename(path.with_name(f"{KEY}.{datetime.now(UTC):%Y-%m-%d}.{secrets.token_hex(2)}"))
    return draw_key(path)


def _people(count: int) -> str:
    if not count:
        return "Nobody was known here, so nothing else changed."
    return f"{count} {'person is a stranger' if count == 1 else 'people are strangers'} now, and will be asked again."
