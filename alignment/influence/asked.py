"""The answer that somebody asks about: one in the store, or one that is given on the command line."""

from dataclasses import dataclass

from sqlalchemy import func, select

from data import schema
from data.answers import AnswerInContext, load_answers
from data.chat import Message
from data.errors import BadInput, NothingToDo
from data.home_base import other_model
from data.personas import persona
from data.releases import BASE_RELEASE
from data.store import Store

LAST = "last"


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer with the prompt that it was given to, and the release that gave it. `name` is what to call it.

    `lessons` is how many lessons stood in its prompt; they are not part of `prompt`.
    """

    name: str
    prompt: list[Message]
    text: str
    release: int
    lessons: int = 0


def given(question: str, answer: str, release: int, name: str) -> Asked:
    """An answer from the command line, to a question under a persona."""
    if not question.strip() or not answer.strip():
        raise BadInput("--question and --answer must not be empty.")
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in question)
    system = persona(name, "zh" if chinese else "en").system_prompt
    prompt = [Message(role="system", content=system), Message(role="user", content=question)]
    return Asked("This answer", prompt, answer, release)


async def stored(store: Store, name: str) -> Asked:
    """The answer that a name stands for: its number, `PLATFORM:ID` of the message that shows it, or `last`.

    Raises `BadInput` when there is none or its text was erased, `NothingToDo` when no release gave it.
    """
    number = await _number(store, name)
    async with store.database.read() as session:
        found = (await load_answers(session, [number])).get(number)
        if found is None:
            newest = await session.scalar(select(func.max(schema.Generation.id)))
            there = f"the newest is {newest}" if newest else "it holds none yet"
            raise BadInput(f"There is no answer {number} in this home; {there}.")
        table = schema.GenerationLesson
        lessons = await session.scalar(select(func.count()).where(table.generation_id == number))
    return _asked(found, int(lessons or 0))


def _asked(found: AnswerInContext, lessons: int) -> Asked:
    answer = found.generation
    name = f"Answer {answer.id}"
    if found.text is None or any(text.text is None for _, text in found.context):
        raise BadInput(f"{name} cannot be asked about: a text in it was erased.")
    if not found.text.strip():
        raise BadInput(f"{name} is empty.")
    if answer.release == BASE_RELEASE:
        whose = f"the model {answer.model}" if other_model(answer.model) else "the base model"
        raise NothingToDo(
            f"{name} was given by {whose}, which has learnt from nobody here. Ask about an answer of a release."
        )
    return Asked(name, found.prompt(), found.text, answer.release, lessons)


async def _number(store: Store, name: str) -> int:
    if name.isdecimal():
        return int(name[:18])
    if name == LAST:
        async with store.database.read() as session:
            newest = await session.scalar(select(func.max(schema.Generation.id)))
        if newest is None:
            raise BadInput("There is no answer in this home yet.")
        return int(newest)
    platform, colon, message = name.partition(":")
    if not (platform and colon and message):
        raise BadInput(
            f"{name!r} names no answer. Give its number, `{LAST}` for the newest one, or the message that shows it "
            "(discord:1234)."
        )
    shown = await store.shown(platform, message)
    if shown is None:
        raise BadInput(f"The message {message} on {platform} is unknown here, or shows no answer.")
    return shown.generation
