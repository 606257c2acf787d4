"""Sentences name only commands that exist, by their names in the place where the sentence is read."""

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import pytest
from discord import app_commands

from bot.texts import EN, GUEST, OWN, ZH, Texts, call_commands, texts
from tests.bot.discord.world import World

# The terminal has its own commands, and is never a guest.
AT_THE_TERMINAL = {"help", "for_help", "consent_usage", "correction_empty", "forget_usage", "lessons_change"}
COMMAND = re.compile(r"(?<!\w)/((?:\w+ ?)+)", re.ASCII)


def named(words: Texts) -> dict[str, list[str]]:
    """The commands that a language's sentences name, without the slash, perhaps with options."""
    said = {
        field.name: str(getattr(words, field.name)) for field in fields(words) if field.name not in AT_THE_TERMINAL
    }
    return {name: found for name, text in said.items() if (found := COMMAND.findall(text))}


def paths(commands: Iterable[Any], above: str = "") -> set[str]:
    """The names of commands; those in a group come after the group's name."""
    found = set()
    for command in commands:
        if isinstance(command, app_commands.Group):
            found |= paths(command.commands, f"{above}{command.name} ")
        else:
            found.add(f"{above}{command.name}")
    return found


def there(name: str, commands: set[str]) -> bool:
    return any(f"{name.strip()} ".startswith(f"{command} ") for command in commands)


@pytest.mark.parametrize("words", [EN, ZH])
async def test_every_command_that_our_own_bot_names_exists(world: World, words: Texts):
    commands = paths(world.bot().tree.get_commands())
    found = named(words)
    assert {"teach", "teaching_off", "promoted", "persona_written"} <= set(found)
    assert {name for names in found.values() for name in names if not there(name, commands)} == set()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_guest_names_every_command_below_its_own(world: World, language: str):
    commands = {f"parley {path}" for path in paths(world.bot().tree.get_commands())}
    call_commands(GUEST)
    try:
        guest = texts(language)
        assert texts(language) is guest  # made once
    finally:
        call_commands(OWN)
    found = named(guest)
    assert found.keys() == named(texts(language)).keys()
    assert {name for names in found.values() for name in names if not there(name, commands)} == set()


def test_nothing_is_left_to_be_filled_in():
    assert not any("{slash}" in str(getattr(words, field.name)) for words in (EN, ZH) for field in fields(words))
