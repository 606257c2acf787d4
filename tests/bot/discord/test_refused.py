"""How many messages were refused is told to managers: by place and reason, without words and names."""

import pytest

from bot.discord.chores import tell_managers
from bot.discord.refused import REASONS, RefusedMessages, lines
from bot.texts import EN
from tests.bot.discord.world import World, playing, said


def reason(name: str, count: int) -> str:
    return EN.refusal_reasons[REASONS.index(name)].format(count=count)


@pytest.mark.played
async def test_managers_see_counts_by_place_and_reason_once(world: World):
    async with playing(world.bot(hourly_per_person=1)) as env:
        await world.begin(env)
        log = world.guild.create_text_channel("log")
        told = await world.max.slash(world.channel, "refusals", channel=log)
        assert said(told) == EN.refusals_go.format(channel=log.mention)
        await world.ask("one")
        await world.ask("two")
        await world.ada.slash(world.channel, "ask", question="three")
        await world.bea.send(world.channel, f"{world.me} you should kill yourself")
        await world.max.slash(world.channel, "access block", who=world.bea)
        await world.bea.send(world.channel, f"{world.me} four")
        await world.bea.slash(world.channel, "ask", question="five")
        await tell_managers(world.app)
        (counts,) = log.history()
        assert counts.content.splitlines()[0] == EN.refusals_hour
        listed = counts.content.splitlines()[1]
        assert listed.startswith(f"<#{world.channel.id}>: ")
        assert reason("person", 2) in listed
        assert reason("hourly_person", 2) in listed
        for word in ("two", "kill", "ada", "bea", str(world.ada.id), str(world.bea.id)):
            assert word not in counts.content
        await tell_managers(world.app)
        assert len(log.history()) == 1
        assert ("refusals", {"channel": log.id}) in await world.log()


@pytest.mark.played
async def test_without_a_channel_nothing_is_told_and_nothing_kept(talk: World):
    await talk.max.slash(talk.channel, "access block", who=talk.bea)
    await talk.bea.send(talk.channel, f"{talk.me} one")
    before = talk.contents()
    await tell_managers(talk.app)
    assert talk.contents() == before
    assert talk.app.refused.take() == {}
    assert said(await talk.max.slash(talk.channel, "refusals")) == EN.refusals_off


def test_direct_messages_and_failures_of_the_bot_are_not_counted():
    refused = RefusedMessages()
    refused.add(None, 1, "person")
    refused.add(2, 1, "internal")
    refused.add(2, 1, "moderated")
    assert refused.take() == {2: {(1, "moderated"): 1}}


def test_every_reason_has_a_sentence_and_many_places_fit_into_a_message():
    assert len(EN.refusal_reasons) == len(REASONS)
    counts = {(10**17 + place, name): 1000 for place in range(50) for name in REASONS}
    assert len(lines(counts, EN)) <= 2000
