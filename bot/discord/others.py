"""Other processes that use the same token: noticed where Discord shows them, so that a message gets one answer.

Discord tells every process of a bot about every message. Two things tell them apart: a message of the bot's own that
replies to a question which this process has not answered yet, and the nonce of an answer. The nonce is made from the
question, so Discord keeps only the first of two answers and gives it back to the second process as well; the stop
button says which process sent it.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

import discord

from bot.discord.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

HOUR = 60 * 60.0
PROCESS = secrets.token_hex(4)  # what the stop buttons of this process hold
_STOP = "parley:stop:"


class AnsweredElsewhere(discord.DiscordException):
    """Another process of the same bot was first."""

    status, code = 409, 0


class Others:
    """What is known of other processes with the same token."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._ours = Seen()  # the questions to which this process replies
        self._theirs = Seen()  # the questions to which another one replied
        self._clock = clock
        self._complained: float | None = None

    def replies(self, question: int) -> None:
        """This process is about to reply to a message. Raises `AnsweredElsewhere` when another one did."""
        if question in self._theirs:
            raise AnsweredElsewhere
        self._ours.first(question)

    def saw(self, message: discord.Message) -> int | None:
        """The bot sent a message: returns the question to which another process replied with it, None for our own."""
        reference = message.reference
        direct = message.type is discord.MessageType.reply and message.interaction_metadata is None
        if reference is None or reference.message_id is None or not direct or reference.message_id in self._ours:
            return None
        if not any(name and name.startswith("parley:") for name in _ids(message.components)):
            return None  # a sentence, not an answer
        self._theirs.first(reference.message_id)
        return reference.message_id

    def complain(self) -> None:
        """Say in the log that another process uses this token, once an hour."""
        now = self._clock()
        if self._complained is not None and now - self._complained < HOUR:
            return
        self._complained = now
        log.warning(
            "Another process uses this bot's token: it answered first. A message gets one answer where Discord lets "
            "this process know; ratings and commands go to either of the two. Stop one of them, or reset the token."
        )


class Once:
    """The answer to one question, which is shown only if no other process was first."""

    def __init__(self, others: Others, question: int) -> None:
        self.lost = False  # whether another process was first
        self._others = others
        self._question = question

    def nonce(self, number: int) -> str:
        """The nonce of the answer's message with this number. Raises `AnsweredElsewhere`."""
        if number == 0:
            try:
                self._others.replies(self._question)
            except AnsweredElsewhere:
                self.lost = True
                raise
        return f"{self._question}-{number}"

    def check(self, sent: discord.Message, view: discord.ui.View | None) -> None:
        """Raise `AnsweredElsewhere` when Discord gave back another process's message for the one that was sent."""
        ours = {getattr(item, "custom_id", None) for item in view.children} if view else set()
        if _stops(ours) != _stops(_ids(sent.components)):
            self.lost = True
            self._others.complain()
            raise AnsweredElsewhere


def _ids(components: Any) -> Iterator[str | None]:
    for row in components:
        for child in getattr(row, "children", ()):
            yield getattr(child, "custom_id", None)


def _stops(ids: Any) -> set[str]:
    return {each for each in ids if each and each.startswith(_STOP)}
