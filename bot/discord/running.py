"""The answers that are being made or shown at this moment, in memory only."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.answers import RunningAnswer
    from bot.discord.place import Place


class TwoAnswers:
    """Two answers to one question that are still being made or shown; they are stopped and waited for as one."""

    def __init__(self) -> None:
        self.answer: RunningAnswer | None = None
        self.shown = asyncio.Event()
        self._stopped = False

    def begin(self, answer: RunningAnswer) -> RunningAnswer:
        """The answers have begun; they end at once if they were stopped before."""
        self.answer = answer
        if self._stopped:
            answer.stop()
        return answer

    def stop(self) -> None:
        """End here; the text so far is kept."""
        self._stopped = True
        if self.answer is not None:
            self.answer.stop()

    @property
    def made(self) -> bool:
        """Whether both are recorded."""
        return self.answer is not None and self.answer.made

    async def wait(self) -> None:
        """Wait until it is known which message shows which answer."""
        await self.shown.wait()


@dataclass(frozen=True, eq=False)
class _Run:
    answer: RunningAnswer | TwoAnswers
    person: int
    channels: frozenset[int]


class Running:
    """Finds what runs: by its key, by a message that shows it, by who asked, by where it is shown.

    A key is the id of the question's message, or of the interaction that asked.
    """

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = (
            set()
        )  # those that show an answer: the bot waits for them before it leaves
        self._by_key: dict[str, _Run] = {}
        self._by_message: dict[int, RunningAnswer | TwoAnswers] = {}

    @property
    def keys(self) -> list[str]:
        """The keys of all that runs, in the order in which it began."""
        return list(self._by_key)

    @contextmanager
    def showing(self, key: str, answer: RunningAnswer | TwoAnswers, person: int, place: Place) -> Iterator[None]:
        """The current task shows this answer in a place, for the store's `person`, until the block ends."""
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        run = self._by_key[key] = _Run(answer, person, place.channels)
        try:
            yield
        finally:
            self._by_key = {name: other for name, other in self._by_key.items() if other is not run}
            self._by_message = {number: other for number, other in self._by_message.items() if other is not answer}

    def add_key(self, key: str, other: str) -> None:
        """What runs under `key` is found under the `other` key as well."""
        self._by_key[other] = self._by_key[key]

    def add_message(self, message: int, answer: RunningAnswer | TwoAnswers) -> None:
        """A message of the bot's shows this answer."""
        self._by_message[message] = answer

    def under(self, key: str) -> RunningAnswer | TwoAnswers | None:
        """What runs under a key."""
        run = self._by_key.get(key)
        return run.answer if run else None

    def shown_by(self, message: int) -> RunningAnswer | TwoAnswers | None:
        """What a message of the bot's shows, while it runs."""
        return self._by_message.get(message)

    def shows_in(self, channel: int) -> bool:
        """Whether something runs in a channel."""
        return any(channel in run.channels for run in self._by_key.values())

    def stop(self, key: str) -> bool:
        """Stop what runs under a key; False when nothing does."""
        answer = self.under(key)
        if answer is not None:
            answer.stop()
        return answer is not None

    async def stop_all(self, *, person: int | None = None, channel: int | None = None) -> None:
        """Stop what a person asked for, or what a channel shows, and wait until it is recorded."""
        found = {
            id(run.answer): run.answer
            for run in self._by_key.values()
            if run.person == person or channel in run.channels
        }
        for answer in found.values():
            answer.stop()
            await answer.wait()
