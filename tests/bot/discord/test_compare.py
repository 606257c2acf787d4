"""Two answers side by side: by the champion and the candidate on trial, or both by the champion."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
import simcord

from bot.discord import compare
from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, eventually, labels, playing
from tests.bot.tried import Tried

VERDICTS = ["A", "B", EN.tie, EN.both_bad]


@pytest.fixture
async def tested(world: World, tried: Tried, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The world with people in it and release 2 on trial; the usual answer is shown first."""
    monkeypatch.setattr(compare.random, "sample", lambda answers, _: list(answers))
    trial = tried.trial()
    trial.look()
    await eventually(lambda: tried.opened)
    await asyncio.sleep(0)
    async with playing(world.bot(trial=trial)) as env:
        await world.begin(env)
        yield world
    await trial.close()


async def two(world: World, tried: Tried, first: str = "one", second: str = "other") -> tuple[Any, Any]:
    world.fake.answer(first)
    tried.fake.answer(second)
    await world.ask("hello")
    return tuple(world.channel.history()[-2:])  # type: ignore[return-value]  # two of them


@pytest.mark.played
async def test_champion_and_candidate_answer_side_by_side(tested: World, tried: Tried):
    top, bottom = await two(tested, tried)
    assert top.content == f"-# {EN.two_answers}\n**A**\none"
    assert bottom.content == "**B**\nother"
    assert (labels(top), labels(bottom)) == ([], VERDICTS)
    assert top.reference is not None
    shown = [await tested.store.shown("discord", str(message.id)) for message in (top, bottom)]
    assert [answer.release for answer in shown if answer] == [0, 2]
    assert shown[0] and shown[1] and shown[0].rendered_sha256 == shown[1].rendered_sha256  # noqa: PT018 - one condition
    # Both got exactly the same prompt.
    assert [m["content"] for m in tried.fake.requests[-1]["messages"][1:]] == tested.sent() == ["hello"]


@pytest.mark.played
async def test_a_verdict_is_kept_and_then_the_releases_are_named(tested: World, tried: Tried):
    _, bottom = await two(tested, tried)
    await tested.agree(tested.bea.id)
    said = await tested.bea.click(bottom, label="B")
    (told,) = said.followups
    assert told.ephemeral
    base, second = EN.the_base, EN.of_release.format(release=2)
    assert told.content == f"{EN.stored_comparison} {EN.which_was_which.format(first=base, second=second)}"
    (rating,) = await tested.rows(schema.Rating)
    assert (rating.kind, rating.value, rating.platform) == ("comparison", "b", "discord")
    again = await tested.bea.click(bottom, label=EN.both_bad)  # knowing the release, she cannot judge again
    assert again.followups[0].content.startswith(EN.already)
    assert [rating.value for rating in await tested.rows(schema.Rating)] == ["b"]


@pytest.mark.played
async def test_a_verdict_asks_for_consent_first_and_remembers_what_was_pressed(tested: World, tried: Tried):
    _, bottom = await two(tested, tried)
    (question,) = (await tested.ada.click(bottom, label="A")).followups
    assert question.content == EN.consent_question_held.format(days=30)
    assert await tested.rows(schema.Rating) == []
    agreed = await tested.ada.click(question, label=EN.yes)
    assert agreed.followups[-1].content.startswith(EN.stored_comparison)
    assert [rating.value for rating in await tested.rows(schema.Rating)] == ["a"]


@pytest.mark.played
async def test_verdicts_survive_a_restart(tested: World, tried: Tried):
    _, bottom = await two(tested, tried)
    await tested.agree(tested.bea.id)
    await tested.env.restart_bot(tested.bot())
    await tested.bea.click(bottom, label=EN.tie)
    assert [rating.value for rating in await tested.rows(schema.Rating)] == ["tie"]


@pytest.mark.played
async def test_a_reply_goes_on_from_the_answer_it_replies_to(tested: World, tried: Tried):
    top, bottom = await two(tested, tried)
    for message, said in ((bottom, "other"), (top, "one")):
        await tested.ada.send(tested.channel, "go on", reply_to=message)
        assert tested.sent() == ["hello", said, "go on"]


@pytest.mark.played
async def test_a_direct_conversation_goes_on_from_the_preferred_answer(tested: World, tried: Tried):
    user = tested.ada.user
    await tested.agree(tested.ada.id)
    for verdict, preferred in (("A", "one"), ("B", "other"), (EN.tie, "other")):
        tested.fake.answer("one")
        tried.fake.answer("other")
        await user.send_dm("hello")
        await user.click(tested.last(user.dm_channel), label=verdict)
        tested.fake.answer("more")
        tried.fake.answer("more")
        await user.send_dm("go on")
        assert tested.sent()[-2:] == [preferred, "go on"]


@pytest.mark.simulation
async def test_the_order_is_random(world: World, tried: Tried):
    trial = tried.trial()
    trial.look()
    await eventually(trial.look)
    async with simcord.run(world.bot(trial=trial), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        tops = [(await two(world, tried))[0].content.rpartition("\n")[2] for _ in range(12)]
    assert set(tops) == {"one", "other"}
    await trial.close()


@pytest.mark.played
async def test_answers_that_are_alike_or_broken_are_shown_as_one(tested: World, tried: Tried):
    tested.fake.answer("same")
    tried.fake.answer("same")
    answer = await tested.ask("hello")
    assert (answer.content, labels(answer)) == ("same", RATE)
    tested.fake.answer("whole")
    tried.fake.drop("half", " of it", after=1)
    answer = await tested.ask("and now?")
    assert (answer.content, labels(answer)) == ("whole", RATE)
    await tested.agree(tested.ada.id)
    await tested.ada.click(answer, label="👍")  # each answer has its own buttons
    (rating,) = await tested.rows(schema.Rating)
    stored = await tested.store.generation(rating.generation_id)
    assert stored is not None
    assert stored.text == "whole"


@pytest.mark.played
async def test_an_engine_that_is_away_gives_a_sentence(tested: World):
    for _ in range(4):
        tested.fake.fail(400, message="no")
    answer = await tested.ask("hello")
    assert "⏳" not in answer.content
    assert answer.content
    assert labels(answer) == []


@pytest.mark.played
async def test_the_asker_may_stop_both(tested: World, tried: Tried):
    tested.fake.answer("half ", "never", hold=asyncio.Event())
    tested.say_without_waiting("hello")
    await eventually(lambda: tested.fake.running)
    await eventually(lambda: labels(tested.last()) == ["⏹"])
    await tested.ada.click(tested.last(), label="⏹")
    assert tested.last().content.startswith("half")
    assert tried.fake.requests == []


@pytest.mark.played
async def test_the_scales_button_puts_another_answer_beside_one(
    tested: World, tried: Tried, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tested.app.trial, "share", 0.0)
    tested.fake.answer("one")
    answer = await tested.ask("hello")
    assert answer.content == "one"
    tried.fake.answer("other")
    await tested.bea.click(answer, label="⚖️")
    top, bottom = tested.channel.history()[-2:]
    assert (top.content.rpartition("\n")[2], bottom.content) == ("one", "**B**\nother")
    await tested.agree(tested.bea.id)
    await tested.bea.click(bottom, label="A")
    assert [rating.value for rating in await tested.rows(schema.Rating)] == ["a"]


@pytest.mark.played
async def test_without_a_candidate_both_are_the_champions(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compare.random, "sample", lambda answers, _: list(answers))
    async with simcord.run(world.bot(compare_share=1.0), approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        world.fake.answer("one")
        world.fake.answer("other")
        bottom = await world.ask("hello")
        assert bottom.content == "**B**\nother"
        await world.agree(world.ada.id)
        told = (await world.ada.click(bottom, label="A")).followups[0].content
        assert told == f"{EN.stored_comparison} {EN.of_one_release.format(first=EN.the_base)}"


@pytest.mark.played
async def test_long_answers_keep_their_messages_apart(tested: World, tried: Tried):
    await two(tested, tried, "long. " * 500, "longer. " * 500)
    messages = tested.channel.history()[1:]
    assert len(messages) > 3
    assert [labels(message) for message in messages] == [[]] * (len(messages) - 1) + [VERDICTS]
    shown = [await tested.store.shown("discord", str(message.id)) for message in messages]
    assert [answer.release for answer in shown if answer] == sorted(answer.release for answer in shown if answer)
    assert {answer.release for answer in shown if answer} == {0, 2}


@pytest.mark.played
async def test_a_reply_while_two_answers_grow_waits_for_them_and_blocks_nobody(tested: World, tried: Tried):
    hold = asyncio.Event()
    tested.fake.answer("one", hold=hold)
    tried.fake.answer("other")
    tested.say_without_waiting("hello")
    await eventually(lambda: tested.contents()[-1].startswith("⏳"))
    growing = tested.last()
    tested.fake.answer("three")
    tried.fake.answer("three")
    backend = tested.env.backend
    reference = {"channel_id": str(tested.channel.id), "message_id": str(growing.id)}
    reference = backend.normalize_message_reference(tested.channel.id, reference)
    backend.create_message(tested.channel.id, tested.ada.id, "and then?", reference=reference)
    await asyncio.sleep(0.05)
    hold.set()
    await eventually(lambda: "three" in tested.contents())
    assert tested.sent() == ["hello", "one", "and then?"]


@pytest.mark.played
async def test_direct_questions_in_a_row_follow_one_another_and_those_that_wait_become_one(
    tested: World, tried: Tried
):
    user = tested.ada.user
    hold = asyncio.Event()
    for number in range(2):
        tested.fake.answer("answer ", f"{number}", hold=hold)
        tried.fake.answer(f"other {number}")
    for question in ("first", "second", "third"):
        tested.env.backend.create_message(user.dm_channel.id, user.id, question)
        await eventually(lambda: tested.fake.requests)
    hold.set()
    await eventually(lambda: len(tested.fake.requests) == 2 and len(tried.fake.requests) == 2)
    await eventually(lambda: "1" in tested.last(user.dm_channel).content)
    assert [text for text in tested.sent() if not text.startswith(("answer", "other"))] == ["first", "second\nthird"]


@pytest.mark.played
async def test_nobody_can_judge_a_pair_after_one_of_the_two_is_deleted(tested: World, tried: Tried):
    hold = asyncio.Event()
    tested.fake.answer("one")
    tried.fake.answer("other", hold=hold)
    tested.say_without_waiting("hello")
    await eventually(lambda: tried.fake.running)
    await eventually(lambda: tested.contents()[-1].startswith("⏳"))
    tested.env.backend.delete_message(tested.channel.id, tested.last().id)
    hold.set()
    await asyncio.sleep(0.3)
    assert all("**B**" not in content for content in tested.contents())


@pytest.mark.played
async def test_each_second_answer_replies_to_its_first(tested: World, tried: Tried):
    top, bottom = await two(tested, tried)
    assert bottom.reference is not None
    assert bottom.reference.message_id == top.id


@pytest.mark.played
async def test_two_answers_that_were_cut_off_say_so_and_can_be_continued(tested: World, tried: Tried):
    tested.fake.answer("one", finish_reason="length")
    tried.fake.answer("other", finish_reason="length")
    await tested.ask("hello")
    upper, lower = (message for message in tested.channel.history() if message.content.startswith(("-#", "**B**")))
    note = EN.cut_off.split("{")[0]
    assert all(note in message.content for message in (upper, lower))
    assert labels(upper) == [EN.go_on]
    assert labels(lower) == ["A", "B", EN.tie, EN.both_bad, EN.go_on]
    tested.fake.answer("and so on.")
    await tested.ada.click(upper, label=EN.go_on)
    assert tested.last().content == "and so on."
    assert tested.sent()[1] == ("one" if "one" in upper.content else "other")
