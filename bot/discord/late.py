"""Presses, commands and windows that Discord no longer lets the bot answer: a line in the log, never a traceback."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import discord

if TYPE_CHECKING:
    from collections.abc import Iterator

# Discord's codes for them, and what happened.
_WHY = {
    10062: "it came too late: Discord waits for three seconds",
    40060: "another process with this bot's token has answered it",
    10015: "it is older than fifteen minutes",
    50027: "it is older than fifteen minutes",
}
# discord.py logs by itself what goes wrong in a button, in a suggestion while somebody types, and in an event.
_LOGGERS = ("discord.client", "discord.ui.view", "discord.app_commands.tree")


def too_late(error: BaseException | None) -> str | None:
    """Why Discord takes no answer to an interaction any more, as a sentence; None for any other error."""
    for each in _chain(error):
        if isinstance(each, discord.HTTPException) and each.code in _WHY:
            return f"a press or a command was not answered: {_WHY[each.code]}"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "original", None) or error.__cause__ or error.__context__


def quiet(record: logging.LogRecord) -> bool:
    """A filter for discord.py's logs: such an error becomes a sentence without a traceback."""
    sentence = too_late(record.exc_info[1]) if record.exc_info else None
    if sentence is not None:
        record.msg, record.args, record.exc_info, record.exc_text = sentence, (), None, None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def log_late_answers_in_words() -> None:
    """Let discord.py's own logs name such errors in a sentence, too."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(quiet)  # added once, however often this is called
