"""Personas: who chooses which one answers, and the ones that a server's managers write."""

import json

import discord
import pytest

from bot.server_personas import MOST
from bot.texts import EN
from data import schema
from data.personas import LONGEST, PERSONAS, persona
from tests.bot.discord.world import World, reply_of, said

pytestmark = pytest.mark.played

PIRATE = "Speak like a pirate."


def prompted(talk: World) -> str:
    return str(talk.fake.requests[-1]["messages"][0]["content"])


async def write(talk: World, name: str = "pirate", prompt: str = PIRATE, greeting: str = "Ahoy!") -> str:
    opened = await talk.max.slash(talk.channel, "persona_write", name=name)
    assert opened.modal is not None
    return said(await talk.max.submit_modal(opened, {"prompt": prompt, "greeting": greeting}))


async def offered(talk: World, command: str, option: str, typed: str = "") -> list[str]:
    return [choice["value"] for choice in await talk.max.autocomplete(talk.channel, command, option, typed)]


async def test_managers_choose_for_a_channel_and_for_the_server(talk: World):
    other = talk.guild.create_text_channel("other")
    assert "tutor" in said(await talk.max.slash(talk.channel, "persona", name="tutor", where="server"))
    await talk.ask("hello")
    assert prompted(talk) == persona("tutor").system_prompt
    assert said(await talk.max.slash(talk.channel, "persona", name="writer")).endswith("You are talking to writer.")
    await talk.ask("hello")
    assert prompted(talk) == persona("writer").system_prompt
    await talk.ada.send(other, f"{talk.me} hello")
    assert prompted(talk) == persona("tutor").system_prompt
    await talk.max.slash(talk.channel, "persona", name="default")
    await talk.ask("hello")
    assert prompted(talk) == persona("tutor").system_prompt


async def test_members_see_the_persona_and_cannot_choose_it(talk: World):
    assert said(await talk.ada.slash(talk.channel, "persona")).endswith("You are talking to assistant.")
    assert said(await talk.ada.slash(talk.channel, "persona", name="tutor")) == EN.managers_only
    assert said(await talk.ada.slash(talk.channel, "persona", name="tutor", where="server")) == EN.managers_only
    await talk.ask("hello")
    assert prompted(talk) == persona("assistant").system_prompt


async def test_in_a_direct_conversation_everybody_chooses_for_themselves(talk: World):
    user = talk.ada.user
    await user.slash("persona", name="tutor")
    await user.send_dm("hello")
    assert prompted(talk) == persona("tutor").system_prompt
    await talk.bea.user.send_dm("hello")
    assert prompted(talk) == persona("assistant").system_prompt


async def test_a_manager_writes_a_persona_and_it_answers_with_its_name_kept(talk: World):
    opened = await talk.max.slash(talk.channel, "persona_write", name=" Pirate ")
    assert opened.modal is not None
    assert EN.persona_becomes in str(opened.modal)  # what happens with the text
    sent = await talk.max.submit_modal(opened, {"prompt": PIRATE, "greeting": "Ahoy!"})
    assert sent.followups[0].ephemeral
    assert said(sent) == EN.persona_written.format(name="pirate")
    assert await offered(talk, "persona", "name") == [*PERSONAS, "pirate", "default"]
    assert await offered(talk, "persona", "name", "PIR") == ["pirate"]
    told = said(await talk.max.slash(talk.channel, "persona", name="Pirate", where="server"))
    assert told == EN.persona_list.format(names=", ".join([*PERSONAS, "pirate"]), name="pirate")
    await talk.ask("hello")
    assert prompted(talk) == PIRATE
    assert [row.persona for row in await talk.rows(schema.Conversation)] == ["pirate"]
    assert (await talk.ask("")).content == "Ahoy!"
    assert [row.text for row in await talk.rows(schema.SystemPrompt)] == [PIRATE]


async def test_a_personas_text_is_its_managers_who_may_export_and_erase_it(talk: World):
    await write(talk)
    await talk.max.slash(talk.channel, "persona", name="pirate", where="server")
    await talk.ask("hello")
    kept = json.loads(await reply_of(await talk.max.slash(talk.channel, "export")).attachments[0].read())
    assert [found.get("system_prompt") or found["greeting"] for found in kept["personas"]] == [PIRATE, "Ahoy!"]
    asked = await talk.max.slash(talk.channel, "forget")
    await talk.max.click(reply_of(asked), label=EN.forget_yes)
    assert PIRATE not in [row.text for row in await talk.rows(schema.SystemPrompt)]
    assert [row for row in await talk.rows(schema.Setting) if row.key == "personas"] == []
    await talk.ask("hello")
    assert prompted(talk) == persona("assistant").system_prompt


async def test_a_servers_persona_exists_on_that_server_only(talk: World):
    await write(talk)
    await talk.max.slash(talk.channel, "persona", name="pirate", where="server")
    elsewhere = talk.env.create_guild(name="elsewhere")
    manager = elsewhere.create_role("managers", permissions=discord.Permissions(manage_channels=True))
    channel = elsewhere.create_text_channel("general")
    ada = elsewhere.add_member(talk.ada.user, roles=[manager])
    assert said(await ada.slash(channel, "persona", name="pirate")).startswith("There is no such persona here.")
    await ada.send(channel, f"{talk.me} hello")
    assert prompted(talk) == persona("assistant").system_prompt
    assert said(await talk.ada.user.slash("persona", name="pirat")).startswith("There is no such persona here.")


async def test_a_persona_is_edited_from_its_current_text_and_deleted(talk: World):
    await write(talk)
    await talk.max.slash(talk.channel, "persona", name="pirate", where="server")
    await talk.max.slash(talk.channel, "persona", name="tutor", where="server")
    await talk.max.slash(talk.channel, "persona", name="pirate")
    opened = await talk.max.slash(talk.channel, "persona_write", name="pirate")
    assert PIRATE in str(opened.modal)
    await talk.max.submit_modal(opened, {"prompt": "Speak like an admiral.", "greeting": ""})
    await talk.ask("hello")
    assert prompted(talk) == "Speak like an admiral."
    assert (await talk.ask("")).content == EN.mention_only  # it no longer has a greeting
    assert await offered(talk, "persona_delete", "name") == ["pirate"]
    assert said(await talk.max.slash(talk.channel, "persona_delete", name="pirate")) == (
        EN.persona_deleted.format(name="pirate")
    )
    await talk.ask("hello")
    assert prompted(talk) == persona("tutor").system_prompt  # as the wider place has it
    told = said(await talk.max.slash(talk.channel, "persona_delete", name="tutor"))
    assert told == EN.persona_unknown.format(name="tutor", nearest="") + EN.persona_ships


async def test_a_window_from_before_a_restart_counts_but_not_that_of_a_former_manager(
    talk: World, monkeypatch: pytest.MonkeyPatch
):
    opened = await talk.max.slash(talk.channel, "persona_write", name="pirate")
    await talk.env.restart_bot(talk.bot())
    sent = await talk.max.submit_modal(opened, {"prompt": PIRATE, "greeting": ""})
    assert said(sent) == EN.persona_written.format(name="pirate")
    opened = await talk.max.slash(talk.channel, "persona_write", name="other")
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.submit_modal(opened, {"prompt": "x", "greeting": ""})) == EN.managers_only
    for command in ("persona_write", "persona_delete"):
        assert said(await talk.max.slash(talk.channel, command, name="pirate")) == EN.managers_only
    (kept,) = await talk.rows(schema.Setting)
    assert list(kept.value["is"]) == ["pirate"]


async def test_what_cannot_be_kept_gives_a_sentence(talk: World):
    for name, told in (("tutor", EN.persona_taken.format(name="tutor")), ("two words", EN.persona_name)):
        refused = await talk.max.slash(talk.channel, "persona_write", name=name)
        assert refused.modal is None
        assert said(refused) == told
    assert await write(talk, prompt="   ") == EN.persona_empty
    told = await write(talk, prompt="word " * (LONGEST // 5))
    assert told.startswith("Nothing was kept: this text takes ")
    assert f"At most {talk.fake.context // 4} leave room" in told
    assert await talk.rows(schema.Setting) == []
    own = {f"p{number}": {"system_prompt": "x", "greeting": ""} for number in range(MOST)}
    await talk.store.set_setting("personas", ("server", str(talk.guild.id)), own)
    refused = await talk.max.slash(talk.channel, "persona_write", name="one_more")
    assert said(refused) == EN.persona_most.format(most=MOST)
    assert len(await offered(talk, "persona", "name")) == 25


async def test_what_managers_wrote_is_recorded_without_its_text(talk: World):
    await write(talk)
    await write(talk, prompt=" ")
    await talk.max.slash(talk.channel, "persona_delete", name="nobody")
    await talk.max.slash(talk.channel, "persona_delete", name="pirate")
    assert await talk.log() == [("persona_write", {"name": "pirate"}), ("persona_delete", {"name": "pirate"})]


async def test_only_the_person_who_opened_a_thread_chooses_its_persona(talk: World):
    talk.env.backend.create_thread(talk.channel.id, "a thread", talk.ada.id)
    (thread,) = talk.channel.threads
    assert said(await talk.bea.slash(thread, "persona", name="tutor")) == EN.managers_only
    assert said(await talk.ada.slash(thread, "persona", name="tutor", where="server")) == EN.managers_only
    assert said(await talk.ada.slash(thread, "persona", name="tutor")).endswith("You are talking to tutor.")
    await talk.ada.send(thread, f"{talk.me} hello")
    assert prompted(talk) == persona("tutor").system_prompt
    await talk.ask("hello")
    assert prompted(talk) == persona("assistant").system_prompt


async def test_a_conversation_that_began_with_a_persona_continues_with_it(talk: World):
    await write(talk)
    await talk.max.slash(talk.channel, "persona", name="writer", where="server")
    await talk.bea.slash(talk.channel, "ask", question="hello", persona="pirate")
    answer = talk.last()
    assert prompted(talk) == PIRATE
    await talk.ada.click(answer, label="↻")
    assert prompted(talk) == PIRATE  # the same prompt, so that the two can be compared
    await talk.ada.send(talk.channel, f"{talk.me} go on", reply_to=answer)
    assert prompted(talk) == PIRATE
    await talk.ask("hello")
    assert prompted(talk) == persona("writer").system_prompt
    unknown = await talk.bea.slash(talk.channel, "ask", question="hello", persona="pirat")
    assert said(unknown) == EN.persona_missing.format(
        names=", ".join([*PERSONAS, "pirate"]), nearest=" Did you mean pirate?"
    )
    assert await offered(talk, "ask", "persona", "p") == ["support", "pirate"]
