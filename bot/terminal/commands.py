"""What a line at the terminal means: a command, or something that is said to the bot."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

COMMANDS = (
    "/up",
    "/down",
    "/correct",
    "/again",
    "/new",
    "/retract",
    "/stop",
    "/persona",
    "/lessons",
    "/stats",
    "/consent",
    "/privacy",
    "/forget",
    "/help",
    "/quit",
)


@dataclass(frozen=True)
class Command:
    """A line that begins with a slash; `name` may be unknown."""

    name: str
    argument: str


def parse(line: str) -> Command | str | None:
    """A command, the text that is said, or None for an empty line. Two slashes begin a text that starts with one."""
    line = line.strip()
    if line.startswith(("//", "／／")):
        return line[1:]
    if line.startswith(("/", "／")):
        name, *argument = re.split(r"\s+", line[1:], maxsplit=1)
        return Command(f"/{name.lower()}", "".join(argument))
    return line or None


def nearest(name: str) -> str | None:
    """The known command that is most similar to an unknown one; None if no command is similar."""
    near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    return near[0] if near else None
