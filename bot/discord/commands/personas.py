"""Personas on Discord: choosing which one answers, and writing a server's own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import server_personas
from bot.discord.audit_log import record
from bot.discord.commands.choices import HERE_OR_SERVER, server_wide
from bot.discord.ids import person_of
from bot.discord.managers import for_managers, manages, refused_unless_manager
from bot.discord.own_threads import opened_thread
from bot.discord.place import scopes
from bot.discord.rules import PERSONA
from bot.discord.telling import acknowledge, tell, texts_for
from bot.discord.windows import persona_window, send_window
from bot.engine.api import EngineError
from bot.server_personas import DEFAULT, Unusable, nearest, tidy
from data.chat import Message, harmless
from data.persona_texts import PERSONAS_HERE
from data.personas import Persona, persona, persona_names

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bot.discord.app import App
    from bot.texts import Texts

    Offer = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]

log = logging.getLogger(__name__)

Name = app_commands.Range[str, 1, 40]


def add_personas(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""

    @tree.command(name="persona")
    @app_commands.autocomplete(name=offered(app, more=(DEFAULT,)))
    @app_commands.choices(where=HERE_OR_SERVER)
    async def choose(
        interaction: discord.Interaction,
        name: Name | None = None,
        where: app_commands.Choice[str] | None = None,
    ) -> None:
        await acknowledge(interaction)
        await tell(interaction, await chosen(app, interaction, name, wide=server_wide(where)))

    @tree.command(name="persona_write")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def write(interaction: discord.Interaction, name: Name) -> None:
        # Not acknowledged: the window must be the first reply that Discord gets.
        if await refused_unless_manager(interaction):
            return
        name, texts = tidy(name), texts_for(interaction)
        own = await app.rules.personas(interaction.guild_id)
        try:
            server_personas.check_name(name, own, texts)
        except Unusable as error:
            await tell(interaction, str(error))
        else:
            await send_window(interaction, persona_window(name, own.get(name), texts))

    @tree.command(name="persona_delete")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.autocomplete(name=offered(app, installed=False))
    async def delete(interaction: discord.Interaction, name: Name) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        name = tidy(name)
        place = ("server", str(interaction.guild_id))
        try:
            await app.store.change_setting(
                PERSONAS_HERE, place, lambda own: server_personas.without_persona(own, name, texts)
            )
        except Unusable as error:
            await tell(interaction, str(error))
            return
        await record(app.store, interaction, "persona_delete", name=name)
        await tell(interaction, texts.persona_deleted.format(name=name))


def offered(app: App, *, installed: bool = True, more: Sequence[str] = ()) -> Offer:
    """Offers the names of the personas here, the server's own among them, while a person types."""

    async def offer(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        names = (*(persona_names() if installed else ()), *await app.rules.personas(interaction.guild_id), *more)
        fitting = [name for name in names if tidy(typed) in name]
        return [app_commands.Choice(name=name, value=name) for name in fitting[:25]]  # Discord shows no more

    return offer


async def persona_named(app: App, interaction: discord.Interaction, name: str) -> Persona | None:
    """The persona here with this name, as a person typed it."""
    name = tidy(name)
    if name in persona_names():
        return persona(name, app.settings.language)
    return (await app.rules.personas(interaction.guild_id)).get(name)


async def no_such_persona(app: App, interaction: discord.Interaction, name: str, texts: Texts) -> str:
    """What to say about a name that no persona here has."""
    names = (*persona_names(), *await app.rules.personas(interaction.guild_id))
    return texts.persona_missing.format(names=", ".join(names), nearest=nearest(tidy(name), names, texts))


async def chosen(app: App, interaction: discord.Interaction, name: str | None, *, wide: bool) -> str:
    """Let another persona answer in this channel or on the whole server; returns who answers here now."""
    texts = texts_for(interaction)
    places = scopes(interaction.channel, interaction.guild_id)
    if name is not None and places:
        if not await _may_choose(app, interaction, wide=wide):
            return texts.managers_only
        name = tidy(name)
        if name != DEFAULT and await persona_named(app, interaction, name) is None:
            return await no_such_persona(app, interaction, name, texts)
        place, server = places[-1] if wide else places[0], interaction.guild_id
        await app.store.set_setting(PERSONA, place, None if name == DEFAULT else name, server=server)
        if _manages(interaction, wide=wide):  # what people choose only for themselves is not logged
            await record(app.store, interaction, "persona", name=name, where="server" if wide else "here")
        log.info("the persona of a %s was set", "server" if wide else "channel")
    now = await app.rules.persona(interaction.channel, interaction.guild_id)
    names = (*persona_names(), *await app.rules.personas(interaction.guild_id))
    return texts.persona_list.format(names=", ".join(names), name=now.name)


async def _may_choose(app: App, interaction: discord.Interaction, *, wide: bool) -> bool:
    """Managers may choose; a person may in a thread that they opened; in direct messages everybody may."""
    if interaction.guild_id is None or _manages(interaction, wide=wide):
        return True
    return not wide and await opened_thread(app.store, interaction.channel, interaction.user)


def _manages(interaction: discord.Interaction, *, wide: bool) -> bool:
    return manages(interaction, "manage_guild" if wide else "manage_channels")


async def write_persona(
    app: App, interaction: discord.Interaction, name: str, prompt: str, greeting: str, texts: Texts
) -> None:
    """Store the persona in a window that was sent."""
    # A manager who opened the window need not be one any more.
    if not await refused_unless_manager(interaction):
        await tell(interaction, await _store(app, interaction, name, prompt, greeting, texts))


async def _store(
    app: App, interaction: discord.Interaction, name: str, prompt: str, greeting: str, texts: Texts
) -> str:
    """Store a persona; returns how that ended."""
    author = await person_of(app.store, interaction.user.id)
    try:
        await _must_fit(app, prompt, texts)
        await app.store.change_setting(
            PERSONAS_HERE,
            ("server", str(interaction.guild_id)),
            lambda own: server_personas.with_persona(own, name, prompt, greeting, texts, author=author),
        )
    except Unusable as error:
        return str(error)
    await record(app.store, interaction, "persona_write", name=name)
    return texts.persona_written.format(name=name)


async def _must_fit(app: App, prompt: str, texts: Texts) -> None:
    """Raise `Unusable` when a system prompt leaves no room for what people say."""
    try:
        async with app.chat.engine.session() as session:
            system = Message(role="system", content=harmless(prompt, session.control))
            tokens, most = await session.count_tokens([system]), session.context_length // 4
    except EngineError as error:
        log.info("the length of a persona's text in tokens is not known: %s", type(error).__name__)
        return
    if tokens > most:
        raise Unusable(texts.persona_no_room.format(tokens=tokens, most=most))
