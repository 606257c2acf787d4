"""The bot on Discord as its people use it, played by simcord, with a real store and a fake engine."""

import asyncio
import json
from typing import Any

import discord
import pytest
import simcord

from bot.conversation import Chat
from bot.discord.client import intents, talk_on_discord
from bot.settings import Settings
from bot.texts import EN, ZH
from data import schema
from data.answers import load_answers
from data.chat import rendered_hash
from data.errors import BadInput
from tests.bot.discord.world import RATE, World, eventually, labels
from tests.bot.tried import Tried


def test_no_privileged_intent_is_asked_for_but_message_content_if_set():
    asked = intents(Settings(_env_file=None))
    assert not any((asked.message_content, asked.members, asked.presences))
    asked = intents(Settings(_env_file=None, discord_message_content=True))
    assert asked.message_content
    assert not any((asked.members, asked.presences))


# -- questions and answers


async def test_a_mention_is_answered_with_a_streamed_reply(talk: World):
    talk.fake.answer("The capital ", "is ", "Paris.", delay=0.02)
    answer = await talk.ask("What is the capital of France?")
    assert answer.content == "The capital is Paris."
    assert answer.reference is not None
    assert labels(answer) == RATE
    assert talk.sent() == ["What is the capital of France?"]
    assert len(talk.channel.history()) == 2
    edits = [r for r in talk.env.http_requests if r.method == "PATCH"]
    assert edits  # it grew


async def test_the_records_are_those_of_the_terminal(talk: World):
    answer = await talk.ask("hello")
    (generation,) = await talk.rows(schema.Generation)
    assert (generation.platform, generation.finish_reason, generation.release) == ("discord", "stop", 0)
    stored = await talk.store.shown("discord", str(answer.id))
    assert stored is not None
    assert stored.text == answer.content
    assert [turn.text for turn in await talk.store.path(stored.message)] == ["hello", "a fake answer"]


async def test_a_reply_continues_with_the_history(talk: World):
    answer = await talk.ask("one")
    await talk.ada.send(talk.channel, "two", reply_to=answer)
    assert talk.sent() == ["one", "a fake answer", "two"]
    await talk.ask("three")  # a new mention begins anew
    assert talk.sent() == ["three"]


async def test_several_people_in_a_conversation_are_told_apart_by_name_and_in_rows_by_number(talk: World):
    answer = await talk.ask("one")
    await talk.bea.send(talk.channel, "and two?", reply_to=answer)
    assert talk.sent() == ["ada: one", "a fake answer", "bea: and two?"]
    async with talk.store.database.read() as database:
        answers = await load_answers(database)
    assert [m["content"] for m in answers[2].prompt()[1:]] == ["Person 1: one", "a fake answer", "Person 2: and two?"]
    (_, generation) = await talk.rows(schema.Generation)
    async with talk.engine.session() as session:
        assert generation.rendered_sha256 == rendered_hash(answers[2].prompt(), session.template)


async def test_a_direct_conversation_runs_on_without_mentions_and_after_a_restart(talk: World):
    user = talk.ada.user
    await user.send_dm("one")
    await user.send_dm("two")
    assert talk.sent() == ["one", "a fake answer", "two"]
    await talk.env.restart_bot(talk.bot())
    await user.send_dm("three")
    assert talk.sent() == ["one", "a fake answer", "two", "a fake answer", "three"]
    assert len(await talk.rows(schema.Conversation)) == 1


async def test_bots_everyone_and_talk_among_people_are_left_alone(talk: World):
    guild = talk.env.guild
    robot = guild.add_member(talk.env.create_user("robot", bot=True))
    await robot.send(talk.channel, f"{talk.me} hello")
    await guild.create_webhook(talk.channel).send(f"{talk.me} hello")
    await talk.ada.send(talk.channel, "@everyone hello")
    await talk.ada.send(talk.channel, "hello bea")
    assert talk.fake.requests == []
    assert await talk.rows(schema.MessageRow) == []


async def test_a_mention_without_a_question_gets_a_greeting(talk: World):
    assert (await talk.ask("")).content == EN.mention_only
    assert talk.fake.requests == []


async def test_who_is_mentioned_in_a_question_is_kept_neither_by_id_nor_by_name(talk: World):
    await talk.ask(f"do you know {talk.bea.mention}, {talk.max.mention} and {talk.bea.mention}?")
    (said,) = talk.sent()
    either = ("@someone", "@someone 2")
    assert said in [f"do you know {one}, {other} and {one}?" for one, other in (either, either[::-1])]


async def test_edits_keep_their_pace_and_the_last_text_always_arrives(world: World):
    pieces = [f"word{number} " for number in range(60)]
    world.fake.answer(*pieces, delay=0.01)
    bot = world.bot(seconds_per_edit=0.25)
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        answer = await world.ask("count")
        assert answer.content == "".join(pieces).strip()
        assert labels(answer) == RATE
        edits = [
            str(r.json["content"]) for r in env.http_requests if r.method == "PATCH" and isinstance(r.json, dict)
        ]
        assert 1 <= len(edits) < 30
        assert edits == sorted(edits, key=len)  # each shows more than the one before


async def test_nobody_is_pinged_by_an_answer(talk: World):
    talk.fake.answer(f"@everyone look, {talk.bea.mention}!")
    answer = await talk.ask("ping")
    assert "@everyone" in answer.content
    assert not answer.mention_everyone
    said = [r for r in talk.env.http_requests if r.method in ("POST", "PATCH") and r.path.startswith("/channels/")]
    with_text = [r.json for r in said if isinstance(r.json, dict) and r.json.get("content")]
    assert with_text
    assert all(body["allowed_mentions"]["parse"] == [] for body in with_text)
    assert not any(body["allowed_mentions"].get("replied_user") for body in with_text)


async def test_a_long_answer_becomes_several_messages_with_the_buttons_on_the_last(talk: World):
    code = "".join(f"line_{number} = {number}\n" for number in range(400))
    pieces = ["Here it is:\n```python\n", *(code[i : i + 400] for i in range(0, len(code), 400)), "```\nDone."]
    talk.fake.answer(*pieces, delay=0.01)
    await talk.ask("write much")
    said = talk.channel.history()[1:]
    assert len(said) >= 3
    assert all(len(message.content) <= 2000 for message in said)
    assert all(message.content.count("```") == 2 for message in said)
    assert [bool(labels(message)) for message in said] == [False] * (len(said) - 1) + [True]
    (generation,) = await talk.rows(schema.Generation)
    for message in said:  # a reply to any part continues from the whole answer
        stored = await talk.store.shown("discord", str(message.id))
        assert stored is not None
        assert stored.generation == generation.id


async def test_an_engine_that_fails_is_a_sentence_in_the_channel(talk: World):
    talk.fake.fail(400, message="no")
    answer = await talk.ask("hello")
    assert "Traceback" not in answer.content
    assert answer.content
    assert labels(answer) == []
    assert await talk.rows(schema.Generation) == []


async def test_an_engine_that_breaks_off_leaves_what_was_said_and_a_sentence(talk: World):
    talk.fake.drop("half an answer", "", after=1)
    answer = await talk.ask("hello")
    assert answer.content.startswith("half an answer\n-# (The answer broke off: ")
    (generation,) = await talk.rows(schema.Generation)
    assert generation.finish_reason == "error"


async def test_a_failing_edit_is_made_good_at_the_end(talk: World):
    talk.env.inject_error("PATCH", "/channels/*/messages/*", status=500)
    talk.fake.answer("one ", "two ", "three", delay=0.05)
    answer = await talk.ask("count")
    assert answer.content == "one two three"
    assert labels(answer) == RATE


async def test_a_second_question_waits_and_says_so(talk: World):
    hold = asyncio.Event()
    talk.fake.answer("first ", "done", hold=hold)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "first")
    talk.say_without_waiting("two")
    await eventually(lambda: talk.contents()[-1] == "⏳ " + EN.waiting.format(ahead=1))
    hold.set()
    await talk.env.settle()
    assert talk.contents()[1::2] == ["first done", "a fake answer"]
    assert talk.sent() == ["two"]


async def test_a_reply_to_an_answer_that_still_grows_follows_the_whole_answer(talk: World):
    hold = asyncio.Event()
    talk.fake.answer("half ", "and whole", hold=hold)
    talk.say_without_waiting("one")
    await eventually(lambda: talk.contents()[-1] == "half")
    growing = talk.last()
    reference = {"channel_id": str(talk.channel.id), "message_id": str(growing.id)}
    backend = talk.env.backend
    reference = backend.normalize_message_reference(talk.channel.id, reference)
    backend.create_message(talk.channel.id, talk.bea.id, "go on", reference=reference)
    hold.set()
    await talk.env.settle()
    assert talk.sent() == ["ada: one", "half and whole", "bea: go on"]


# -- ratings


async def test_the_first_rating_asks_for_consent_and_nothing_is_stored_before(talk: World):
    answer = await talk.ask("hello")
    asked = await talk.ada.click(answer, label="👍")
    (question,) = asked.followups
    assert question.ephemeral
    assert question.content == EN.consent_question_held.format(days=30)
    assert await talk.rows(schema.Rating) == []
    assert await talk.rows(schema.Consent) == []
    agreed = await talk.ada.click(question, label=EN.yes)
    assert agreed.followups[-1].content == EN.stored_up
    assert agreed.followups[-1].ephemeral
    (rating,) = await talk.rows(schema.Rating)
    assert (rating.kind, rating.value, rating.platform) == ("vote", "up", "discord")
    (consent,) = await talk.rows(schema.Consent)
    assert consent.granted


async def test_who_says_no_is_not_recorded(talk: World):
    answer = await talk.ask("hello")
    (question,) = (await talk.ada.click(answer, label="👎")).followups
    await talk.ada.click(question, label=EN.no)
    assert await talk.rows(schema.Rating) == []
    (consent,) = await talk.rows(schema.Consent)
    assert not consent.granted


async def test_with_discords_permission_the_question_says_that_ratings_train(world: World):
    bot = world.bot(discord_training_permission="ticket 1")
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        answer = await world.ask("hello")
        (question,) = (await world.ada.click(answer, label="👍")).followups
        assert question.content == EN.consent_question.format(days=30)


async def test_two_clicks_are_one_event_and_a_change_of_mind_is_another(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == EN.stored_up
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == f"{EN.already} {EN.vote_up}"
    assert len(await talk.rows(schema.Rating)) == 1
    await talk.ada.click(answer, label="👎")
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up", "down"]
    again = await talk.ada.click(answer, label="👎")
    assert again.followups[0].content == f"{EN.already} {EN.vote_down}"
    await talk.ada.click(again.followups[0], label=EN.take_back)
    stored = await talk.store.shown("discord", str(answer.id))
    assert stored is not None
    assert await talk.store.vote(stored.generation, await talk.store.person("discord", str(talk.ada.id))) is None


async def test_buttons_of_an_earlier_process_still_work(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.bea.id)
    await talk.env.restart_bot(talk.bot())
    assert (await talk.bea.click(answer, label="👍")).followups[0].content == EN.stored_up
    assert [rating.value for rating in await talk.rows(schema.Rating)] == ["up"]


async def test_consent_given_after_a_restart_stores_the_vote_once(talk: World):
    answer = await talk.ask("hello")
    (question,) = (await talk.ada.click(answer, label="👍")).followups
    await talk.env.restart_bot(talk.bot())
    await talk.ada.click(question, label=EN.yes)
    assert len(await talk.rows(schema.Rating)) == 1
    assert len(await talk.rows(schema.Consent)) == 1


async def test_another_answer_is_a_sibling_with_buttons_of_its_own(talk: World):
    first = await talk.ask("hello")
    talk.fake.answer("another one")
    await talk.ada.click(first, label="↻")
    second = talk.last()
    assert second.content == "another one"
    assert labels(second) == RATE
    generations = [await talk.store.shown("discord", str(message.id)) for message in (first, second)]
    assert generations[0] is not None
    assert generations[1] is not None
    assert generations[0].parent == generations[1].parent
    assert generations[0].rendered_sha256 == generations[1].rendered_sha256
    await talk.agree(talk.ada.id)
    await talk.ada.click(second, label="👍")
    assert [rating.generation_id for rating in await talk.rows(schema.Rating)] == [generations[1].generation]
    await talk.ada.send(talk.channel, "go on", reply_to=second)
    assert talk.sent() == ["hello", "another one", "go on"]


async def test_another_answer_to_an_erased_question_is_a_private_sentence(talk: World):
    await talk.ada.send(talk.channel, f"{talk.me} hello")
    question, answer = talk.channel.history()
    await talk.ada.delete(question)
    result = await talk.ada.click(answer, label="↻")
    assert [followup.content for followup in result.followups] == [EN.question_gone]
    assert (await talk.ada.click(answer, label="👍")).followups[0].content == EN.answer_gone


async def test_only_the_asker_stops_an_answer_and_what_was_said_stays(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("go on")
    await eventually(lambda: talk.contents()[-1] == "half")
    message = talk.last()
    assert labels(message) == ["⏹"]
    with pytest.raises(TimeoutError):  # simcord waits for the answer, which Bea's click does not end
        await talk.bea.click(message, label="⏹")
    assert talk.fake.running == 1
    await talk.ada.click(message, label="⏹")
    final = talk.last()
    assert final.content == f"half\n-# {EN.stopped}"
    assert labels(final) == RATE
    (generation,) = await talk.rows(schema.Generation)
    assert generation.finish_reason == "stopped"


# -- changes, commands, start


async def test_deleting_a_message_erases_its_text_and_what_was_made_of_it(talk: World):
    await talk.ask("a secret")
    question, answer = talk.channel.history()
    await talk.ada.delete(question)
    texts = [version.text for version in await talk.rows(schema.MessageVersion)]
    assert texts == [None, None]
    assert await talk.store.message("discord", str(answer.id)) is None


async def test_an_edit_is_a_new_version_and_an_edit_without_the_mention_erases(talk: World):
    await talk.ask("one")
    question = talk.channel.history()[0]
    await talk.ada.edit(question, f"{talk.me} one, edited")
    stored = await talk.store.message("discord", str(question.id))
    assert stored is not None
    assert stored.text == "one, edited"
    await talk.env.advance_time(1)
    await talk.ada.edit(question, "something else")
    assert await talk.store.message("discord", str(question.id)) is None


async def test_deleting_the_question_stops_its_answer(talk: World):
    talk.fake.answer("half ", "never", hold=asyncio.Event())
    talk.say_without_waiting("a secret")
    await eventually(lambda: talk.contents()[-1] == "half")
    await talk.ada.delete(talk.channel.history()[0])
    assert [version.text for version in await talk.rows(schema.MessageVersion)] == [None, None]


async def test_privacy_and_consent_commands(talk: World):
    told = await talk.ada.slash(talk.channel, "privacy")
    assert told.ephemeral
    text = told.followups[0].content if told.followups else told.response.content  # type: ignore[union-attr]
    assert EN.training_held in text
    assert EN.consent_unanswered in text
    asked = await talk.ada.slash(talk.channel, "consent", answer="yes")
    await talk.ada.click(asked.followups[0] if asked.followups else asked.response, label=EN.yes)
    person = await talk.store.person("discord", str(talk.ada.id))
    assert await talk.store.consent(person) is True
    await talk.ada.slash(talk.channel, "consent", answer="no")
    assert await talk.store.consent(person) is False


async def test_the_bots_language_is_the_operators(world: World):
    async with simcord.run(world.bot(language="zh"), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        assert (await world.ask("")).content == ZH.mention_only


async def test_a_token_that_discord_refuses_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch):
    async def refuse(self: discord.Client, token: str) -> None:
        raise discord.LoginFailure("Improper token has been passed.")

    monkeypatch.setattr(discord.Client, "login", refuse)
    settings = Settings(_env_file=None, discord_token="very-secret")
    with pytest.raises(BadInput, match="DISCORD_TOKEN") as error:
        await talk_on_discord(settings, world.store, Chat(world.store, world.engine))
    assert "secret" not in str(error.value)


async def test_a_discord_that_cannot_be_reached_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(discord.http.Route, "BASE", discord.http.Route.BASE)

    async def unreachable(self: discord.Client, token: str) -> None:
        raise OSError("no route")

    monkeypatch.setattr(discord.Client, "login", unreachable)
    settings = Settings(_env_file=None, discord_token="x", discord_api="http://127.0.0.1:9/api/v10")
    with pytest.raises(BadInput, match=r"http://127\.0\.0\.1:9/api/v10"):
        await talk_on_discord(settings, world.store, Chat(world.store, world.engine))


# -- rights, and what was taught


def said(result: Any) -> Any:
    return result.followups[0] if result.followups else result.response


async def test_export_gives_a_person_what_is_kept_of_them_and_nothing_of_others(talk: World):
    answer = await talk.ask("my secret question")
    await talk.bea.send(talk.channel, f"{talk.me} what bea asked")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="✏️")
    await talk.ada.submit_modal(opened, {"text": "what it should have been"})
    given = said(await talk.ada.slash(talk.channel, "export"))
    assert given.content == EN.kept
    (file,) = given.attachments
    kept = json.loads(await file.read())
    assert [message["text"] for message in kept["messages"]] == ["my secret question"]
    assert [(rating["kind"], rating["text"]) for rating in kept["ratings"]] == [
        ("correction", "what it should have been")
    ]
    assert [consent["training"] for consent in kept["consents"]] == [True]
    assert "bea" not in json.dumps(kept)


async def test_forget_asks_once_more_and_then_erases_everything(talk: World):
    answer = await talk.ask("my secret question")
    await talk.agree(talk.ada.id)
    await talk.ada.click(answer, label="👍")
    left = talk.env.bot.talk.settings.home / "rounds" / "0001" / "rows.jsonl"  # type: ignore[attr-defined]
    left.parent.mkdir(parents=True)
    left.write_text("words")
    asked = await talk.ada.slash(talk.channel, "forget")
    assert said(asked).content == EN.forget_question
    assert asked.ephemeral
    assert len(await talk.rows(schema.Rating)) == 1
    await talk.ada.click(said(asked), label=EN.forget_yes)
    assert await talk.rows(schema.Rating) == []
    assert not [row.text for row in await talk.rows(schema.MessageVersion) if row.text]
    assert not left.exists()
    kept = json.loads(await said(await talk.ada.slash(talk.channel, "export")).attachments[0].read())
    assert (kept["messages"], kept["ratings"], kept["consents"]) == ([], [], [])


async def test_teach_says_what_becomes_of_ratings_here(talk: World, world: World):
    told = said(await talk.ada.slash(talk.channel, "teach")).content
    assert EN.teach_held in told
    await talk.env.restart_bot(world.bot(discord_training_permission="ticket 1"))
    assert EN.teach_trains in said(await talk.ada.slash(talk.channel, "teach")).content
    assert all(len(words.teach.format(becomes=words.teach_held)) < 2000 for words in (EN, ZH))


async def test_stats_count_what_this_server_taught(talk: World, tried: Tried):
    answer = await talk.ask("hello")
    for member in (talk.ada, talk.bea):
        await talk.agree(member.id)
        await member.click(answer, label="👍")
    await talk.ada.user.send_dm("elsewhere")
    await talk.ada.user.click(talk.last(talk.ada.user.dm_channel), label="👎")
    lines = said(await talk.ada.slash(talk.channel, "stats")).content.splitlines()
    assert lines[0] == EN.stats_here.format(counts="2", people=2)  # of two people the counts would name them
    await talk.agree(talk.max.id)
    await talk.max.submit_modal(await talk.max.click(answer, label="👎"), {"text": "too short"})
    lines = said(await talk.ada.slash(talk.channel, "stats")).content.splitlines()
    assert lines[0] == EN.stats_here.format(counts="👍 2, 👎 1, ✏️ 0, ⚖️ 0", people=3)
    assert lines[1] == "The base model answers. Releases trained so far: 2."
    assert lines[2].startswith("Release 2 is on trial: people compared answers to 0 questions")
    tried.releases.end_trial()
    assert EN.stats_no_trial in said(await talk.ada.slash(talk.channel, "stats")).content


async def test_an_answer_is_deleted_by_who_asked_or_a_moderator_and_by_nobody_else(talk: World):
    talk.fake.answer("long. " * 700)
    first = await talk.ask("hello")
    assert said(await talk.bea.context_menu(talk.channel, "Delete this answer", first)).content == (
        EN.not_yours_to_delete
    )
    assert len(talk.channel.history()) > 2
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", first)).content == EN.deleted
    assert talk.contents() == [f"{talk.me} hello"]
    assert [row.text for row in await talk.rows(schema.MessageVersion)] == ["hello", None]
    again = await talk.ask("and now?")
    assert said(await talk.max.context_menu(talk.channel, "Delete this answer", again)).content == EN.deleted
    question = talk.channel.history()[0]
    assert said(await talk.ada.context_menu(talk.channel, "Delete this answer", question)).content == (
        EN.no_answer_here
    )


async def test_the_bot_knows_which_servers_it_is_in(talk: World):
    await talk.ask("hello")
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is None
    await talk.store.servers_now("discord", set())
    await talk.env.restart_bot(talk.bot())  # it was removed and added again while it was away
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is None
    bot: Any = talk.env.bot
    (guild,) = bot.guilds
    bot._connection._guilds.clear()  # simcord's servers cannot remove it
    await bot.parley.on_guild_remove(guild)
    (server,) = await talk.rows(schema.Server)
    assert server.left_at is not None
