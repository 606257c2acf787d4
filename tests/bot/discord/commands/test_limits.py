"""Answers an hour on Discord: the operator's limits, and the stricter ones of a server's managers."""

from collections.abc import AsyncIterator

import discord
import pytest
import simcord

from bot.discord.commands.limits import hindrance, with_limits
from bot.rate_limit import HOUR, RateLimiter
from bot.settings import load
from bot.texts import EN, ZH
from data import schema
from data.errors import BadInput
from tests.bot.discord.world import World, playing, said


class Clock:
    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


def clock_of(talk: World) -> Clock:
    clock = Clock()
    talk.app.chat.rate_limiter = RateLimiter(clock)
    return clock


@pytest.fixture
async def limited(world: World) -> AsyncIterator[World]:
    """A bot whose operator allows each person two answers an hour and each server four."""
    bot = world.bot(hourly_per_person=2, hourly_per_server=4)
    async with playing(bot) as env:
        await world.begin(env)
        yield world


@pytest.mark.played
async def test_a_person_at_their_limit_is_told_when_to_ask_again_and_nothing_is_kept(limited: World):
    clock = clock_of(limited)
    first = await limited.ask("one")
    clock.now += 600
    await limited.ada.click(first, label="↻")
    assert len(await limited.rows(schema.Generation)) == 2
    clock.now += 60
    refusal = EN.hourly_person.format(limit=2, minutes=49)
    assert (await limited.ask("three")).content == refusal
    again = await limited.ada.click(first, label="↻")
    assert [(told.content, told.ephemeral) for told in again.followups] == [(refusal, True)]
    beside = await limited.ada.click(first, label="⚖️")
    assert said(beside) == refusal
    asked = await limited.ada.slash(limited.channel, "ask", question="four")
    assert said(asked) == refusal
    assert (asked.followups[0] if asked.followups else asked.response).ephemeral  # type: ignore[union-attr]  # there is one
    assert [row.text for row in await limited.rows(schema.MessageVersion) if "a fake" not in row.text] == ["one"]
    await limited.bea.send(limited.channel, f"{limited.me} hello")  # she has not used hers
    assert limited.last().content == "a fake answer"
    clock.now += HOUR - 660 + 1  # the first answer's hour is over, the second's is not
    assert (await limited.ask("five")).content == "a fake answer"
    assert (await limited.ask("six")).content.startswith("You had 2 answers")


@pytest.mark.played
async def test_everybody_on_a_server_shares_its_limit_and_other_places_have_their_own(limited: World):
    clock_of(limited)
    for member in (limited.ada, limited.ada, limited.bea, limited.bea):
        await member.send(limited.channel, f"{limited.me} hello")
    await limited.max.send(limited.channel, f"{limited.me} hello")
    assert limited.last().content == EN.hourly_server.format(limit=4, minutes=60)
    await limited.max.user.send_dm("hello")
    assert limited.last(limited.max.user.dm_channel).content == "a fake answer"


@pytest.mark.played
async def test_a_manager_limits_a_channel_and_the_server_but_never_beyond_the_operator(limited: World):
    clock_of(limited)
    other = limited.guild.create_text_channel("other")
    told = said(await limited.max.slash(limited.channel, "limits", person=3, where="server"))
    assert told == EN.limits_too_wide.format(limits="2 for each person, 4 for each server")
    assert said(await limited.max.slash(limited.channel, "limits", server=1)) == EN.limits_server_wide
    assert await limited.rows(schema.Setting) == []
    told = said(await limited.max.slash(limited.channel, "limits", person=1, channel=2))
    assert told.splitlines() == [
        EN.limits_here.format(limits="1 for each person, 2 for each channel"),
        EN.limits_on_server.format(limits=EN.no_limit),
        EN.limits_installation.format(limits="2 for each person, 4 for each server"),
    ]
    await limited.ask("one")
    assert (await limited.ask("two")).content == EN.hourly_person.format(limit=1, minutes=60)
    await limited.ada.send(other, f"{limited.me} two")
    assert limited.last(other).content == "a fake answer"
    await limited.bea.send(limited.channel, f"{limited.me} one")
    await limited.max.send(limited.channel, f"{limited.me} one")
    assert limited.last().content == EN.hourly_channel.format(limit=2, minutes=60)
    await limited.max.slash(limited.channel, "limits", person=0, channel=0)
    assert await limited.rows(schema.Setting) == []
    await limited.max.send(limited.channel, f"{limited.me} one")
    assert limited.last().content == "a fake answer"


@pytest.mark.played
async def test_two_answers_to_compare_count_as_one(world: World):
    bot = world.bot(hourly_per_person=1, compare_share=1.0)
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        world.fake.answer("one answer")
        await world.ask("hello")
        assert len(await world.rows(schema.Generation)) == 2
        assert (await world.ask("more")).content == EN.hourly_person.format(limit=1, minutes=60)


@pytest.mark.played
async def test_an_answer_that_fails_does_not_count(limited: World):
    clock_of(limited)
    for _ in range(3):
        limited.fake.fail(400, message="no")
        await limited.ask("hello")
    assert (await limited.ask("hello")).content == "a fake answer"
    assert (await limited.ask("hello")).content == "a fake answer"


@pytest.mark.played
async def test_without_limits_nobody_is_refused(talk: World):
    for _ in range(5):
        assert (await talk.ask("hello")).content == "a fake answer"
    lines = said(await talk.max.slash(talk.channel, "limits")).splitlines()
    assert lines == [
        line.format(limits=EN.no_limit) for line in (EN.limits_here, EN.limits_on_server, EN.limits_installation)
    ]


@pytest.mark.played
async def test_only_managers_set_limits_and_it_is_recorded(talk: World, monkeypatch: pytest.MonkeyPatch):
    await talk.max.slash(talk.channel, "limits")
    await talk.max.slash(talk.channel, "limits", person=5, server=50, where="server")
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, "limits", person=0)) == EN.managers_only
    assert await talk.log() == [("limits", {"where": "server", "per_person": 5, "per_server": 50})]


@pytest.mark.parametrize("value", ["-1", "many", "1000000"])
def test_an_operators_bad_limit_gives_a_sentence(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("PARLEY_HOURLY_PER_CHANNEL", value)
    with pytest.raises(BadInput, match=f"PARLEY_HOURLY_PER_CHANNEL: '{value}' cannot be used"):
        load(None)


def test_which_limits_may_be_set():
    assert hindrance({"person": 0}, {"person": 3}, EN, wide=False) is None  # wider places decide again
    assert hindrance({"person": 3, "channel": 9}, {"person": 3, "channel": 0}, EN, wide=False) is None
    assert hindrance({"person": 4}, {"person": 3}, ZH, wide=False) == ZH.limits_too_wide.format(limits="每人 3 个")
    assert with_limits({"person": 3}, {"channel": 4}) == {"person": 3, "channel": 4}
    assert with_limits({"person": 3}, {"person": 0}) is None
