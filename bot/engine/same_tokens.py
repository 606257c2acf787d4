"""Whether a server makes the token ids of the trainer (`data.same_tokens`)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bot.engine.counting import prompt_ids
from data.same_tokens import difference, trained_ids

if TYPE_CHECKING:
    from bot.engine.counting import Counting
    from bot.engine.wire import Wire
    from data.bases import BaseInfo


async def tokens_problem(wire: Wire, way: Counting, base: BaseInfo) -> str | None:
    """What is wrong with the token ids that a server makes; None if they are the trainer's. Raises EngineError."""
    arguments = wire.dialect.template_arguments()
    for messages, wanted in await asyncio.to_thread(trained_ids, base):
        got = await prompt_ids(wire, way, messages)
        if problem := difference(got, wanted, wire.shown, base, arguments):
            return problem
    return None
