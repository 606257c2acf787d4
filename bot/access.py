"""Who is answered, and where: what a server's managers allowed and blocked, as one pure decision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from data.scopes import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bot.texts import Texts
    from data.scopes import Scope

ALLOW, BLOCK = "allow", "block"
MOST = 200  # entries of one server; whoever needs more takes a role
_PEOPLE = ("user", "role")


class Access(Enum):
    """Whether somebody is answered in a place, and if not, why."""

    GIVEN = "answered"
    PERSON = "the person, or one of their roles, is blocked"
    PLACE = "the place is blocked"
    UNLISTED = "others are allowed, and this person is not among them"


class TooMany(Exception):
    """A server's list is full."""


@dataclass(frozen=True)
class Who:
    """Somebody who asks or rates, by what the platform says of them."""

    user: str
    roles: Sequence[str] = ()
    manager: bool = False

    def names(self) -> Iterator[Scope]:
        """Under which entries of a list they may stand."""
        yield "user", self.user
        yield from (("role", role) for role in self.roles)


def decide(said: Mapping[Scope, str], who: Who, places: Sequence[Scope]) -> Access:
    """Whether somebody is answered in a place, given the chain of places that it lies in, from narrow to wide.

    Who manages the server always is: nobody can lock themselves out. Of people and roles a block counts before all
    else; once anybody is allowed, only those are. Of places the narrowest that something is said about decides.
    """
    if who.manager:
        return Access.GIVEN
    theirs = {said[name] for name in who.names() if name in said}
    if BLOCK in theirs:
        return Access.PERSON
    if resolve(said, places, ALLOW) == BLOCK:
        return Access.PLACE
    listed = any(verdict == ALLOW and kind in _PEOPLE for (kind, _), verdict in said.items())
    return Access.UNLISTED if listed and ALLOW not in theirs else Access.GIVEN


def with_entry(said: Mapping[Scope, str], entry: Scope, verdict: str | None) -> dict[Scope, str]:
    """A server's list with one more entry, or without it when the verdict is None; raises `TooMany` if it is full."""
    changed = {name: value for name, value in said.items() if name != entry}
    if verdict is not None:
        if len(changed) >= MOST:
            raise TooMany
        changed[entry] = verdict
    return changed


def stored(said: Mapping[Scope, str]) -> dict[str, str] | None:
    """A server's list as a setting: nothing at all where it is empty."""
    return {":".join(name): verdict for name, verdict in said.items()} or None


def read(setting: Mapping[str, str] | None) -> dict[Scope, str]:
    """A server's list out of its setting."""
    entries = ((name.partition(":"), verdict) for name, verdict in (setting or {}).items())
    return {(kind, number): verdict for (kind, _, number), verdict in entries}


def sentence(texts: Texts, why: Access) -> str:
    """What to tell somebody who is not answered."""
    return {
        Access.PERSON: texts.access_person,
        Access.PLACE: texts.access_place,
        Access.UNLISTED: texts.access_unlisted,
    }[why]
