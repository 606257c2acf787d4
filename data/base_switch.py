"""Begins anew from another base, with all feedback kept: a base goes, what people said of its answers stays.

Ratings, corrections and comparisons are about texts, so they train any base. What belongs to the base before is its
champion, its trial and the history of champions: they end, and release 0 of the new base serves. Its releases stay on
disk; they cannot serve here until the home has their base again.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from data.bases import base_info
from data.chosen_base import VARIABLE, base_before, home_base
from data.database import NAME
from data.errors import BadInput, NothingToDo
from data.generations import name_base
from data.home import home, private_dir, setting
from data.home_base import HomeBase
from data.releases import Releases
from data.store import Store


def switch(name: str, *, say: Callable[[str], None] = print) -> None:
    """Give this installation's home the base `name`; running bots follow by themselves.

    Raises `NothingToDo` if the home has it already, and `BadInput` if there is no such base, if `PARLEY_BASE` names
    another one, or while a round runs. A process that is killed leaves the home with the base before or the new one.
    """
    info = base_info(name)
    if (said := setting(VARIABLE)) not in (None, name):
        raise BadInput(
            f"{VARIABLE} names the base model {said}, so everything would refuse {name} after the switch. Set it to "
            f"{name} or unset it, in the environment or in .env, and run the same command again."
        )
    where, now = home(), HomeBase(name=name, sha256=info.sha256)
    before = base_before(where)
    if now.has(before.name, before.sha256 or None):
        home_base(where, pin=True)
        raise NothingToDo(f"This home ({where}) has the base model {name} already.")
    with _no_round(where):
        if (where / NAME).exists():
            # Before anything else: whenever the process dies, this is true of the answers so far.
            asyncio.run(_name_answers(where, before.mark))
        Releases(where).begin_anew(name, info.sha256)
    for sentence in _sentences(where, before, now):
        say(sentence)


@contextmanager
def _no_round(where: Path) -> Iterator[None]:
    """Keep rounds from beginning. Raises `BadInput` while one runs: it trains on the base before."""
    lock = FileLock(private_dir(where / "rounds") / ".lock", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        raise BadInput(f"A round is running in {where}, on the base before. Wait for its end, or stop it.") from None
    try:
        yield
    finally:
        lock.release()


async def _name_answers(where: Path, mark: str) -> None:
    store = await Store.open(where)
    try:
        async with store.database.write() as session:
            await name_base(session, mark)
    finally:
        await store.close()


def _sentences(where: Path, before: HomeBase, now: HomeBase) -> list[str]:
    every = Releases(where).all()
    left = [release.number for release in every if not now.has(release.base, release.manifest.base_sha256)]
    usable = [release.number for release in every if release.number not in left]
    said = [
        f"This home ({where}) begins anew from the base model {now.name}: release 0 is that base now, and it serves. "
        "All feedback is kept, and the next round trains on it: `python -m alignment.round`."
    ]
    if left:
        said.append(
            f"{_named(left)} of {before.name} {'stays' if len(left) == 1 else 'stay'} on disk and cannot serve until "
            "this home has that base again."
        )
    if usable:
        said.append(f"{_named(usable)} of {now.name} can serve again: `python -m alignment.promote {usable[-1]}`.")
    return said


def _named(numbers: list[int]) -> str:
    return f"Release{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
