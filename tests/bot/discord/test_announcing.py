"""A new champion is told in the channels that managers chose: once, as counts, and what served before never."""

import json
from pathlib import Path

import discord
import pytest

from bot.discord.announcing import SETTING, announce
from bot.texts import EN, ZH
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.bot.discord.world import World, said
from tests.data.two_bases import FERN, MOSS

pytestmark = pytest.mark.played

WON = {"verdict": {"promote": True, "interval": {"mean": 0.63, "low": 0.57, "high": 0.69}, "reasons": []}}
ONE = EN.of_release.format(release=1)


def home(talk: World) -> Path:
    return talk.store.database.path.parent


def release(talk: World, *, rows: int = 0, raters: int = 0) -> int:
    """A release; with rows, one that a round made from them."""
    number = Releases(home(talk)).create(lambda _: ReleaseManifest(base="b", figures=WON if rows else {})).number
    if rows:
        folder = home(talk) / "rounds" / f"{number:04d}"
        folder.mkdir(parents=True)
        learnt = {"preference": [f"row-{each}" for each in range(rows)], "preference, judge_train": ["other"]}
        decided = {"release": number, "champion": 0, "promote": True}
        manifest = {"number": number, "status": "promoted", "rows": learnt, "decision": decided}
        (folder / "manifest.json").write_text(
            json.dumps(manifest | {"raters": [f"p{each}" for each in range(raters)]})
        )
    return number


async def opt_in(talk: World) -> None:
    told = await talk.max.slash(talk.channel, "announcements", channel=talk.channel)
    assert said(told) == EN.announcements_go.format(channel=talk.channel.mention)


async def test_a_new_release_is_told_once_with_its_counts_and_thanks(talk: World):
    await opt_in(talk)
    release(talk, rows=12, raters=4)
    await announce(talk.app)
    assert talk.contents() == []  # it does not serve yet
    Releases(home(talk)).promote(1)
    await announce(talk.app)
    assert talk.contents() == [
        "\n".join(
            [
                EN.announce_new.format(release=ONE),
                EN.announce_learnt.format(rows=12, people=4),
                EN.announce_won.format(share="63% (57%–69%)"),
                EN.announce_thanks,
            ]
        )
    ]
    await announce(talk.app)
    await talk.env.restart_bot(talk.bot())
    await announce(talk.app)
    assert len(talk.contents()) == 1


async def test_a_release_tells_what_it_learnt_in_plain_words(talk: World):
    await opt_in(talk)
    release(talk, rows=12, raters=4)
    path = home(talk) / "rounds" / "0001" / "manifest.json"
    learnt = {
        "corrections": 9,
        "comparisons": 3,
        "followups": 7,
        "mended": 2,
        "personas": {"tutor": 8, "of one server": 3, "writer": 2, "support": 1},
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | {"taught": learnt}))
    release_path = home(talk) / "releases" / "0001" / "manifest.json"
    made = json.loads(release_path.read_text())
    made["figures"]["verdict"]["suites"] = [{"name": "refusal", "worse": False}, {"name": "leakage", "worse": True}]
    release_path.write_text(json.dumps({**made, "figures": {**made["figures"], "lengths": [200.0, 150.0]}}))
    Releases(home(talk)).promote(1)
    await announce(talk.app)
    counts = {"people": 4, "corrections": 9, "comparisons": 3, "thumbs": 0, "imported": 0}
    assert talk.contents() == [
        "\n".join(
            [
                EN.announce_new.format(release=ONE),
                EN.announce_taught.format(**counts)
                + EN.announce_followups.format(followups=7)
                + EN.announce_mended.format(mended=2)
                + EN.announce_about.format(personas="tutor, writer"),
                EN.announce_won.format(share="63% (57%–69%)"),
                EN.announce_shorter.format(share="25%"),
                EN.announce_checks.format(checks=2, worse=1),
                EN.announce_thanks,
            ]
        )
    ]


async def test_what_serves_when_a_manager_chooses_is_no_news(talk: World):
    release(talk, rows=12, raters=4)
    Releases(home(talk)).promote(1)
    await announce(talk.app)
    await opt_in(talk)
    await announce(talk.app)
    assert talk.contents() == []


async def test_going_back_is_told_as_that(talk: World):
    await opt_in(talk)
    release(talk)
    release(talk)
    releases = Releases(home(talk))
    for number in (1, 2):
        releases.promote(number)
        await announce(talk.app)
    releases.rollback()
    await announce(talk.app)
    releases.promote(2)
    await announce(talk.app)
    releases.promote(0)
    await announce(talk.app)
    names = [EN.of_release.format(release=number) for number in (1, 2)]
    assert [text.splitlines()[0] for text in talk.contents()] == [
        EN.announce_new.format(release=names[0]),
        EN.announce_new.format(release=names[1]),
        EN.announce_back.format(release=names[0]),
        EN.announce_back.format(release=names[1]),
        EN.announce_back.format(release=EN.the_base),
    ]


async def test_another_base_is_told_although_release_0_serves_before_and_after(talk: World):
    releases = Releases(home(talk))
    releases.begin_anew("fern", FERN)
    await opt_in(talk)
    releases.begin_anew("moss", MOSS)
    for _ in range(2):
        await announce(talk.app)
    releases.create(lambda _: ReleaseManifest(base="fern", base_sha256=FERN))
    releases.begin_anew("fern", FERN)
    releases.promote(1)
    for _ in range(2):
        await announce(talk.app)
    again, new = EN.announce_base.format(base="fern"), EN.announce_new.format(release=ONE)
    assert talk.contents() == [EN.announce_base.format(base="moss"), f"{again}\n{new}\n{EN.announce_thanks}"]


async def test_the_base_of_a_server_that_chose_before_bases_were_told_is_no_news(talk: World):
    releases = Releases(home(talk))
    releases.begin_anew("fern", FERN)
    await opt_in(talk)
    place = ("server", str(talk.guild.id))
    await talk.store.change_setting(SETTING, place, lambda now: {k: v for k, v in now.items() if k != "base"})
    await announce(talk.app)
    assert talk.contents() == []
    releases.begin_anew("moss", MOSS)
    await announce(talk.app)
    assert talk.contents() == [EN.announce_base.format(base="moss")]


async def test_it_is_told_in_the_language_of_the_place_and_not_where_nobody_chose_it(talk: World):
    other = talk.guild.create_text_channel("other")
    await talk.max.slash(other, "language", name="zh")
    await talk.max.slash(talk.channel, "announcements", channel=other)
    await talk.max.slash(talk.channel, "announcements")
    release(talk)
    Releases(home(talk)).promote(1)
    await announce(talk.app)
    assert other.history() == []
    await talk.max.slash(talk.channel, "announcements", channel=other)
    release(talk)
    Releases(home(talk)).promote(2)
    await announce(talk.app)
    (told,) = other.history()
    assert told.content.splitlines()[0] == ZH.announce_new.format(release=ZH.of_release.format(release=2))
    assert [what["channel"] for _, what in await talk.log() if _ == "announcements"] == [other.id, None, other.id]


async def test_what_discord_did_not_take_is_told_later_and_what_it_refused_never(talk: World):
    await opt_in(talk)
    release(talk)
    Releases(home(talk)).promote(1)
    for _ in range(5):  # as often as discord.py tries
        talk.env.inject_error("POST", "/channels/*/messages", status=403)
    await announce(talk.app)
    await announce(talk.app)
    assert talk.contents() == []


async def test_a_damaged_home_is_no_reason_to_fail(talk: World):
    await opt_in(talk)
    release(talk)
    Releases(home(talk)).promote(1)
    (home(talk) / "releases" / "0001" / "manifest.json").write_text("[]")
    await announce(talk.app)
    assert talk.contents() == []


async def test_a_channel_in_which_the_bot_may_not_write_is_refused(talk: World):
    closed = talk.guild.create_text_channel(
        "closed", overwrites={talk.guild.me: discord.PermissionOverwrite(send_messages=False)}
    )
    for command in ("announcements", "refusals"):
        told = await talk.max.slash(talk.channel, command, channel=closed)
        assert said(told) == EN.channel_closed.format(channel=closed.mention)


@pytest.mark.parametrize("command", ["announcements", "refusals"])
async def test_only_managers_choose_channels(talk: World, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setattr(discord.Interaction, "permissions", discord.Permissions.none())
    assert said(await talk.max.slash(talk.channel, command, channel=talk.channel)) == EN.managers_only
