"""What an engine is asked in the tests of odd servers, and what it said."""

import asyncio

from bot.engine.api import Delta, Finished, Sampling, TakenBack, Thought

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 3?"}]
FIVE = "It is 5."


async def asked(engine, messages=HELLO, sampling=Sampling()):  # noqa: B008 - frozen
    async with engine.session() as session:
        return [event async for event in session.stream(messages, sampling)]


async def said(engine, **more):
    """The answer's text, the thoughts, and why it ended."""
    text, thoughts, reason = "", "", ""
    for event in await asked(engine, **more):
        match event:
            case Delta(piece):
                text += piece
            case Thought(piece):
                thoughts += piece
            case TakenBack():
                text, thoughts = "", thoughts + text
            case Finished():
                reason = event.finish_reason
    return text, thoughts, reason


async def serving(engine):
    async with engine.session() as session:
        return session.release


async def eventually(found, wanted):
    async with asyncio.timeout(20):
        while await found() != wanted:  # noqa: ASYNC110 - what changes is in another task, or in a file
            await asyncio.sleep(0.01)


async def until(engine, release):
    await eventually(lambda: serving(engine), release)
