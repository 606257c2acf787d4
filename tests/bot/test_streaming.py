"""An answer that a server sends all at once does not hold up everybody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from bot.answers import RunningAnswer
from bot.engine.api import Delta, Finished, Sampling
from bot.moderation.step import Moderation
from bot.streaming import streamed


class AllAtOnce:
    """A session that never waits: every piece is there already, and costs a millisecond to read."""

    async def stream(self, *_: Any) -> AsyncIterator[Delta | Finished]:
        for _piece in range(300):
            time.sleep(0.001)  # noqa: ASYNC251 - work, as parsing is
            yield Delta("word ")
        yield Finished("stop", 1, 300, 0.1)


async def test_while_a_long_answer_is_read_everything_else_goes_on() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    session: Any = AllAtOnce()
    said = await streamed(RunningAnswer(1), session, [], Sampling(), Moderation())
    task.cancel()
    assert said.text == "word " * 300
    assert turns > 8  # in 300 ms of work; without a break there are three
