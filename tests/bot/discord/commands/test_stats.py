"""`/stats`: counts, the trial, rounds, and a picture or a chart of the releases."""

import json
import sys
from pathlib import Path

import discord
import pytest
import simcord

from bot.release_chart import compared, in_words
from bot.texts import EN, ZH
from data import schema
from tests.bot.discord.world import World, reply_of
from tests.bot.judged import release
from tests.bot.tried import Tried
from tests.data.talk import Talk


def home(talk: World) -> Path:
    return talk.store.database.path.parent


@pytest.fixture
async def judged(talk: World) -> World:
    """A world with three releases, of which the second became the champion and the third was never compared."""
    release(home(talk), promote=False, win=(0.45, 0.3, 0.6))
    release(home(talk), promote=True, win=(0.62, 0.52, 0.7))
    release(home(talk))
    await talk.store.add_release(2, "smollm2-135m", "0" * 64)
    await talk.store.promoted(2)
    for number, status in enumerate(("refused", "promoted", "running"), 1):
        folder = home(talk) / "rounds" / f"{number:04d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"number": number, "status": status}))
    return talk


@pytest.mark.played
async def test_stats_count_what_this_server_taught(talk: World, tried: Tried):
    answer = await talk.ask("hello")
    for member in (talk.ada, talk.bea):
        await talk.agree(member.id)
        await member.click(answer, label="👍")
    await talk.ada.user.send_dm("elsewhere")
    await talk.ada.user.click(talk.last(talk.ada.user.dm_channel), label="👎")
    lines = reply_of(await talk.ada.slash(talk.channel, "stats")).content.splitlines()
    assert lines[0] == EN.stats_here.format(counts="2", people=2)  # two people's counts would show their votes
    await talk.agree(talk.max.id)
    await talk.max.submit_modal(await talk.max.click(answer, label="👎"), {"text": "too short"})
    lines = reply_of(await talk.ada.slash(talk.channel, "stats")).content.splitlines()
    assert lines[0] == EN.stats_here.format(counts="👍 2, 👎 1, ✏️ 0, ⚖️ 0", people=3)
    assert lines[1] == "The base model answers. Releases trained so far: 2."
    assert lines[2].startswith("Release 2 is on trial: people compared answers to 0 questions")
    # Nothing from Discord trains without Discord's permission, so only the trial brings a verdict closer.
    assert lines[3].startswith("For the next verdict there are 0 of 20 questions compared in the trial, 0 of ")
    assert lines[4].startswith("Next: ")
    tried.releases.end_trial()
    assert EN.stats_no_trial in reply_of(await talk.ada.slash(talk.channel, "stats")).content


@pytest.mark.played
async def test_releases_that_learnt_from_somebody_who_left_are_named(judged: World):
    folder = home(judged) / "rounds" / "0002"
    rows = {"rows": {"prompt": ["a", "b"]}, "used": {"prompt": 2}, "decision": {"release": 2}}
    (folder / "manifest.json").write_text(json.dumps({"number": 2, "status": "promoted", **rows}))
    told = EN.stats_left.format(releases="2")
    assert told not in reply_of(await judged.ada.slash(judged.channel, "stats")).content
    async with judged.store.database.write() as session:
        session.add(schema.Tombstone(kind="row", ref_hash="b", reason="forgotten"))
    assert told in reply_of(await judged.ada.slash(judged.channel, "stats")).content


@pytest.mark.played
async def test_the_picture_has_a_description_for_people_who_cannot_see_it(judged: World):
    shown = reply_of(await judged.ada.slash(judged.channel, "stats"))
    assert EN.stats_rounds.format(rounds=2, promoted=1) in shown.content
    assert shown.content.endswith(EN.stats_learnt)
    (file,) = shown.attachments
    assert (await file.read()).startswith(b"\x89PNG")
    assert file.description == EN.stats_picture.format(figures="release 1: 45% (30%–60%), release 2: 62% (52%–70%)")
    again = reply_of(await judged.bea.slash(judged.channel, "stats"))
    assert await again.attachments[0].read() == await file.read()


@pytest.mark.played
async def test_without_matplotlib_there_is_a_chart_of_text(judged: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    shown = reply_of(await judged.ada.slash(judged.channel, "stats"))
    assert not shown.attachments
    _, chart, after = shown.content.split("```")
    assert after == ""
    assert [line.split()[0] for line in chart.strip().splitlines()] == ["1", "2"]
    assert ["○" in line for line in chart.strip().splitlines()] == [True, False]
    assert len(shown.content) < 2000


@pytest.mark.played
async def test_releases_that_were_never_compared_give_no_picture(talk: World):
    release(home(talk))
    shown = reply_of(await talk.ada.slash(talk.channel, "stats"))
    assert not shown.attachments
    assert EN.stats_learnt not in shown.content
    assert "Rounds so far" not in shown.content


@pytest.mark.played
async def test_the_text_with_the_picture_does_not_tell_two_people_how_each_of_them_voted(judged: World):
    answer = await judged.ask("hello")
    for member in (judged.ada, judged.bea):
        await judged.agree(member.id)
        await member.click(answer, label="👍")
    first = reply_of(await judged.ada.slash(judged.channel, "stats")).content.splitlines()[0]
    assert first == EN.stats_here.format(counts="2", people=2)


async def test_the_description_of_many_releases_fits(tmp_path: Path):
    made = [release(tmp_path, promote=False, win=(0.45, 0.3, 0.6)) for _ in range(30)]
    assert all(len(in_words(compared(made, set()), words)) <= 1024 for words in (EN, ZH))


@pytest.mark.played
async def test_what_people_preferred_is_not_shown_while_they_are_fewer_than_three(talk: World, tried: Tried):
    people = [await talk.store.person("discord", name) for name in ("1", "2", "3")]
    spoken = await Talk.begin(talk.store, "discord")
    for number, person in enumerate(people, 1):
        await talk.store.set_consent(person, True)
        said_ = await spoken.say(person, f"question {number}")
        old, new = await spoken.answer(said_, "old"), await spoken.answer(said_, "new", release=2)
        await spoken.rate(person, "comparison", old, other=new, value="b")
        await talk.env.restart_bot(talk.bot())  # the figures of a trial are reused for minutes
        line = reply_of(await talk.ada.slash(talk.channel, "stats")).content.splitlines()[2]
        assert line.startswith(f"Release 2 is on trial: people compared answers to {number} questions")
        assert ("100%" in line) is (number == 3)


@pytest.mark.played
async def test_with_permission_to_train_stats_say_how_far_it_is_but_not_how_two_people_voted(world: World):
    bot = world.bot(discord_training_permission="ticket 1")
    async with simcord.run(bot, approved_intents=discord.Intents.default()) as env:
        await world.begin(env)
        shown = reply_of(await world.ada.slash(world.channel, "stats")).content
        assert "0 of 20 held-out prompts, 0 of 40 pairs for a judge, 0 of " in shown
        assert "thumbs" not in shown
