"""The model's answers with their texts: what was asked, who wrote which part of it, and the answer."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from data import schema
from data.chat import Message, prompt_messages
from data.database import chunks


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stored text. `text` is None when it was erased, `author` is None when the author is unknown."""

    text: str | None
    author: int | None


@dataclass(slots=True)
class AnswerInContext:
    """A generation with its context: the roles and texts that it was given, in order."""

    generation: schema.Generation
    system_prompt: str
    context: list[tuple[str, StoredText]] = field(default_factory=list)
    text: str | None = None  # None when it was erased

    def prompt(self) -> list[Message]:
        """What the model was given. Where several people speak, they become Person 1, Person 2, in speaking order."""
        turns = [(role, text.author, text.text or "") for role, text in self.context]
        return prompt_messages(self.system_prompt, turns)


async def load_answers(session: AsyncSession, only: Collection[int] | None = None) -> dict[int, AnswerInContext]:
    """Every answer by the number of its generation, in order; with `only`, these."""
    answers: dict[int, AnswerInContext] = {}
    generations = (
        select(schema.Generation, schema.SystemPrompt.text, schema.MessageVersion.text)
        .join(schema.SystemPrompt, schema.SystemPrompt.id == schema.Generation.system_prompt_id)
        .join(schema.MessageVersion, schema.MessageVersion.id == schema.Generation.version_id)
        .order_by(schema.Generation.id)
    )
    for generation, system, text in await _rows(session, generations, schema.Generation.id, only):
        answers[generation.id] = AnswerInContext(generation, system, text=text)
    entry = schema.GenerationContext
    context = (
        select(
            entry.generation_id, schema.MessageRow.role, schema.MessageVersion.text, schema.MessageVersion.author_id
        )
        .join(schema.MessageVersion, schema.MessageVersion.id == entry.version_id)
        .outerjoin(schema.MessageRow, schema.MessageRow.id == schema.MessageVersion.message_id)
        .order_by(entry.generation_id, entry.position)
    )
    for number, role, text, author in await _rows(session, context, entry.generation_id, only):
        answers[number].context.append((role or "user", StoredText(text, author)))
    return answers


async def _rows(
    session: AsyncSession, query: Any, column: InstrumentedAttribute[int], only: Collection[int] | None
) -> list[Any]:
    """The rows of a query; with `only`, those with one of these values in the column."""
    if only is None:
        return list(await session.execute(query))
    return [row for chunk in chunks(only) for row in await session.execute(query.where(column.in_(chunk)))]
