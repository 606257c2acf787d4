"""Personas on Discord: who chooses which one answers, and the window in which a server's managers write their own."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot import server_personas
from bot.discord.commands.threads import opened_thread
from bot.discord.managers import for_managers, manages
from bot.discord.place import scopes
from bot.discord.presses import tell
from bot.discord.rules import PERSONA, PERSONAS_HERE
from bot.discord.windows import fields_of, send_window
from bot.engine.api import EngineError
from bot.server_personas import DEFAULT, LONGEST, LONGEST_GREETING, Unusable, nearest, tidy
from bot.texts import Texts, texts
from data.chat import Message, harmless
from data.personas import PERSONAS, Persona, persona

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from bot.discord.app import Talk
    from bot.discord.client import Bot, Parley

    Offer = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]

log = logging.getLogger(__name__)

_WINDOW = "parley:persona:"
_PROMPT, _GREETING = "prompt", "greeting"
Name = app_commands.Range[str, 1, 40]


def add_personas(bot: Parley, tree: app_commands.CommandTree[Bot]) -> None:
    """Add the commands to the bot's tree."""

    @tree.command(name="persona")
    @app_commands.autocomplete(name=offered(bot.talk, more=(DEFAULT,)))
    @app_commands.choices(
        where=[app_commands.Choice(name="here", value="here"), app_commands.Choice(name="server", value="server")],
    )
    async def choose(
        interaction: discord.Interaction[Bot],
        name: Name | None = None,
        where: app_commands.Choice[str] | None = None,
    ) -> None:
        await interaction.response.defer(ephemeral=True)
        wide = where is not None and where.value == "server"
        await tell(interaction, await chosen(bot.talk, interaction, name, wide=wide))

    @tree.command(name="persona_write")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    async def write(interaction: discord.Interaction[Bot], name: Name) -> None:
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words):
            return
        name = tidy(name)
        own = await bot.talk.rules.personas(interaction.guild_id)
        try:
            server_personas.check_name(name, own, words)
        except Unusable as error:
            await tell(interaction, str(error))
        else:
            # It must be the first thing that Discord hears.
            await send_window(interaction, window(name, own.get(name), words))

    @tree.command(name="persona_delete")
    @app_commands.guild_only()
    @app_commands.default_permissions(manage_guild=True)
    @app_commands.autocomplete(name=offered(bot.talk, shipped=()))
    async def delete(interaction: discord.Interaction[Bot], name: Name) -> None:
        await interaction.response.defer(ephemeral=True)
        words = texts(str(interaction.locale))
        if not await for_managers(interaction, words):
            return
        name = tidy(name)
        place = ("server", str(interaction.guild_id))
        try:
            await bot.talk.store.change_setting(
                PERSONAS_HERE, place, lambda own: server_personas.without_persona(own, name, words)
            )
        except Unusable as error:
            await tell(interaction, str(error))
            return
        await bot.talk.audit(interaction, "persona_delete", name=name)
        await tell(interaction, words.persona_deleted.format(name=name))


def offered(talk: Talk, *, shipped: Sequence[str] = PERSONAS, more: Sequence[str] = ()) -> Offer:
    """The names of personas that there are here, the server's own among them, to choose from while somebody types."""

    async def offer(interaction: discord.Interaction[Bot], typed: str) -> list[app_commands.Choice[str]]:
        names = (*shipped, *await talk.rules.personas(interaction.guild_id), *more)
        fitting = [name for name in names if tidy(typed) in name]
        return [app_commands.Choice(name=name, value=name) for name in fitting[:25]]  # Discord shows no more

    return offer


async def there(talk: Talk, interaction: discord.Interaction, name: str) -> Persona | None:
    """A persona that there is here, by its name as somebody typed it."""
    name = tidy(name)
    if name in PERSONAS:
        return persona(name, talk.settings.language)
    return (await talk.rules.personas(interaction.guild_id)).get(name)


async def no_such_persona(talk: Talk, interaction: discord.Interaction, name: str, words: Texts) -> str:
    """What to say about a name that no persona here has."""
    names = (*PERSONAS, *await talk.rules.personas(interaction.guild_id))
    return words.persona_missing.format(names=", ".join(names), nearest=nearest(tidy(name), names, words))


async def chosen(talk: Talk, interaction: discord.Interaction[Bot], name: str | None, *, wide: bool) -> str:
    """Let another persona answer in this channel or on the whole server; returns who answers here now."""
    words = texts(str(interaction.locale))
    places = scopes(interaction.channel, interaction.guild_id)
    if name is not None and places:
        if not await _may_choose(talk, interaction, wide=wide):
            return words.managers_only
        name = tidy(name)
        if name != DEFAULT and await there(talk, interaction, name) is None:
            return await no_such_persona(talk, interaction, name, words)
        place, server = places[-1] if wide else places[0], interaction.guild_id
        await talk.store.set_setting(PERSONA, place, None if name == DEFAULT else name, server=server)
        if _manages(interaction, wide=wide):  # what people choose for themselves is nobody else's business
            await talk.audit(interaction, "persona", name=name, where="server" if wide else "here")
        log.info("the persona of a %s was set", "server" if wide else "channel")
    now = await talk.persona(interaction.channel, interaction.guild_id)
    names = (*PERSONAS, *await talk.rules.personas(interaction.guild_id))
    return words.persona_list.format(names=", ".join(names), name=now.name)


async def _may_choose(talk: Talk, interaction: discord.Interaction, *, wide: bool) -> bool:
    """Managers choose; and who opened a thread chooses in it, as everybody does alone with the bot."""
    if interaction.guild_id is None or _manages(interaction, wide=wide):
        return True
    return not wide and await opened_thread(talk, interaction.channel, interaction.user)


def _manages(interaction: discord.Interaction, *, wide: bool) -> bool:
    return manages(interaction, "manage_guild" if wide else "manage_channels")


def window(name: str, now: Persona | None, words: Texts) -> discord.ui.Modal:
    """A window to write a persona in, or to write one anew that there is."""
    made = discord.ui.Modal(title=words.persona_title.format(name=name)[:45], custom_id=f"{_WINDOW}{name}")
    made.add_item(discord.ui.TextDisplay(words.persona_becomes))
    prompt: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph,
        custom_id=_PROMPT,
        default=now.system_prompt if now else None,
        max_length=LONGEST,
    )
    greeting: Any = discord.ui.TextInput(
        style=discord.TextStyle.paragraph,
        custom_id=_GREETING,
        default=now.greeting if now else None,
        required=False,
        max_length=LONGEST_GREETING,
    )
    made.add_item(
        discord.ui.Label(text=words.persona_prompt, description=words.persona_prompt_help, component=prompt)
    )
    return made.add_item(
        discord.ui.Label(text=words.persona_greeting, description=words.persona_greeting_help, component=greeting)
    )


async def written(talk: Talk, interaction: discord.Interaction) -> None:
    """The window of a persona was sent; whatever goes wrong, the person is told."""
    data: dict[str, Any] = dict(interaction.data or {})
    custom_id = str(data.get("custom_id", ""))
    if not custom_id.startswith(_WINDOW):
        return
    words = texts(str(interaction.locale))
    with suppress(discord.HTTPException):  # what was written is kept, whether or not Discord hears that it was
        await interaction.response.defer(ephemeral=True)
    try:
        # Who was a manager when the window opened need not be one any more.
        if not await for_managers(interaction, words):
            return
        fields = {field["custom_id"]: field for field in fields_of(data.get("components", []))}
        prompt, greeting = (str(fields.get(name, {}).get("value") or "") for name in (_PROMPT, _GREETING))
        await tell(
            interaction, await _keep(talk, interaction, custom_id.removeprefix(_WINDOW), prompt, greeting, words)
        )
    except Exception:
        log.exception("a persona could not be written")
        await tell(interaction, words.internal_error)


async def _keep(
    talk: Talk, interaction: discord.Interaction, name: str, prompt: str, greeting: str, words: Texts
) -> str:
    """Keep a persona; returns what became of it."""
    try:
        await _must_fit(talk, prompt, words)
        await talk.store.change_setting(
            PERSONAS_HERE,
            ("server", str(interaction.guild_id)),
            lambda own: server_personas.with_persona(own, name, prompt, greeting, words),
        )
    except Unusable as error:
        return str(error)
    await talk.audit(interaction, "persona_write", name=name)
    return words.persona_written.format(name=name)


async def _must_fit(talk: Talk, prompt: str, words: Texts) -> None:
    """Raise `Unusable` when a system prompt leaves no room for what people say."""
    try:
        async with talk.chat.engine.session() as session:
            system = Message(role="system", content=harmless(prompt, session.control))
            tokens, most = await session.count_tokens([system]), session.context_length // 4
    except EngineError as error:
        log.info("how long a persona's text is for the model is not known: %s", type(error).__name__)
        return
    if tokens > most:
        raise Unusable(words.persona_no_room.format(tokens=tokens, most=most))
