"""`/teach` and `/teaching`: until a server's manager allows it, nobody there can teach."""

import discord
import pytest

from bot.sign_in_links import Invited
from bot.texts import EN, ZH
from data import schema
from tests.bot.discord.world import RATE, World, labels, reply_of, said

pytestmark = pytest.mark.played


async def test_teach_says_what_becomes_of_ratings_here(talk: World, world: World):
    told = reply_of(await talk.ada.slash(talk.channel, "teach")).content
    assert EN.teach_held in told
    await talk.env.restart_bot(world.bot(discord_training_permission="ticket 1"))
    assert EN.teach_trains in reply_of(await talk.ada.slash(talk.channel, "teach")).content
    assert all(len(words.teach.format(becomes=words.teach_held)) < 2000 for words in (EN, ZH))


async def test_teach_says_that_follow_ups_count_where_they_do(talk: World, world: World):
    async def told() -> str:
        return reply_of(await talk.ada.slash(talk.channel, "teach")).content

    await talk.env.restart_bot(world.bot(followups=True))
    assert EN.teach_followups not in await told()  # nothing from Discord trains without its permission
    await talk.env.restart_bot(world.bot(discord_training_permission="ticket 1"))
    assert EN.teach_followups not in await told()
    await talk.env.restart_bot(world.bot(discord_training_permission="ticket 1", followups=True))
    assert f"{EN.teach_trains} {EN.teach_followups}" in await told()
    becomes = (f"{words.teach_trains} {words.teach_followups}" for words in (EN, ZH))
    assert all(len(words.teach.format(becomes=each)) < 2000 for words, each in zip((EN, ZH), becomes, strict=True))


async def test_teach_gives_the_way_to_the_page_and_says_what_it_is_for(talk: World):
    assert EN.web_off in said(await talk.ada.slash(talk.channel, "web"))
    links = talk.app.links
    links.address = "https://talk.example"
    told = reply_of(await talk.ada.slash(talk.channel, "teach")).content
    assert EN.web_teach_there.format(address="https://talk.example") in told
    longest = [f"{words.teach_trains} {words.teach_followups}\n{words.web_teach_there}" for words in (EN, ZH)]
    assert all(len(words.teach.format(becomes=each)) < 1800 for words, each in zip((EN, ZH), longest, strict=True))


async def test_web_gives_each_person_their_own_link_and_shows_it_to_nobody_else(talk: World):
    links = talk.app.links
    links.address = "https://talk.example"
    reply = reply_of(await talk.ada.slash(talk.channel, "web"))
    assert reply.flags.ephemeral
    token = reply.content.partition("token=")[2].split()[0]
    assert links.take(token) == Invited(await talk.store.person("discord", str(talk.ada.id)))
    assert "does not come through Discord" in reply.content


async def test_until_a_manager_allows_it_nobody_teaches_on_a_server(talk: World):
    answer = await talk.ask("hello")
    await talk.store.set_may_teach("discord", str(talk.guild.id), False)
    await talk.agree(talk.ada.id)
    for label in ("👍", "👎", "✏️", "⚖️"):
        assert said(await talk.ada.click(answer, label=label)) == EN.teaching_off
    assert said(await talk.ada.context_menu(talk.channel, "Correct this answer", answer)) == EN.teaching_off
    assert await talk.rows(schema.Rating) == []
    assert EN.teach_off in said(await talk.ada.slash(talk.channel, "teach"))
    assert labels(await talk.ask("and now?")) == ["↻"]
    assert len(await talk.rows(schema.Generation)) == 2


async def test_a_manager_turns_it_on_and_off(talk: World):
    await talk.store.set_may_teach("discord", str(talk.guild.id), False)
    assert said(await talk.max.slash(talk.channel, "teaching", allowed="on")) == EN.teaching_now_on
    answer = await talk.ask("hello")
    assert labels(answer) == RATE
    await talk.agree(talk.ada.id)
    await talk.ada.click(answer, label="👍")
    assert len(await talk.rows(schema.Rating)) == 1
    assert said(await talk.max.slash(talk.channel, "teaching", allowed="off")) == EN.teaching_now_off
    assert not await talk.store.may_teach("discord", str(talk.guild.id))


async def test_only_managers_are_obeyed_even_if_others_are_shown_the_command(
    talk: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "teaching", allowed="off")) == EN.managers_only
    assert await talk.store.may_teach("discord", str(talk.guild.id))


async def test_everybody_may_teach_in_direct_messages(talk: World):
    await talk.store.set_may_teach("discord", str(talk.guild.id), False)
    user = talk.ada.user
    await user.send_dm("hello")
    await talk.agree(talk.ada.id)
    await user.click(talk.last(user.dm_channel), label="👍")
    assert len(await talk.rows(schema.Rating)) == 1


async def test_what_was_begun_before_teaching_was_turned_off_is_not_kept(talk: World):
    answer = await talk.ask("hello")
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    await talk.agree(talk.bea.id)
    opened = await talk.bea.click(answer, label="✏️")
    await talk.store.set_may_teach("discord", str(talk.guild.id), False)
    await talk.ada.click(question, label=EN.yes)
    sent = await talk.bea.submit_modal(opened, {"text": "better"})
    assert sent.followups[0].content == EN.teaching_off
    assert await talk.rows(schema.Rating) == []
