"""`/lessons`: one's own, and a server's for its managers."""

import discord
import pytest

from bot.discord.ids import person_of
from bot.texts import EN
from data.lessons import DECLINED, SERVER
from tests.bot.discord.world import World, said

pytestmark = pytest.mark.played


async def teach(talk: World) -> int:
    """Ada corrects an answer; returns the number of the lesson."""
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(await talk.ask("When is game night?"), label="✏️")
    await talk.ada.submit_modal(opened, {"text": "On Friday."})
    (lesson,) = await talk.store.lessons.of(await person_of(talk.store, talk.ada.id))
    return lesson.lesson


async def scope(talk: World, number: int) -> str | None:
    lesson = await talk.store.lessons.numbered(number)
    return lesson.scope if lesson else None


async def test_a_person_lists_edits_and_removes_what_they_taught(talk: World):
    assert said(await talk.ada.slash(talk.channel, "lessons")) == EN.lessons_none
    number = await teach(talk)
    assert f"{number}. When is game night? → On Friday." in said(await talk.ada.slash(talk.channel, "lessons"))
    assert said(await talk.bea.slash(talk.channel, "lessons")) == EN.lessons_none
    gone = EN.lesson_gone.format(number=number)
    assert said(await talk.bea.slash(talk.channel, "lessons", number=number, what="remove")) == gone
    opened = await talk.ada.slash(talk.channel, "lessons", number=number, what="edit")
    await talk.ada.submit_modal(opened, {"text": "On Sunday."})
    assert "→ On Sunday." in said(await talk.ada.slash(talk.channel, "lessons"))
    removed = await talk.ada.slash(talk.channel, "lessons", number=number + 1, what="remove")
    assert said(removed) == EN.lesson_removed.format(number=number + 1)
    assert said(await talk.ada.slash(talk.channel, "lessons")) == EN.lessons_none


async def test_managers_accept_for_the_whole_server_and_nobody_else(talk: World, monkeypatch: pytest.MonkeyPatch):
    number = await teach(talk)
    told = await talk.max.slash(talk.channel, "lessons")
    assert EN.lessons_to_accept in told.followups[-1].content
    assert f"{number}. When is game night? → On Friday." in told.followups[-1].content
    await talk.max.slash(talk.channel, "lessons", number=number, what="accept")
    assert await scope(talk, number) == SERVER
    await talk.max.slash(talk.channel, "lessons", number=number, what="decline")
    assert await scope(talk, number) == DECLINED
    missing = await talk.max.slash(talk.channel, "lessons", number=99, what="accept")
    assert said(missing) == EN.lesson_not_here.format(number=99)
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    refused = await talk.max.slash(talk.channel, "lessons", number=number, what="accept")
    assert said(refused) == EN.managers_only
    assert await scope(talk, number) == DECLINED
