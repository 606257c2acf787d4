"""Personal links to the web page: each signs one person in, once, and only for some minutes.

They are in memory only, by their hashes, so a restart ends them all. Whoever has a link is that person for the page:
it is shown to that person alone, and never logged.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME = 15 * 60.0  # seconds
PATH = "/sign-in/link"
_MOST = 10_000  # links that are not used yet; the oldest go first


@dataclass(frozen=True)
class Invited:
    """Whom a link signs in: the store's number of a person, and whether as an operator."""

    person: int
    operator: bool = False


class SignInLinks:
    """Makes and takes personal links. `address` is the page's, without a slash at its end; None while it is off.

    `public` says whether members' browsers can reach it: on loopback only the operator's can.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.address: str | None = None
        self.public = True
        self._clock = clock
        self._open: dict[str, tuple[Invited, float]] = {}

    def make(self, invited: Invited) -> str | None:
        """A new link for a person; their earlier ones no longer work. None while the page is off.

        An operator's earlier links go on working: anybody may ask the page to print another one.
        """
        if self.address is None:
            return None
        now = self._clock()
        self._open = {
            key: (other, until)
            for key, (other, until) in self._open.items()
            if until > now and (invited.operator or other != invited)
        }
        while len(self._open) >= _MOST:
            del self._open[next(iter(self._open))]
        token = secrets.token_urlsafe(32)
        self._open[_hash(token)] = (invited, now + LIFETIME)
        return f"{self.address}{PATH}?token={token}"

    def open(self, token: str) -> bool:
        """Whether a link still works. It is not used up by that: a messenger may look at a link to preview it."""
        found = self._open.get(_hash(token))
        return found is not None and found[1] > self._clock()

    def take(self, token: str) -> Invited | None:
        """Use a link up; None when it was used, is too old, or never was one."""
        invited, until = self._open.pop(_hash(token), (None, 0.0))
        return invited if until > self._clock() else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
