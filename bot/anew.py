"""When a conversation begins anew, and who is offered that: pure decisions, the same on every platform.

A platform that keeps one conversation in a place (a terminal, a thread, a direct message) lets people end it: nothing
is erased, but what was asked before is no longer followed. Where conversations are trees of replies there is nothing
to end, because every message that is not a reply begins one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.answers import Unanswerable
from bot.engine.api import ContextTooLong

if TYPE_CHECKING:
    from bot.answers import Failed
    from bot.texts import Texts

BEGAN = "began_anew"  # a setting of places: since which of the platform's ids, which are in the order of time


class Stuck(Unanswerable):
    """The conversation cannot go on as it is, and a new one could."""


def asked_since(asked: int | None, began: int | None) -> bool:
    """Whether what was asked with the id `asked` belongs to the conversation that began anew at `began`.

    Both are None where that is not known, or never happened.
    """
    return began is None or (asked is not None and asked > began)


def is_stuck(error: Exception) -> bool:
    """Whether a question failed because its conversation cannot go on, so that a new one should be offered."""
    return isinstance(error, Stuck | ContextTooLong)


def with_offer(texts: Texts, failed: Failed) -> str:
    """What to tell a person whose question failed: why, and the command for a new conversation where that helps."""
    return f"{failed.sentence} {texts.anew_offer}" if failed.stuck else failed.sentence
