"""`/release`: what operators see and decide on Discord; everybody else is refused, each time."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.discord.commands.release import duration
from bot.texts import EN, ZH
from data.errors import NothingToDo
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.rounds import paused_since
from tests.bot.discord.world import World, reply_of
from tests.bot.judged import release
from tests.data.two_bases import FERN


def home(talk: World) -> Path:
    return talk.store.database.path.parent


@pytest.fixture
async def operated(talk: World) -> World:
    """Bea is an operator, and there are three releases: refused by the gate, passed, and never judged."""
    await talk.env.restart_bot(talk.bot(operators=(talk.bea.id,)))
    release(home(talk), promote=False, win=(0.45, 0.3, 0.6), parents={"champion": 0})
    release(home(talk), promote=True, win=(0.62, 0.52, 0.7), parents={"champion": 1})
    release(home(talk))
    for number in (1, 2, 3):
        await talk.store.add_release(number, "smollm2-135m", "0" * 64)
    return talk


async def ask(talk: World, command: str, **options: Any) -> Any:
    """What Bea is told, in a direct message."""
    return reply_of(await talk.bea.user.slash(f"release {command}", **options))


async def recorded(talk: World) -> list[tuple[str, str | None, dict[str, Any]]]:
    return [(entry.deed, entry.server, dict(entry.what)) for entry in await talk.store.deeds(None, 9)]


@pytest.mark.played
async def test_nobody_else_is_obeyed_not_even_managers(operated: World):
    for command, options in (
        ("status", {}),
        ("promote", {"number": 2}),
        ("rollback", {}),
        ("pause", {}),
        ("resume", {}),
    ):
        told = reply_of(await operated.ada.user.slash(f"release {command}", **options))
        assert told.content == EN.operators_only
        assert not told.components
        assert reply_of(await operated.max.slash(operated.channel, f"release {command}", **options)).content == (
            EN.operators_only
        )
    assert Releases(home(operated)).champion() == 0
    assert paused_since(home(operated)) is None
    assert await recorded(operated) == []


@pytest.mark.played
async def test_a_release_serves_after_a_confirmation_that_shows_what_the_gate_said(operated: World):
    asked = await ask(operated, "promote", number=2)
    gate, unreached, question = asked.content.split("\n")
    assert "promote, trial and rollback do not reach it" in unreached  # the fake engine is of the kind `fixed`
    assert gate == (
        f"{EN.gate_said_yes.format(reasons='Judged by a test, the answer is True.')} "
        f"{EN.gate_compared_with.format(release='release 1')}"
    )
    assert question == EN.promote_question.format(release="release 2", champion=EN.the_base)
    assert Releases(home(operated)).champion() == 0
    await operated.bea.user.click(asked, label=EN.promote_yes)
    assert Releases(home(operated)).champion() == 2
    assert asked.content == EN.promoted.format(release="release 2", before=EN.the_base)
    assert not asked.components
    assert await operated.store.champions() == {2}
    assert await recorded(operated) == [("promote", None, {"release": 2, "before": 0})]


@pytest.mark.played
async def test_what_the_gate_refused_needs_an_explicit_anyway(operated: World):
    told = await ask(operated, "promote", number=1)
    assert told.content == (
        f"{EN.gate_said_no.format(reasons='Judged by a test, the answer is False.')}\n{EN.promote_anyway}"
    )
    assert not told.components
    asked = await ask(operated, "promote", number=1, anyway=True)
    assert asked.content.startswith("The gate said no.")
    await operated.bea.user.click(asked, label=EN.promote_yes)
    assert Releases(home(operated)).champion() == 1


@pytest.mark.played
async def test_a_release_that_nobody_judged_says_so_and_the_base_needs_no_gate(operated: World):
    asked = await ask(operated, "promote", number=3)
    assert asked.content.startswith(EN.gate_never_asked)
    await operated.bea.user.click(asked, label=EN.promote_yes)
    asked = await ask(operated, "promote", number=0)
    assert asked.content == EN.promote_question.format(release=EN.the_base, champion="release 3")
    await operated.bea.user.click(asked, label=EN.promote_yes)
    assert Releases(home(operated)).champion() == 0


@pytest.mark.played
async def test_what_cannot_be_promoted_gives_a_sentence(operated: World):
    told = await ask(operated, "promote", number=9)
    assert told.content == EN.no_such_release.format(number=9, numbers="0, 1, 2, 3")
    told = await ask(operated, "promote", number=0)
    assert told.content == EN.serves_already.format(release=EN.the_base)
    assert not told.components


@pytest.mark.played
async def test_releases_of_another_base_are_not_offered(operated: World):
    releases = Releases(home(operated))
    releases.begin_anew("fern", FERN)
    added = releases.create(lambda _: ReleaseManifest(base="fern", base_sha256=FERN)).number
    told = (await ask(operated, "promote", number=2)).content
    assert "belongs to the base model" in told
    assert "`python -m alignment.bases switch" in told
    assert f"The newest are 0, {added};" in (await ask(operated, "promote", number=9)).content
    status = (await ask(operated, "status")).content
    assert EN.of_other_bases.format(numbers=", ".join(map(str, range(1, added)))) in status
    assert Releases(home(operated)).champion() == 0


@pytest.mark.played
async def test_a_confirmation_counts_only_while_the_same_champion_serves(operated: World):
    late, soon = await ask(operated, "promote", number=2), await ask(operated, "promote", number=3)
    await operated.bea.user.click(soon, label=EN.promote_yes)
    await operated.bea.user.click(late, label=EN.promote_yes)
    assert Releases(home(operated)).champion() == 3
    assert [action for action, _, _ in await recorded(operated)] == ["promote"]


@pytest.mark.played
async def test_a_former_operator_cannot_confirm_anything(operated: World):
    asked = await ask(operated, "promote", number=2)
    await operated.env.restart_bot(operated.bot(operators=(operated.max.id,)))
    pressed = await operated.bea.user.click(asked, label=EN.promote_yes)
    assert reply_of(pressed).content == EN.operators_only
    assert Releases(home(operated)).champion() == 0


@pytest.mark.played
async def test_a_rollback_goes_back_and_says_where(operated: World):
    assert (await ask(operated, "rollback")).content == EN.no_earlier_champion
    Releases(home(operated)).promote(1)
    Releases(home(operated)).promote(2)
    told = await ask(operated, "rollback")
    assert told.content == EN.rolled_back.format(release="release 1", before="release 2")
    assert Releases(home(operated)).champion() == 1
    assert await recorded(operated) == [("rollback", None, {"release": 1, "before": 2})]


@pytest.mark.played
async def test_rounds_are_paused_and_resumed_and_a_round_respects_it(
    operated: World, monkeypatch: pytest.MonkeyPatch
):
    from alignment.round import main

    assert (await ask(operated, "resume")).content == EN.rounds_not_paused
    assert (await ask(operated, "pause")).content == EN.rounds_paused_now
    assert (await ask(operated, "pause")).content == EN.rounds_paused_already
    assert "Rounds have been paused since <t:" in (await ask(operated, "status")).content
    monkeypatch.setenv("PARLEY_HOME", str(home(operated)))
    with pytest.raises(NothingToDo, match="/release resume"):
        main([])
    assert (await ask(operated, "resume")).content == EN.rounds_resumed_now
    assert paused_since(home(operated)) is None
    assert [action for action, _, _ in await recorded(operated)] == ["resume", "pause"]


@pytest.mark.played
async def test_what_operators_do_is_recorded_for_no_server_wherever_they_do_it(operated: World):
    await operated.env.restart_bot(operated.bot(operators=(operated.max.id,)))
    told = reply_of(await operated.max.slash(operated.channel, "release pause"))
    assert told.content == EN.rounds_paused_now
    assert await recorded(operated) == [("pause", None, {})]


@pytest.mark.played
async def test_status_says_how_everything_stands(operated: World, monkeypatch: pytest.MonkeyPatch):
    releases = Releases(home(operated))
    releases.promote(2)
    await operated.store.promoted(2)
    releases.put_on_trial(3)
    for number, status in enumerate(("refused", "promoted"), 1):
        folder = home(operated) / "rounds" / f"{number:04d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({"number": number, "status": status}))
    told = (await ask(operated, "status")).content
    assert told.startswith("Release 2 answers. Releases trained so far: 3.\nRelease 3 is on trial: people compared")
    listed = told.split("```")[1].strip().split("\n")
    made = releases.get(1).manifest.created_at[:10]
    assert [" ".join(line.split()) for line in listed] == [
        f"1 ○ {made} 45% (30%–60%) {EN.gate_no}",
        f"2 ● {made} 62% (52%–70%) {EN.gate_yes}",
        f"3 ○ {made} – {EN.gate_silent}",
    ]
    assert EN.stats_rounds.format(rounds=2, promoted=1) in told
    assert EN.engine_well in told
    assert "Servers: 1. Answers running: 0, waiting: 0. Up for 0 d 0 h 0 min." in told
    assert "paused" not in told
    assert str(home(operated)) not in told
    assert operated.fake.url not in told
    operated.fake.fail(400, message="no")
    told = (await ask(operated, "status")).content
    assert EN.engine_away in told
    monkeypatch.setattr("bot.discord.commands.release.PATIENCE", 0.0)
    assert EN.engine_away in (await ask(operated, "status")).content


@pytest.mark.played
async def test_a_damaged_file_is_named_and_the_rest_is_shown(operated: World):
    Releases(home(operated)).champion_path.write_text("two")
    told = (await ask(operated, "status")).content
    assert "should hold the number of the release that serves" in told
    assert EN.engine_well in told
    assert "should hold the number" in (await ask(operated, "promote", number=2)).content
    assert "should hold the number" in (await ask(operated, "rollback")).content


@pytest.mark.played
async def test_the_status_of_many_releases_fits_into_a_message(operated: World):
    for _ in range(40):
        release(home(operated), promote=False, win=(0.45, 0.3, 0.6))
    told = (await ask(operated, "status")).content
    assert len(told) < 2000
    assert told.count("gate: no") == 12


@pytest.mark.played
async def test_long_reasons_leave_room_for_the_question(operated: World):
    reasons = ["On the suite Refusal the candidate is worse. " * 60]
    verdict = {"promote": False, "interval": None, "reasons": reasons}
    Releases(home(operated)).create(lambda _: ReleaseManifest(base="b", figures={"verdict": verdict}))
    asked = await ask(operated, "promote", number=4, anyway=True)
    assert len(asked.content) < 2000
    assert asked.content.endswith(EN.promote_question.format(release="release 4", champion=EN.the_base))


def test_a_duration_in_words():
    assert duration(59, EN) == "0 d 0 h 0 min"
    assert duration(((3 * 24 + 4) * 60 + 5) * 60, EN) == "3 d 4 h 5 min"
    assert duration(((3 * 24 + 4) * 60 + 5) * 60, ZH) == "3 天 4 小时 5 分钟"
