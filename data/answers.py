"""The model's answers with everything that rows need: the question, who wrote which part of it, and the answer."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from data import schema
from data.candidates import EDITED, ERASED, NO_CONSENT, NOT_HERE, UNFINISHED
from data.chat import Message, speakers, spoken
from data.consent import Cover, covered
from data.database import chunks
from data.persona_texts import Author, prompt_authors


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stored text. `text` is None when it was erased, `author` is None when the author is unknown."""

    text: str | None
    author: int | None
    at: datetime


@dataclass(slots=True)
class AnswerInContext:
    """A generation with its context. `teaches` says whether what was said here may teach, `held` why not.

    `edited`: somebody edited a text of the context after the answer was given, or an earlier answer in the context
    was given to a text that was edited since. The answer was not given to the new words, and may repeat the old ones.
    `persona_by` are the authors of its system prompt: none where they are not known, None for a shipped text.
    """

    generation: schema.Generation
    system_prompt: str
    conversation: schema.Conversation
    context: list[tuple[str, StoredText]] = field(default_factory=list)
    answer: StoredText | None = None
    teaches: bool = True
    held: str = NOT_HERE
    edited: bool = False
    persona_by: Sequence[Author] | None = None
    question: int = 0  # the newest text of the context, by its version

    def prompt(self) -> list[Message]:
        """What the model was given. Where several people speak, they become Person 1, Person 2, in speaking order."""
        turns = [(role, text.author, text.text or "") for role, text in self.context]
        head = [Message(role="system", content=self.system_prompt)] if self.system_prompt else []
        return [*head, *spoken(turns, speakers(turns))]

    @property
    def asked(self) -> str:
        """Names what the model was given, the same for the same prompts; of an erased one, its question."""
        return self.generation.rendered_sha256 or f"#{self.question}"

    def completion(self) -> list[Message]:
        """The answer as one assistant message."""
        return [Message(role="assistant", content=self.text or "")]

    @property
    def text(self) -> str | None:
        """The answer's text; None when it was erased."""
        return self.answer.text if self.answer else None

    def problem(self, since: Mapping[int, Cover], *, finished: bool) -> str | None:
        """Why no row may be made of this answer, or None; with `finished` it must also have ended by itself."""
        gone = self.persona_by is not None and not self.system_prompt
        if gone or any(text.text is None for _, text in self.context) or self.text is None:
            return ERASED
        if self.edited:
            return EDITED
        if not self.teaches:
            return self.held
        if not self.covered(since):
            return NO_CONSENT
        if finished and (self.generation.finish_reason != "stop" or not self.text.strip()):
            return UNFINISHED
        return None

    def covered(self, since: Mapping[int, Cover]) -> bool:
        """Whether everybody who wrote a part of the prompt had consented when they wrote it, its persona too."""
        if self.persona_by is not None:
            persona = bool(self.persona_by) and all(covered(person, at, since) for person, at in self.persona_by)
            if not persona:
                return False
        return all(covered(text.author, text.at, since) for role, text in self.context if role == "user")


@dataclass(slots=True)
class _Texts:
    """Stored texts by their version, the roles of their messages, and each message's versions in order."""

    found: dict[int, StoredText] = field(default_factory=dict)
    roles: dict[int, str] = field(default_factory=dict)
    versions: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def edited(self) -> set[int]:
        """The versions whose message says something else now. An edit that was undone changes nothing."""
        return {
            version
            for versions in self.versions.values()
            for version in versions
            if self.found[version].text != self.found[versions[-1]].text
        }


async def load_answers(session: AsyncSession, only: Collection[int] | None = None) -> dict[int, AnswerInContext]:
    """Every answer by the number of its generation, in order; with `only`, these, without knowing what was edited."""
    answers: dict[int, AnswerInContext] = {}
    generations = (
        select(schema.Generation, schema.SystemPrompt, schema.Conversation, schema.Server.may_teach)
        .join(schema.SystemPrompt, schema.SystemPrompt.id == schema.Generation.system_prompt_id)
        .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
        .outerjoin(schema.Server, schema.Server.id == schema.Conversation.server_id)
        .order_by(schema.Generation.id)
    )
    authors = await prompt_authors(session)
    for generation, system, conversation, may_teach in await _rows(session, generations, schema.Generation.id, only):
        answer = answers[generation.id] = AnswerInContext(generation, system.text, conversation)
        answer.teaches = may_teach is not False  # a direct conversation has no manager to ask
        answer.persona_by = None if system.server is None else authors.get(system.id, ())
    entries = select(schema.GenerationContext).order_by(
        schema.GenerationContext.generation_id, schema.GenerationContext.position
    )
    context = [entry for (entry,) in await _rows(session, entries, schema.GenerationContext.generation_id, only)]
    needed = {entry.version_id for entry in context} | {each.generation.version_id for each in answers.values()}
    texts = await _texts(session, None if only is None else needed)
    old = texts.edited()
    for answer in answers.values():
        answer.answer = texts.found[answer.generation.version_id]
    for entry in context:
        answer = answers[entry.generation_id]
        answer.context.append((texts.roles[entry.version_id], texts.found[entry.version_id]))
        answer.question = entry.version_id
        if entry.version_id in old:
            answer.edited = True
            old.add(answer.generation.version_id)  # later answers come later in this order
    return answers


async def _texts(session: AsyncSession, only: Collection[int] | None) -> _Texts:
    query = (
        select(schema.MessageVersion, schema.MessageRow.role)
        .outerjoin(schema.MessageRow, schema.MessageRow.id == schema.MessageVersion.message_id)
        .order_by(schema.MessageVersion.id)
    )
    texts = _Texts()
    for version, role in await _rows(session, query, schema.MessageVersion.id, only):
        texts.found[version.id] = StoredText(version.text, version.author_id, version.created_at)
        texts.roles[version.id] = role or "user"
        if version.message_id is not None:
            texts.versions[version.message_id].append(version.id)
    return texts


async def _rows(
    session: AsyncSession, query: Any, column: InstrumentedAttribute[int], only: Collection[int] | None
) -> list[Any]:
    """The rows of a query; with `only`, those with one of these values in the column."""
    if only is None:
        return list(await session.execute(query))
    return [row for chunk in chunks(only) for row in await session.execute(query.where(column.in_(chunk)))]
