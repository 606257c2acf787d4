"""How lessons stand in a prompt: pure decisions, the same for every engine and platform.

A lesson is an earlier turn just before the question, and its answer stands once more in brackets below the question:
of the forms that were tried, small models follow that one most often (docs/lessons.md). The conversation before it
stays as it is, so the engine still has it in its cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from data.chat import Message
from data.faq import file_of
from data.lessons import EVERYWHERE, SERVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.texts import Texts
    from data.lessons import StoredLesson

MOST = 2  # lessons in one prompt; more of them confuse small models
LISTED, LONGEST = 12, 60  # lessons on a page of a list, and characters of each text there
TOKENS = 256  # that lessons may take, and never more than an eighth of the engine's context


def budget(context_length: int) -> int:
    """How many tokens the lessons of one prompt may take."""
    return min(TOKENS, context_length // 8)


def with_lessons(messages: Sequence[Message], lessons: Sequence[StoredLesson]) -> list[Message]:
    """Messages that end with a question, and before it the lessons; the first lesson is nearest to the question."""
    if not lessons:
        return list(messages)
    turns: list[Message] = []
    for lesson in reversed(lessons):
        turns.append(Message(role="user", content=lesson.question))
        turns.append(Message(role="assistant", content=lesson.answer))
    reminded = f"{messages[-1]['content']}\n({' '.join(lessons[0].answer.split())})"
    return [*messages[:-1], *turns, Message(role="user", content=reminded)]


def listed(lessons: Sequence[StoredLesson], texts: Texts, page: int = 1) -> list[str]:
    """A line for each lesson on a page, the last lesson first, and how many more there are.

    A page past the end shows the last page.
    """
    scopes = {SERVER: texts.lessons_on_server, EVERYWHERE: texts.lessons_everywhere}
    page = max(1, min(page, -(-len(lessons) // LISTED)))
    shown = lessons[::-1][(page - 1) * LISTED : page * LISTED]
    lines = [
        texts.lessons_line.format(
            number=lesson.lesson,
            question=_short(lesson.question),
            answer=_short(lesson.answer),
            scope=f" ({file_of(lesson.entry)})" if lesson.entry else scopes.get(lesson.scope, ""),
            hidden=texts.lessons_hidden if lesson.hidden else "",
        )
        for lesson in shown
    ]
    more = len(lessons) - page * LISTED
    return [*lines, texts.lessons_more.format(count=more, page=page + 1)] if more > 0 else lines


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"
