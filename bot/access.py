"""Whom the bot answers, and where: one pure decision from what a server's managers allowed and blocked."""

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
MOST = 200  # entries of one server; a role covers many people with one entry
_PEOPLE = ("user", "role")


class Access(Enum):
    """Whether a person is answered in a place, and if not, why."""

    GIVEN = "answered"
    PERSON = "the person, or one of their roles, is blocked"
    PLACE = "the place is blocked"
    UNLISTED = "others are allowed, and this person is not among them"


class TooMany(Exception):
    """A server's list is full."""


@dataclass(frozen=True)
class Who:
    """A person who asks or rates, as the platform describes them."""

    user: str
    roles: Sequence[str] = ()
    manager: bool = False

    def names(self) -> Iterator[Scope]:
        """The entries of a list that apply to them."""
        yield "user", self.user
        yield from (("role", role) for role in self.roles)


def decide(said: Mapping[Scope, str], who: Who, places: Sequence[Scope]) -> Access:
    """Whether a person is answered in a place. `places` are the place and those around it, from narrow to wide.

    People who manage the server are always answered, so that nobody locks themselves out. A block of the person or of
    one of their roles comes first. As soon as anybody is allowed, only people who are allowed are answered. Among
    places the most specific setting wins: thread, then channel, category, server.
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
    """A server's list with this entry, or without it if the verdict is None. Raises `TooMany` if the list is full."""
    changed = {name: value for name, value in said.items() if name != entry}
    if verdict is not None:
        if len(changed) >= MOST:
            raise TooMany
        changed[entry] = verdict
    return changed


def stored(said: Mapping[Scope, str]) -> dict[str, str] | None:
    """A server's list as it is stored in a setting; None if it is empty."""
    return {":".join(name): verdict for name, verdict in said.items()} or None


def read(setting: Mapping[str, str] | None) -> dict[Scope, str]:
    """A server's list from its setting."""
    entries = ((name.partition(":"), verdict) for name, verdict in (setting or {}).items())
    return {(kind, number): verdict for (kind, _, number), verdict in entries}


def sentence(texts: Texts, why: Access) -> str:
    """What to tell a person who is not answered."""
    return {
        Access.PERSON: texts.access_person,
        Access.PLACE: texts.access_place,
        Access.UNLISTED: texts.access_unlisted,
    }[why]
