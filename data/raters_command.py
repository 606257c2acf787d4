"""`python -m data raters`: who weighs how much, for whom an operator vouches, and whose ratings they take out."""

import argparse
import shlex

from data.errors import NothingToDo
from data.home import discord_permission, home
from data.pasted import pasted
from data.people import pseudonyms
from data.rater_report import print_raters
from data.standings import Deed, set_standing
from data.store import Store
from data.user import user_here

_SAID: dict[Deed, tuple[str, str]] = {
    "vouch": ("You now vouch for {name}.", "You vouch for {name} already."),
    "unvouch": ("You no longer vouch for {name}.", "You do not vouch for {name}."),
    "void": (
        "What {name} rated is no longer trained on. Releases trained before keep what they learnt. To undo it: "
        "`python -m data raters void {name} --undo`.",
        "The ratings of {name} are out already.",
    ),
    "unvoid": ("What {name} rated may be trained on again.", "The ratings of {name} were not taken out."),
}


async def raters(arguments: argparse.Namespace) -> None:
    """Print the report, or do what was asked. Raises `BadInput` when there is no such person."""
    store = await Store.open(home())
    try:
        if arguments.deed is None:
            await print_raters(store, discord_permission=discord_permission(), as_json=arguments.json)
            return
        deed: Deed = "unvoid" if arguments.deed == "void" and arguments.undo else arguments.deed
        person = await store.person_named(arguments.name)
        async with store.database.write() as session:
            changed = await set_standing(session, person, deed)
        done, nothing = _SAID[deed]
        if not changed:
            raise NothingToDo(nothing.format(name=arguments.name))
        operator = await store.person("terminal", user_here())
        await store.record_deed(operator, deed, rater=await _pseudonym(store, person))
        print(pasted(done.format(name=shlex.quote(arguments.name))))
    finally:
        await store.close()


async def _pseudonym(store: Store, person: int) -> str:
    async with store.database.read() as session:
        return (await pseudonyms(session))[person]
