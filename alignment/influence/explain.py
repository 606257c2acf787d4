"""From an answer to the ratings that it owes most to: read, measure, name, tell."""

import asyncio

from rich.console import Console

from alignment.influence.asked import Asked, stored
from alignment.influence.learnt import ERASED, Key, Learnt, learnt, release_of
from alignment.influence.measure import measure
from alignment.influence.named import Given, named
from alignment.influence.telling import tell
from data.collected import Collected
from data.datasets import collect
from data.erasure import erased_rows
from data.errors import NothingToDo
from data.home import discord_permission, home, installation_key
from data.releases import Releases
from data.store import Store


def explain(console: Console, question: Asked | str, top: int) -> None:
    """Print the `top` ratings that an answer owes most to: a given one, or the one in the store with this name.

    Raises `BadInput` where there is no such answer or release, `NothingToDo` where it has learnt from nothing here.
    """
    asked, found = asyncio.run(_read(question))
    owed = measure(console, Releases(home()).get(asked.release), asked, found)
    tell(console, asked, found, owed, asyncio.run(_named(found, owed.scores, top)))


async def _read(question: Asked | str) -> tuple[Asked, Learnt]:
    store = await Store.open(home())
    try:
        asked = await stored(store, question) if isinstance(question, str) else question
        releases = Releases(home())
        release_of(releases, asked.release)
        async with store.database.read() as session:
            erased = await erased_rows(session)
        found = learnt(releases, asked.release, await asyncio.to_thread(_collected, store), erased)
    finally:
        await store.close()
    if not any(stage.rows for stage in found.stages):
        gone = ""
        if found.missing:
            gone = f" {found.missing.total()} are gone, {found.missing[ERASED]} because somebody had a text erased."
        none = f"No row that release {asked.release} learnt from is here.{gone}"
        raise NothingToDo(" ".join([none, *found.notes]))
    return asked, found


def _collected(store: Store) -> Collected:
    """The rows that may be used now. Nothing is drawn: to ask changes nothing."""
    path = store.database.path
    return collect(path, path, installation_key(path.parent), discord_permission=discord_permission(), draws=False)


async def _named(found: Learnt, scores: dict[Key, float], top: int) -> list[Given]:
    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            return await named(session, installation_key(home()), found.feedback, scores, top)
    finally:
        await store.close()
