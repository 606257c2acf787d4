"""`/lessons`: one's own, and a server's for its managers."""

from dataclasses import replace

import discord
import pytest

from bot.discord import rating
from bot.discord.ids import person_of
from bot.discord.render import LIMIT
from bot.texts import EN
from data.lesson_book import LessonBook
from data.lessons import DECLINED, EVERYWHERE, SERVER, StoredLesson
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


async def test_managers_see_that_a_lesson_comes_from_a_hidden_place_before_and_after_they_accept_it(
    talk: World, monkeypatch: pytest.MonkeyPatch
):
    number = await teach(talk)
    mark = EN.lessons_hidden
    assert mark not in (await pages(talk))[-1]
    monkeypatch.setattr(rating, "everybody_sees", lambda _: False)
    opened = await talk.ada.click(await talk.ask("Where is the spare key?"), label="✏️")
    await talk.ada.submit_modal(opened, {"text": "Under the mat."})
    hidden = (await talk.store.lessons.of(await person_of(talk.store, talk.ada.id)))[-1].lesson
    assert f"{hidden}. Where is the spare key? → Under the mat.{mark}" in (await pages(talk))[-1]
    accepted = await talk.max.slash(talk.channel, "lessons", number=hidden, what="accept")
    assert said(accepted) == f"{EN.lesson_accepted.format(number=hidden)} {EN.lesson_was_hidden}"
    plain = await talk.max.slash(talk.channel, "lessons", number=number, what="accept")
    assert said(plain) == EN.lesson_accepted.format(number=number)


async def pages(talk: World, page: int | None = None) -> list[str]:
    """The messages that tell a manager of the lessons on a page."""
    told = await talk.max.slash(talk.channel, "lessons", **({} if page is None else {"page": page}))
    assert told.response is not None  # the first message takes the place of what said that a reply is on its way
    return [each.content for each in (told.response, *told.followups)]


async def test_what_waits_for_a_manager_comes_first_in_short_messages_with_pages(
    talk: World, monkeypatch: pytest.MonkeyPatch
):
    taught = await talk.store.lessons.numbered(await teach(talk))
    assert taught is not None
    much = {"question": "Why? " * 50, "answer": "Since. " * 50}
    many = [replace(taught, lesson=number, scope=SERVER, **much) for number in range(2, 40)]

    async def on(_: LessonBook, server: int) -> list[StoredLesson]:
        assert server == taught.server
        return [taught, *many]

    monkeypatch.setattr(LessonBook, "on", on)
    first = await pages(talk)
    assert max(map(len, first)) <= LIMIT
    assert f"{taught.lesson}. When is game night?" in first[1]
    lines = "\n".join(first[1:]).splitlines()
    assert [line.partition(".")[0] for line in lines if "→" in line][:3] == [str(taught.lesson), "39", "38"]
    assert EN.lessons_more.format(count=27, page=2) in lines
    last = "\n".join((await pages(talk, 4))[1:])
    assert "2. Why?" in last
    assert "more, on page" not in last


async def test_a_message_is_never_longer_than_discord_takes(talk: World, monkeypatch: pytest.MonkeyPatch):
    taught = await talk.store.lessons.numbered(await teach(talk))
    assert taught is not None
    many = [
        replace(taught, lesson=10**9 + n, scope=EVERYWHERE, question="q" * 60, answer="a" * 60) for n in range(30)
    ]

    async def all_of_them(_: LessonBook, __: int) -> list[StoredLesson]:
        return many

    for name in ("on", "of"):
        monkeypatch.setattr(LessonBook, name, all_of_them)
    told = await pages(talk)
    assert max(map(len, told)) <= LIMIT
    assert sum(each.count("→") for each in told) == 24  # one's own, and what others taught
