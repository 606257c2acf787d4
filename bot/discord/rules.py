"""The rules of a place on Discord: who is answered, by which persona, how often, and whether people may teach.

The settings of conversations, threads, channels, categories and servers are in the store, those of the installation
in its own settings. They are read here; `data.scopes`, `bot.access` and `bot.rate_limit` decide what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot import access, rate_limit, server_personas
from bot.access import Access, Who
from bot.discord.ids import PLATFORM
from bot.discord.place import main_channel, scopes
from data.persona_texts import PERSONAS_HERE
from data.personas import Persona, persona, persona_names
from data.scopes import Scope, resolve

if TYPE_CHECKING:
    import discord

    from bot.rate_limit import Cap
    from bot.settings import Settings
    from data.store import Store

# The settings' names in the store.
ACCESS, HOURLY, PERSONA = "access", "hourly", "persona"


class Rules:
    """The rules of all places."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store

    async def access(self, user: discord.abc.User, channel: Any, guild: int | None, *, manager: bool) -> Access:
        """Whether a person is answered in a channel; in direct messages everybody is."""
        if guild is None:
            return Access.GIVEN
        listed = access.read(await self.store.setting(ACCESS, [_server(guild)]))
        who = Who(str(user.id), [str(role.id) for role in getattr(user, "roles", ())], manager)
        return access.decide(listed, who, scopes(channel, guild))

    async def lists(self, user: int) -> dict[str, str]:
        """What servers' lists say about a person, by server id; servers that say nothing about them are left out."""
        found = await self.store.said_anywhere(ACCESS)
        entries = {server: access.read(listed).get(("user", str(user))) for (_, server), listed in found.items()}
        return {server: verdict for server, verdict in entries.items() if verdict}

    async def teaching(self, guild: int | None) -> bool:
        """Whether people may teach here: in direct messages, and where a server's manager allows it."""
        return guild is None or await self.store.may_teach(PLATFORM, str(guild))

    async def personas(self, guild: int | None) -> dict[str, Persona]:
        """The personas that a server's managers wrote, by name."""
        own = await self.store.setting(PERSONAS_HERE, [_server(guild)]) if guild else None
        return server_personas.read(own, self.settings.language)

    async def persona(self, channel: Any, guild: int | None, conversation: int | None = None) -> Persona:
        """The persona that answers here. A persona that was deleted does not count: wider places decide then."""
        places = scopes(channel, guild, conversation)
        chosen = await self.store.said(PERSONA, places)
        own = await self.personas(guild) if set(chosen.values()) - set(persona_names()) else {}
        existing = {place: name for place, name in chosen.items() if name in persona_names() or name in own}
        name = resolve(existing, places, self.settings.persona)
        return own.get(name) or persona(name, self.settings.language)

    async def caps(self, person: int, channel: Any, guild: int | None) -> tuple[Cap, ...]:
        """The limits that an answer to a person in a channel counts against."""
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
