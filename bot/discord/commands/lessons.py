"""`/lessons`: a person's own lessons to edit and remove, and a server's for its managers to accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands

from bot.discord.audit_log import record
from bot.discord.ids import person_of, server_of
from bot.discord.managers import manages
from bot.discord.render import split
from bot.discord.telling import acknowledge, tell, texts_for
from bot.discord.windows import fix_window, send_window
from bot.lessons import listed
from data.lessons import DECLINED, OWN, REMOVED, SERVER

if TYPE_CHECKING:
    from bot.discord.app import App
    from bot.texts import Texts
    from data.lessons import StoredLesson

Page = app_commands.Range[int, 1, 10_000]
WHAT = [app_commands.Choice(name=name, value=name) for name in ("edit", "remove", "accept", "decline")]


def add_lessons(app: App, tree: app_commands.CommandTree[Any]) -> None:
    """Add the command to a tree."""

    @tree.command(name="lessons")
    @app_commands.choices(what=WHAT)
    async def lessons(
        interaction: discord.Interaction,
        number: int | None = None,
        what: app_commands.Choice[str] | None = None,
        page: Page = 1,
    ) -> None:
        texts = texts_for(interaction)
        if number is None or what is None:
            await acknowledge(interaction)
            for text in await overview(app, interaction, texts, page):
                await tell(interaction, text)
        elif what.value in ("accept", "decline"):
            await acknowledge(interaction)
            await tell(interaction, await decided(app, interaction, number, texts, accept=what.value == "accept"))
        else:
            await _change_own(app, interaction, number, texts, edit=what.value == "edit")


async def overview(app: App, interaction: discord.Interaction, texts: Texts, page: int = 1) -> list[str]:
    """What a person taught; for managers, from a second message on, what others taught on their server.

    What waits for a manager comes first.
    """
    person = await person_of(app.store, interaction.user.id)
    mine = listed(await app.store.lessons.of(person), texts, page)
    lines = [texts.lessons_mine, *mine, texts.lessons_change_discord] if mine else [texts.lessons_none]
    told = split("\n".join(lines))
    server = await server_of(app.store, interaction.guild_id)
    if server is not None and manages(interaction):
        others = [each for each in await app.store.lessons.on(server) if each.author != person]
        theirs = listed(sorted(others, key=lambda each: each.scope == OWN), texts, page)
        if theirs:
            told += split("\n".join([texts.lessons_to_accept, *theirs, texts.lessons_accept_how]))
    return told


async def decided(app: App, interaction: discord.Interaction, number: int, texts: Texts, *, accept: bool) -> str:
    """Let a lesson hold for the whole server, or for its author alone again; returns what was done."""
    if not manages(interaction):
        return texts.managers_only
    server = await server_of(app.store, interaction.guild_id)
    lesson = await app.store.lessons.numbered(number)
    if lesson is None or lesson.server != server:
        return texts.lesson_not_here.format(number=number)
    scope = SERVER if accept else DECLINED
    if not await app.store.lessons.set_scope(number, scope, among=(OWN, DECLINED, SERVER)):  # removed just now
        return texts.lesson_not_here.format(number=number)
    await record(app.store, interaction, "lessons", number=number, what="accept" if accept else "decline")
    if not accept:
        return texts.lesson_declined.format(number=number)
    accepted = texts.lesson_accepted.format(number=number)
    return f"{accepted} {texts.lesson_was_hidden}" if lesson.hidden else accepted


async def _change_own(app: App, interaction: discord.Interaction, number: int, texts: Texts, *, edit: bool) -> None:
    lesson = await _own(app, interaction, number)
    if lesson is None or lesson.generation is None:
        await tell(interaction, texts.lesson_gone.format(number=number))
    elif edit:  # a window must be the first reply that Discord gets
        await send_window(interaction, fix_window(lesson.generation, lesson.answer, texts))
    else:
        await acknowledge(interaction)
        done = await app.store.lessons.set_scope(number, REMOVED)
        await tell(interaction, (texts.lesson_removed if done else texts.lesson_gone).format(number=number))


async def _own(app: App, interaction: discord.Interaction, number: int) -> StoredLesson | None:
    person = await person_of(app.store, interaction.user.id)
    lesson = await app.store.lessons.numbered(number)
    return lesson if lesson is not None and lesson.author == person else None
