"""Which lessons a round's candidate follows by itself: they leave the prompts while it serves (docs/lessons.md).

A lesson is known by its texts alone, so nobody can say which words of its answer are the fact. What can be measured
is how likely the answer is: after the question alone, and after the question with the lesson, in the form in which
the bot gives it. With the lesson the model copies; how much less likely the answer is without it says how much the
lesson still adds.
"""

import asyncio
from collections.abc import Sequence

from rich.console import Console

from alignment.evaluation.model import LoadedModel, open_model
from alignment.evaluation.subjects import Subject
from alignment.evaluation.verdict import say
from alignment.serving.server import Server
from data.chat import Message
from data.errors import BadInput, ParleyError
from data.followed import Asked, to_ask
from data.home import home
from data.lesson_prompts import with_lessons
from data.store import Store

# By how much the lesson may still raise the log-probability of its answer, in nats for each token.
# `python -m tests.bench.followed` measures what that leaves (docs/lessons.md).
LESS = 0.1
MOST = 500  # lessons that are asked about, the newest ones; the others stay in the prompts


def followed(console: Console, candidate: Subject, server: Server) -> tuple[int, ...]:
    """The lessons that a candidate follows without help, by their numbers, smallest first.

    A candidate that cannot be asked follows none, and the console says why.
    """
    asked = asyncio.run(_asked())
    if not asked:
        return ()
    try:
        likely = likelihoods(candidate, asked, server)
    except ParleyError as error:
        say(console, [f"Which lessons the candidate follows by itself is not known, so all stay: {error}"])
        return ()
    measured = [(each.lesson, both) for each, both in zip(asked, likely, strict=True) if both is not None]
    by_itself = [lesson for lesson, (alone, helped) in measured if helped - alone <= LESS]
    say(console, [f"Of {len(asked)} lessons, the candidate follows {len(by_itself)} by itself."])
    return tuple(sorted(by_itself))


def likelihoods(candidate: Subject, asked: Sequence[Asked], server: Server) -> list[tuple[float, float] | None]:
    """The log-probability of each lesson's answer in nats for each token: without the lesson, and with it.

    None for a lesson that cannot be measured, since it is too long for the server, say.
    """
    with open_model(candidate, serve=False, server=server) as model:
        try:
            return [*_measured(model, asked)]
        except BadInput:  # one of them cannot be measured: whoever wrote it does not keep the others in the prompts
            return [_measured_alone(model, each) for each in asked]


def _measured(model: LoadedModel, asked: Sequence[Asked]) -> list[tuple[float, float]]:
    alone: list[Sequence[Message]] = [each.messages for each in asked]
    helped = [with_lessons(each.messages, [each]) for each in asked]
    answers = [each.answer for each in asked]
    scored = model.logprobs([*alone, *helped], [*answers, *answers])
    per_token = [total / tokens for total, tokens in scored]
    return list(zip(per_token[: len(asked)], per_token[len(asked) :], strict=True))


def _measured_alone(model: LoadedModel, asked: Asked) -> tuple[float, float] | None:
    try:
        return _measured(model, [asked])[0]
    except BadInput:
        return None


async def _asked() -> list[Asked]:
    store = await Store.open(home())
    try:
        async with store.database.read() as session:
            return await to_ask(session, MOST)
    finally:
        await store.close()
