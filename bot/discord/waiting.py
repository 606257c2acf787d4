"""The questions that wait for their turn: what the same person writes meanwhile becomes a part of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    import discord


@dataclass
class Question:
    """What one person sent, message by message, until the turn of the first came: it gets one answer."""

    messages: list[discord.Message]
    key: str  # under which its answer runs
    channel: Any  # where it is answered
    joined: list[int] = field(default_factory=list)  # the ids of all messages after the first
    quoted: list[int] = field(default_factory=list)  # the stored versions of what it replies to
    remarks: list[str] = field(default_factory=list)  # what its author is told below the answer

    @property
    def first(self) -> discord.Message:
        """The first of its messages that is still there."""
        return self.messages[0]


class WaitingQuestions:
    """The last question of each channel, while its turn has not come."""

    def __init__(self) -> None:
        self._by_channel: dict[int, Question] = {}
        self._arrivals: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    def add(self, question: Question) -> None:
        """This question is now the last one of its channel."""
        self._by_channel[question.first.channel.id] = question

    def remove(self, question: Question) -> None:
        """Its turn has come, or it will not be answered."""
        channel = question.first.channel.id
        if self._by_channel.get(channel) is question:
            del self._by_channel[channel]

    def last_in(self, channel: int) -> Question | None:
        """The question that waits in a channel, by the channel's id."""
        return self._by_channel.get(channel)

    def withdraw(self, message: int) -> bool:
        """Take a deleted message out of a question of several; returns whether there was one."""
        for question in self._by_channel.values():
            left = [one for one in question.messages if one.id != message]
            if left and len(left) < len(question.messages):
                question.messages = left
                return True
        return False

    def arriving(self, channel: int) -> asyncio.Lock:
        """Held while a message gets its place among the questions of a channel, so that no later one passes it."""
        return self._arrivals.setdefault(channel, asyncio.Lock())
