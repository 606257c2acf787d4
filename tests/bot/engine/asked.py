"""What an engine is asked in the tests of odd servers, and what it said."""

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
