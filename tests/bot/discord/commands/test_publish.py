"""What commands, options and choices are called: valid in both languages, and as Discord gets them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from discord import app_commands

from bot.discord.commands import publish
from bot.texts.commands import CALLED
from tests.bot.discord.world import World

SLASH = re.compile(r"[-_\w]{1,32}")  # Discord's rule for slash commands and options; no capital letters


@pytest.fixture
def told(talk: World) -> list[dict[str, Any]]:
    """The commands as Discord got them."""
    (published,) = [r.json for r in talk.env.http_requests if r.method == "PUT" and r.path.endswith("/commands")]
    assert isinstance(published, list)
    return published


def names(told: list[dict[str, Any]], above: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Everything that has a name: its kind, its path, and itself."""
    for one in told:
        path = f"{above} {one['name']}".strip()
        kind = "option" if above else "menu" if one.get("type", 1) != 1 else "command"
        yield kind, path, one
        yield from names(one.get("options", []), path)
        for choice in one.get("choices", []):
            yield "choice", f"{path} {choice['name']}", choice


@pytest.mark.played
def test_everything_has_a_valid_name_in_chinese(told: list[dict[str, Any]]):
    found = list(names(told))
    assert {kind for kind, *_ in found} == {"command", "menu", "option", "choice"}
    missing = [path for _, path, one in found if "zh-CN" not in one.get("name_localizations", {})]
    assert not missing, "give these a name in bot/texts/commands.py"
    for kind, path, one in found:
        for name in (one["name"], *one["name_localizations"].values()):
            if kind in ("command", "option"):
                assert SLASH.fullmatch(name), path
                assert name == name.lower(), path
            else:
                assert 1 <= len(name) <= (32 if kind == "menu" else 100), path
        assert set(one["name_localizations"]) == {"zh-CN", "zh-TW"}


@pytest.mark.played
def test_commands_and_options_say_what_they_are_for_in_both_languages(told: list[dict[str, Any]]):
    for kind, path, one in names(told):
        if kind in ("command", "option"):
            descriptions = (one["description"], one["description_localizations"]["zh-CN"])
            assert all(3 < len(description) <= 100 for description in descriptions), path
            assert descriptions[0] != descriptions[1], path


@pytest.mark.played
def test_no_two_names_on_one_level_are_the_same(told: list[dict[str, Any]]):
    beside: dict[tuple[str, str], list[str]] = {}
    for kind, path, one in names(told):
        above = path.removesuffix(one["name"])
        beside.setdefault((kind, above), []).append(one["name_localizations"]["zh-CN"])
    for place, found in beside.items():
        assert len(set(found)) == len(found), place


@pytest.mark.played
def test_every_entry_of_the_table_names_something_that_exists(told: list[dict[str, Any]]):
    assert set(CALLED) == {path for _, path, _ in names(told)} | {publish.GROUP}


@pytest.mark.played
async def test_commands_work_under_any_name_that_discord_shows(talk: World):
    # Discord sends the English names, so options must keep theirs.
    await talk.ada.slash(talk.channel, "ask", question="hello")
    assert talk.sent() == ["hello"]


def test_a_command_that_is_not_in_the_table_keeps_its_own_texts():
    @app_commands.command(name="unheard-of", description="Something.")
    @app_commands.describe(thing="A thing.")
    @app_commands.rename(thing="renamed")
    async def unheard_of(interaction: Any, thing: str) -> None:
        """Something."""

    publish.dress(unheard_of)
    (option,) = unheard_of.parameters
    assert (unheard_of.description, str(option.description)) == ("Something.", "A thing.")
    assert option.display_name == "renamed"


def test_a_group_within_a_command_gets_its_names_too():
    group = app_commands.Group(name="persona", description="x")

    @group.command(name="name", description="x")
    async def name(interaction: Any) -> None:
        """Something."""

    publish.dress(group)
    assert group.description == CALLED["persona"].for_en
    assert (name.description, name._locale_name) == (CALLED["persona name"].for_en, app_commands.locale_str("name"))
