"""`/faq`: a server's managers import questions with their answers, list them, and remove them."""

from __future__ import annotations

import asyncio
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.commands.personas import no_such_persona, offered, persona_named
from bot.discord.ids import person_of, server_of
from bot.discord.managers import for_managers, manages
from bot.discord.reading import FETCHING
from bot.discord.render import split
from bot.discord.telling import tell
from bot.lessons import listed
from bot.server_personas import tidy
from bot.texts.commands import CALLED
from data.errors import BadInput
from data.faq import file_of, import_entries, named
from data.lesson_files import entries_of

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.texts import Texts
    from data.lesson_files import Entry

LARGEST = 256 * 1024  # bytes of a file
MOST = 500  # entries on a server; the search for similar questions looks at all of them
_MEASURING = 30.0  # seconds that it may take to find out which entries fit into a prompt

Page = app_commands.Range[int, 1, 10_000]
What = app_commands.Range[str, 1, 100]


class _Refused(Exception):
    """A file is not imported; `str` is the sentence for the manager."""


def add_faq(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the commands to a tree."""
    group = app_commands.Group(
        name="faq",
        description=CALLED["faq"].for_en,
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    @group.command(name="import")
    @app_commands.autocomplete(persona=offered(app))
    async def import_file(
        interaction: discord.Interaction,
        file: discord.Attachment,
        persona: app_commands.Range[str, 1, 40] | None = None,
    ) -> None:
        if (texts := await for_managers(interaction)) is not None:
            await tell(interaction, await imported(app, interaction, file, persona, texts))

    @group.command(name="list")
    async def show(interaction: discord.Interaction, page: Page = 1) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        server = await server_of(app.store, interaction.guild_id)
        lines = listed(await app.store.lessons.entries_on(server or 0), texts, page)
        for text in split("\n".join([texts.faq_list, *lines, texts.faq_how]) if lines else texts.faq_none):
            await tell(interaction, text)

    @group.command(name="remove")
    @app_commands.autocomplete(what=_files(app))
    async def remove(interaction: discord.Interaction, what: What) -> None:
        if (texts := await for_managers(interaction)) is None:
            return
        server = await server_of(app.store, interaction.guild_id)
        gone = named(await app.store.lessons.entries_on(server or 0), what.strip())
        if gone:
            await app.store.eraser.erase_lessons([each.lesson for each in gone])
            await record(app.store, interaction, "faq_remove", what=what.strip(), entries=len(gone))
        await tell(interaction, texts.faq_removed.format(count=len(gone)) if gone else texts.faq_missing)

    tree.add_command(group)


def _files(app: App) -> Any:
    """Offers the names of a server's files to its managers while they type."""

    async def offer(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        server = await server_of(app.store, interaction.guild_id)
        if server is None or not manages(interaction):
            return []
        entries = await app.store.lessons.entries_on(server)
        names = sorted({file_of(each.entry or "") for each in entries})
        fitting = [name for name in names if typed.lower() in name.lower()]
        return [app_commands.Choice(name=name, value=name) for name in fitting[:25]]  # Discord shows no more

    return offer


async def imported(
    app: App, interaction: discord.Interaction, file: discord.Attachment, name: str | None, texts: Texts
) -> str:
    """Make lessons of a file's entries, for a persona or for all; returns how that ended."""
    server = await server_of(app.store, interaction.guild_id)
    if server is None:
        return texts.managers_only
    if name is not None and await persona_named(app, interaction, name) is None:
        return await no_such_persona(app, interaction, name, texts)
    try:
        entries = await _entries(file, texts)
        await _must_have_room(app, server, entries, texts)
    except _Refused as refused:
        return str(refused)
    author = await person_of(app.store, interaction.user.id)
    persona = None if name is None else tidy(name)
    done = await import_entries(app.store, entries, server=server, persona=persona, author=author)
    named_file = file_of(entries[0].place)
    await record(app.store, interaction, "faq_import", file=named_file, new=done.new, changed=done.changed)
    told = [texts.faq_imported.format(file=named_file, new=done.new, changed=done.changed, there=done.there)]
    if done.again:
        told.append(texts.faq_again.format(count=done.again))
    long = await _too_long(app, server, named_file)
    if long:
        told.append(texts.faq_too_long.format(count=len(long), entry=long[0]))
    return "\n".join(told)


async def _entries(file: discord.Attachment, texts: Texts) -> list[Entry]:
    """The entries of a file that was sent. Raises `_Refused` for one that cannot be used."""
    large = _Refused(texts.faq_large.format(kib=LARGEST // 1024))
    if file.size > LARGEST:
        raise large
    try:
        async with asyncio.timeout(FETCHING):
            data = await file.read()
    except (discord.DiscordException, aiohttp.ClientError, OSError):
        raise _Refused(texts.faq_unread) from None
    if len(data) > LARGEST:  # more than Discord said
        raise large
    try:
        return entries_of(PurePath(PurePath(file.filename).name), data)
    except BadInput as error:
        raise _Refused(texts.faq_unusable.format(problem=error)) from None


async def _must_have_room(app: App, server: int, entries: list[Entry], texts: Texts) -> None:
    """Raise `_Refused` when a server would have too many entries."""
    there = await app.store.lessons.entries_on(server)
    count = len({each.question.lower() for each in there} | {each.question.lower() for each in entries})
    if count > MOST:
        raise _Refused(texts.faq_most.format(count=count, most=MOST))


async def _too_long(app: App, server: int, file: str) -> list[str]:
    """The entries of a file that fit into no prompt, by their places; none while the engine does not tell."""
    try:
        async with asyncio.timeout(_MEASURING):
            found = named(await app.store.lessons.entries_on(server), file)
            return [each.entry or "" for each in found if not await app.chat.fits(each)]
    except TimeoutError:
        return []
