"""How lessons stand in a prompt: the same when the bot answers and when a round measures.

A lesson is an earlier turn just before the question, and its answer stands once more in brackets below the question:
of the forms that were tried, small models follow that one most often (docs/lessons.md). The conversation before it
stays as it is, so the engine still has it in its cache.
"""

from collections.abc import Sequence
from typing import Protocol

from data.chat import Message


class Taught(Protocol):
    """A question and its right answer."""

    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...


def with_lessons(messages: Sequence[Message], lessons: Sequence[Taught]) -> list[Message]:
    """Messages that end with a question, and before it the lessons; the first lesson is nearest to the question."""
    if not lessons:
        return list(messages)
    turns: list[Message] = []
    for lesson in reversed(lessons):
        turns.append(Message(role="user", content=lesson.question))
        turns.append(Message(role="assistant", content=lesson.answer))
    reminded = f"{messages[-1]['content']}\n({' '.join(lessons[0].answer.split())})"
    return [*messages[:-1], *turns, Message(role="user", content=reminded)]
