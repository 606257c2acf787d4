"""What holds in a place on Discord: who is answered, by which persona, and how often.

What conversations, threads, channels, categories and servers say stands in the store; the installation's own word is
in its settings. Here the two meet; what they decide is decided in `data.scopes`, `bot.access` and `bot.rate_limit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot import access, rate_limit, server_personas
from bot.access import Access, Who
from bot.discord.place import main_channel, scopes
from data.personas import PERSONAS, Persona, persona
from data.scopes import Scope, resolve

if TYPE_CHECKING:
    import discord

    from bot.rate_limit import Cap
    from bot.settings import Settings
    from data.store import Store

# The settings' names in the store.
ACCESS, HOURLY, PERSONA, PERSONAS_HERE = "access", "hourly", "persona", "personas"


class Rules:
    """The rules of all places."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store

    async def access(self, user: discord.abc.User, channel: Any, guild: int | None, *, manager: bool) -> Access:
        """Whether somebody is answered in a channel; alone with the bot everybody is."""
        if guild is None:
            return Access.GIVEN
        said = access.read(await self.store.setting(ACCESS, [_server(guild)]))
        who = Who(str(user.id), [str(role.id) for role in getattr(user, "roles", ())], manager)
        return access.decide(said, who, scopes(channel, guild))

    async def lists(self, user: int) -> dict[str, str]:
        """On which servers' lists somebody stands, and what is said of them there, by the servers' ids."""
        found = await self.store.said_anywhere(ACCESS)
        entries = {server: access.read(said).get(("user", str(user))) for (_, server), said in found.items()}
        return {server: verdict for server, verdict in entries.items() if verdict}

    async def personas(self, guild: int | None) -> dict[str, Persona]:
        """The personas that a server's managers wrote, by name."""
        own = await self.store.setting(PERSONAS_HERE, [_server(guild)]) if guild else None
        return server_personas.read(own, self.settings.language)

    async def persona(self, channel: Any, guild: int | None, conversation: int | None = None) -> Persona:
        """Whom people talk to. A persona that there is no longer says nothing: wider places decide then."""
        places = scopes(channel, guild, conversation)
        said = await self.store.said(PERSONA, places)
        own = await self.personas(guild) if set(said.values()) - set(PERSONAS) else {}
        there = {place: name for place, name in said.items() if name in PERSONAS or name in own}
        name = resolve(there, places, self.settings.persona)
        return own.get(name) or persona(name, self.settings.language)

    async def caps(self, person: int, channel: Any, guild: int | None) -> tuple[Cap, ...]:
        """The limits that an answer to somebody in a channel counts for."""
        asker = rate_limit.Asker(person, main_channel(channel), str(guild) if guild else None, scopes(channel, guild))
        return rate_limit.caps(asker, self.installation, await self.store.said(HOURLY, asker.places))

    @property
    def installation(self) -> dict[str, int]:
        """The installation's limits by kind."""
        settings = self.settings
        limits = (settings.hourly_per_person, settings.hourly_per_channel, settings.hourly_per_server)
        return dict(zip(rate_limit.KINDS, limits, strict=True))


def _server(guild: int | None) -> Scope:
    return "server", str(guild)
