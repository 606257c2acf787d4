"""The names that the model reads for people: the display names of the platform, in memory only, never stored."""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = 10_000  # people whose names are remembered
LONGEST = 32
# A message under one of these names would look like more than a person's message.
_ROLES = ("system", "assistant", "user", "developer", "tool")


def label(name: str) -> str | None:
    """A display name on one line, for the front of a message; None if it is empty or could mislead the model."""
    plain = "".join(sign for sign in name if sign.isprintable() and sign not in ":：")
    plain = " ".join(plain.split())[:LONGEST].strip()
    if not plain or plain.casefold() in _ROLES or re.fullmatch(r"person \d+", plain.casefold()):
        return None
    return plain


class DisplayNames:
    """The names of the people who were seen most recently."""

    def __init__(self) -> None:
        self._names: OrderedDict[int, str] = OrderedDict()

    def saw(self, person: int, name: str) -> None:
        """Remember the name that a person has now."""
        if (plain := label(name)) is None:
            self._names.pop(person, None)
            return
        self._names[person] = plain
        self._names.move_to_end(person)
        while len(self._names) > KNOWN:
            self._names.popitem(last=False)

    def forget(self, person: int) -> None:
        """Forget the name of a person."""
        self._names.pop(person, None)

    def __call__(self, people: Iterable[int | None]) -> dict[int | None, str]:
        """The names of these people; of people with the same name only the first gets it."""
        found: dict[int | None, str] = {}
        taken: set[str] = set()
        for person in people:
            name = self._names.get(person) if person is not None else None
            if name is not None and name.casefold() not in taken:
                found[person] = name
                taken.add(name.casefold())
        return found
