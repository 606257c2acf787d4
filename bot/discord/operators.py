"""Who runs this installation: the application's owner, its team, and those whom `PARLEY_OPERATORS` names."""

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
    """Knows who they are. Discord is asked at most hourly, and once a minute while it does not answer."""

    def __init__(
        self, client: discord.Client, named: Iterable[int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._named = frozenset(named)
        self._owners: frozenset[int] = frozenset()
        self._clock = clock
        self._next_look = float("-inf")

    async def include(self, user: int) -> bool:
        """Whether somebody is an operator now, by their id on Discord."""
        await self.look()
        return user in self._named or user in self._owners

    async def look(self) -> None:
        """Ask Discord whose the application is, unless that is known well enough."""
        if self._clock() < self._next_look:
            return
        self._next_look = self._clock() + MINUTE
        try:
            self._owners = owners(await self._client.application_info())
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:  # those known so far stay operators
            log.warning("Discord did not say whose the application is (%s)", type(error).__name__)
            return
        self._next_look = self._clock() + HOUR


def owners(info: discord.AppInfo) -> frozenset[int]:
    """Whose an application is: its owner's, or its team's.

    Of a team's members those who may change the application: not who was only invited, and not who may only read.
    """
    team = info.team
    if team is None:
        return frozenset((info.owner.id,))
    joined = discord.TeamMembershipState.accepted
    found = {member.id for member in team.members if member.membership_state is joined and member.role in _ROLES}
    return frozenset(found if team.owner_id is None else {*found, team.owner_id})
