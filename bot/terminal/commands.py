"""What a line means that somebody typed at the terminal: a command, or something that is said."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

COMMANDS = (
    "/up",
    "/down",
    "/correct",
    "/again",
    "/retract",
    "/stop",
    "/persona",
    "/consent",
    "/privacy",
    "/help",
    "/quit",
)


@dataclass(frozen=True)
class Command:
    """A line that begins with a slash; `name` may be unknown."""

    name: str
    argument: str


def parse(line: str) -> Command | str | None:
    """A command, the text that is said, or None for an empty line. Two slashes say a text that begins with one."""
    line = line.strip()
    if line.startswith(("//", "／／")):
        return line[1:]
    if line.startswith(("/", "／")):
        name, _, argument = line[1:].partition(" ")
        return Command(f"/{name.lower()}", argument.strip())
    return line or None


def nearest(name: str) -> str | None:
    """The command that an unknown one may have been meant as."""
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return near[0] if near else None
