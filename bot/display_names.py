"""What people are called, for the model to read: as they are shown where they talk, in memory only, never kept."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = 10_000  # people whose names are remembered
LONGEST = 32
# A message that seems to come from one of these would be taken for more than a person's words.
_ROLES = ("system", "assistant", "user", "developer", "tool")


def label(name: str) -> str | None:
    """A display name as it can stand before a message, on one line; None for one that says nothing or too much."""
    plain = "".join(sign for sign in name if sign.isprintable() and sign not in ":：")
    plain = " ".join(plain.split())[:LONGEST].strip()
    if not plain or plain.casefold() in _ROLES or re.fullmatch(r"person \d+", plain.casefold()):
        return None
    return plain


class DisplayNames:
    """The names of the people who were seen last."""

    def __init__(self) -> None:
        self._names: OrderedDict[int, str] = OrderedDict()

    def saw(self, person: int, name: str) -> None:
        """A person is shown under this name now."""
        if (plain := label(name)) is None:
            self._names.pop(person, None)
            return
        self._names[person] = plain
        self._names.move_to_end(person)
        while len(self._names) > KNOWN:
            self._names.popitem(last=False)

    def forget(self, person: int) -> None:
        """A person wants to be forgotten."""
        self._names.pop(person, None)

    def __call__(self, people: Iterable[int | None]) -> dict[int | None, str]:
        """The names of those people who have one that no other of them has."""
        found: dict[int | None, str] = {}
        taken: set[str] = set()
        for person in people:
            name = self._names.get(person) if person is not None else None
            if name is not None and name.casefold() not in taken:
                found[person] = name
                taken.add(name.casefold())
        return found
