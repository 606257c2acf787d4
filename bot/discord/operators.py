"""Who runs this installation: the application's owner, its team, and the people in `PARLEY_OPERATORS`."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import aiohttp
import discord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

HOUR = 60 * 60.0
MINUTE = 60.0
_ROLES = (discord.TeamMemberRole.admin, discord.TeamMemberRole.developer)


class Operators:
    """Knows the operators. Asks Discord at most once an hour, and once a minute while Discord does not answer."""

    def __init__(
        self, client: discord.Client, named: Iterable[int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._named = frozenset(named)
        self._owners: frozenset[int] = frozenset()
        self._clock = clock
        self._next_look = float("-inf")

    async def include(self, user: int) -> bool:
        """Whether a person is an operator now, by their id on Discord."""
        await self.look()
        return user in self._named or user in self._owners

    async def look(self) -> None:
        """Ask Discord who owns the application, unless that was asked lately."""
        if self._clock() < self._next_look:
            return
        self._next_look = self._clock() + MINUTE
        try:
            self._owners = owners(await self._client.application_info())
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:  # known operators stay operators
            log.warning("Discord did not say who owns the application (%s)", type(error).__name__)
            return
        self._next_look = self._clock() + HOUR


def owners(info: discord.AppInfo) -> frozenset[int]:
    """The owners of an application: one person, or the members of a team who may change the application.

    Members who are only invited, or may only read, are not among them.
    """
    team = info.team
    if team is None:
        return frozenset((info.owner.id,))
    joined = discord.TeamMembershipState.accepted
    found = {member.id for member in team.members if member.membership_state is joined and member.role in _ROLES}
    return frozenset(found if team.owner_id is None else {*found, team.owner_id})
