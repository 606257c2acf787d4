"""`/audit`: managers and operators can read what was done, and nobody else can."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.discord.audit_log import record
from bot.discord.commands.audit import NEWEST, lines
from bot.texts import EN, ZH
from data.audit_log import AuditEntry
from tests.bot.discord.world import World, reply_of

TEXT = st.text(max_size=200)


ENTRIES = st.builds(
    AuditEntry,
    at=st.integers(1_700_000_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    person=st.integers(1, 3),
    pseudonym=st.just("person-0123456789ab"),
    server=st.none() | st.just("7"),
    deed=st.text(max_size=40),
    what=st.dictionaries(TEXT, st.none() | st.integers() | TEXT, max_size=3),
)


def said(result: Any) -> str:
    assert reply_of(result).ephemeral
    return str(reply_of(result).content)


@given(st.lists(ENTRIES, max_size=NEWEST), TEXT)
def test_entries_fit_and_names_in_them_format_nothing(entries: list[AuditEntry], server: str) -> None:
    for words in (EN, ZH):
        told = lines(entries, 2, {"7": server}, words)
        assert len(told) <= 2000
        if entries:
            assert len(told.split("\n")) == len(entries) + 1
            assert all(line.count("`") == 2 for line in told.split("\n")[1:])


def test_readers_are_called_you_and_others_by_their_pseudonym() -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    entries = [
        AuditEntry(at, 1, "person-a", "7", "persona", {"name": "tutor", "channel": 5, "limit": None}),
        AuditEntry(at - timedelta(1), 2, "person-b", None, "promote", {"release": 3}),
    ]
    assert lines(entries, 1, {"7": "A `server`"}, EN).split("\n") == [
        EN.audit_newest,
        "<t:1795564800:f> you `persona name=tutor channel=5 @ A 'server'`",
        "<t:1795478400:f> person-b `promote release=3`",
    ]
    assert lines([], 1, {}, EN) == EN.audit_empty


@pytest.fixture
async def acted(talk: World) -> World:
    """A world in which Max, a manager, acted here, and Bea, an operator, on the installation and elsewhere."""
    await talk.env.restart_bot(talk.bot(operators=(talk.bea.id,)))
    store = talk.store
    bea = await store.person("discord", str(talk.bea.id))
    here, there = await store.server("discord", str(talk.guild.id)), await store.server("discord", "99")
    await store.record_deed(await store.person("discord", str(talk.max.id)), "teaching", server=here, allowed="on")
    await store.record_deed(bea, "persona", server=there, name="tutor")
    await store.record_deed(bea, "promote", release=3)
    return talk


@pytest.mark.played
async def test_managers_see_their_servers_entries_and_operators_see_all(acted: World):
    told = said(await acted.max.slash(acted.channel, "audit")).split("\n")
    assert [line.partition("> ")[2] for line in told[1:]] == ["you `teaching allowed=on`"]
    told = said(await acted.bea.user.slash("audit")).split("\n")
    (max_,) = {entry.pseudonym for entry in await acted.store.deeds(None, 9) if entry.deed == "teaching"}
    assert [line.partition("> ")[2] for line in told[1:]] == [
        "you `promote release=3`",
        "you `persona name=tutor`",
        f"{max_} `teaching allowed=on @ {acted.env.guild.name}`",
    ]


@pytest.mark.played
async def test_others_see_nothing(acted: World):
    assert said(await acted.ada.slash(acted.channel, "audit")) == EN.audit_managers_only
    assert said(await acted.ada.user.slash("audit")) == EN.operators_only
    assert said(await acted.max.user.slash("audit")) == EN.operators_only  # a manager, but not an operator


@pytest.mark.played
async def test_the_newest_twenty_are_shown(acted: World):
    server = await acted.store.server("discord", str(acted.guild.id))
    person = await acted.store.person("discord", str(acted.max.id))
    for number in range(NEWEST):
        await acted.store.record_deed(person, "limit", server=server, number=number)
    told = said(await acted.max.slash(acted.channel, "audit")).split("\n")
    assert len(told) == NEWEST + 1
    assert f"number={NEWEST - 1}`" in told[1]
    assert "number=0`" in told[-1]


@pytest.mark.played
async def test_what_a_manager_did_is_written_down_for_their_server(talk: World):
    interaction: Any = type("Interaction", (), {"user": talk.max, "guild_id": talk.guild.id})()
    await record(talk.store, interaction, "teaching", allowed="on")
    interaction.guild_id = None
    await record(talk.store, interaction, "persona", name="tutor")
    found = [(entry.deed, entry.server, entry.what) for entry in await talk.store.deeds(None, 9)]
    assert found == [("persona", None, {"name": "tutor"}), ("teaching", str(talk.guild.id), {"allowed": "on"})]
    assert {entry.person for entry in await talk.store.deeds(None, 9)} == {
        await talk.store.person("discord", str(talk.max.id))
    }
