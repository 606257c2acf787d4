"""`/faq`: a server's managers import questions with their answers, list them, and remove them."""

from pathlib import Path

import discord
import pytest

from bot.discord.commands import faq
from bot.discord.ids import person_of
from bot.texts import EN
from data.lessons import SERVER
from data.lessons_command import import_faq
from tests.bot.discord.world import World, said

pytestmark = pytest.mark.played

FILE = ("shop.md", b"# How long does shipping take?\nFour days.\n# Who leads the shop?\nMira.\n")
ASKED = "How long will the shipping take?"


async def send(talk: World, file: tuple[str, bytes] = FILE, **more: str) -> str:
    return said(await talk.max.slash(talk.channel, "faq import", file=file, **more))


async def test_a_manager_imports_a_faq_for_the_server_and_answers_name_its_entries(talk: World):
    told = await send(talk)
    assert told == EN.faq_imported.format(file="shop.md", new=2, changed=0, there=0)
    answer = await talk.ask(ASKED)
    assert "Four days." in str(talk.sent())
    assert EN.from_entry.format(entry="shop.md, How long does shipping take?") in answer.content
    other = await talk.store.person("discord", "99")
    elsewhere = await talk.store.conversation("discord", "5:1", persona="assistant", language="en")
    assert await talk.store.lessons.like(ASKED, elsewhere, other) == []
    assert await send(talk) == EN.faq_imported.format(file="shop.md", new=0, changed=0, there=2)
    assert (await talk.log())[0] == ("faq_import", {"file": "shop.md", "new": 2, "changed": 0})


async def test_the_entries_are_listed_and_removed_one_by_one_or_by_their_file(talk: World):
    assert said(await talk.max.slash(talk.channel, "faq list")) == EN.faq_none
    await send(talk)
    first, second = await talk.store.lessons.every()
    told = said(await talk.max.slash(talk.channel, "faq list")).splitlines()
    assert told[1:3] == [
        f"{second.lesson}. Who leads the shop? → Mira. (shop.md)",
        f"{first.lesson}. How long does shipping take? → Four days. (shop.md)",
    ]
    assert said(await talk.max.slash(talk.channel, "faq remove", what="other.md")) == EN.faq_missing
    removed = await talk.max.slash(talk.channel, "faq remove", what=str(second.lesson))
    assert said(removed) == EN.faq_removed.format(count=1)
    await talk.ask(ASKED)
    assert [each["name"] for each in await talk.max.autocomplete(talk.channel, "faq remove", "what", "SHOP")] == [
        "shop.md"
    ]
    await talk.max.slash(talk.channel, "faq remove", what="shop.md")
    assert await talk.store.lessons.every() == []
    await talk.ask(ASKED)
    assert "Four days." not in str(talk.sent())


async def test_another_servers_entries_and_the_operators_are_not_the_managers(talk: World, tmp_path: Path):
    faq_file = tmp_path / "all.csv"
    faq_file.write_text("question,answer\nWho?,Mira.\n", encoding="utf-8")
    await import_faq(talk.store, str(faq_file))
    await import_faq(talk.store, str(faq_file), server="4")
    for entry in await talk.store.lessons.every():
        told = await talk.max.slash(talk.channel, "faq remove", what=str(entry.lesson))
        assert said(told) == EN.faq_missing
    assert said(await talk.max.slash(talk.channel, "faq list")) == EN.faq_none
    assert len(await talk.store.lessons.every()) == 2


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (("shop.csv", b"question,anser\nWho?,Mira.\n"), "Nothing was imported. shop.csv, line 1: a column 'answer'"),
        (("shop.md", "# Wer?\nJürgen.\n".encode("latin-1")), "Nothing was imported. shop.md is not UTF-8"),
        (("shop.pdf", b"%PDF"), "Nothing was imported. shop.pdf cannot be read as a FAQ: its name must end in"),
        (("shop.md", b"x" * (faq.LARGEST + 1)), EN.faq_large.format(kib=256)),
        (FILE, EN.faq_most.format(count=2, most=1)),
    ],
)
async def test_a_file_that_cannot_be_used_is_a_sentence_and_nothing_is_stored(
    talk: World, file: tuple[str, bytes], told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(faq, "MOST", 1)
    assert (await send(talk, file)).startswith(told)
    assert await talk.store.lessons.every() == []


async def test_a_file_that_discord_does_not_hand_over_is_a_sentence(talk: World, monkeypatch: pytest.MonkeyPatch):
    async def never(_: discord.Attachment) -> bytes:
        raise TimeoutError

    monkeypatch.setattr(discord.Attachment, "read", never)
    assert await send(talk) == EN.faq_unread


async def test_repeated_questions_and_entries_that_fit_into_no_prompt_are_told(talk: World):
    text = "question,answer\nWho?,Mira.\nWho?,Ada.\nHow?," + "so " * 400 + "\n"
    told = await send(talk, ("a.csv", text.encode()), persona="support")
    assert EN.faq_again.format(count=1) in told
    assert EN.faq_too_long.format(count=1, entry="a.csv, line 4") in told
    assert {(each.persona, each.scope) for each in await talk.store.lessons.every()} == {("support", SERVER)}
    assert await send(talk, persona="shopkeeper") == EN.persona_missing.format(
        names="assistant, support, tutor, writer", nearest=""
    )


async def test_only_managers_are_obeyed(talk: World, monkeypatch: pytest.MonkeyPatch):
    await send(talk)
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert await send(talk, ("b.md", FILE[1])) == EN.managers_only
    for command, options in (("faq list", {}), ("faq remove", {"what": "shop.md"})):
        assert said(await talk.max.slash(talk.channel, command, **options)) == EN.managers_only
    assert await talk.max.autocomplete(talk.channel, "faq remove", "what", "shop") == []
    assert len(await talk.store.lessons.every()) == 2


async def test_the_texts_are_the_managers_and_go_with_them(talk: World):
    await send(talk)
    manager = await person_of(talk.store, talk.max.id)
    assert "Four days." in str(await talk.store.kept_of(manager))
    await talk.store.eraser.forget(manager)
    assert await talk.store.lessons.every() == []
