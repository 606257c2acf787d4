"""Lines at the terminal: what is a command, and what is said to the bot."""

import pytest

from bot.terminal.commands import COMMANDS, Command, parse
from bot.texts import EN


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("hello there ", "hello there"),
        ("  ", None),
        ("/up", Command("/up", "")),
        ("/DOWN  too long ", Command("/down", "too long")),
        ("／persona tutor", Command("/persona", "tutor")),
        ("//etc is a folder", "/etc is a folder"),
        ("/correct\nTwo\nlines.", Command("/correct", "Two\nlines.")),
        ("/", Command("/", "")),
    ],
)
def test_lines_are_commands_or_said(line: str, expected: object):
    assert parse(line) == expected


def test_every_command_is_in_the_help():
    helped = {line.split()[0] for line in EN.help.splitlines()}
    assert helped == set(COMMANDS)
