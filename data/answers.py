"""The model's answers with everything that rows need: the question, who wrote which part of it, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.candidates import ERASED, NO_CONSENT, NOT_HERE, UNFINISHED
from data.chat import Message, speakers, spoken
from data.consent import Cover, covered


@dataclass(frozen=True, slots=True)
class StoredText:
    """A stored text. `text` is None when it was erased, `author` is None when the author is unknown."""

    text: str | None
    author: int | None
    at: datetime


@dataclass(slots=True)
class AnswerInContext:
    """A generation with its context. `teaches` says whether what was said here may teach, `held` why not."""

    generation: schema.Generation
    system_prompt: str
    conversation: schema.Conversation
    context: list[tuple[str, StoredText]] = field(default_factory=list)
    answer: StoredText | None = None
    teaches: bool = True
    held: str = NOT_HERE

    def prompt(self) -> list[Message]:
        """What the model was given. Where several people speak, they become Person 1, Person 2, in speaking order."""
        turns = [(role, text.author, text.text or "") for role, text in self.context]
        head = [Message(role="system", content=self.system_prompt)] if self.system_prompt else []
        return [*head, *spoken(turns, speakers(turns))]

    def completion(self) -> list[Message]:
        """The answer as one assistant message."""
        return [Message(role="assistant", content=self.text or "")]

    @property
    def text(self) -> str | None:
        """The answer's text; None when it was erased."""
        return self.answer.text if self.answer else None

    def problem(self, since: Mapping[int, Cover], *, finished: bool) -> str | None:
        """Why no row may be made of this answer, or None; with `finished` it must also have ended by itself."""
        if any(text.text is None for _, text in self.context) or self.text is None:
            return ERASED
        if not self.teaches:
            return self.held
        if not self.covered(since):
            return NO_CONSENT
        if finished and (self.generation.finish_reason != "stop" or not self.text.strip()):
            return UNFINISHED
        return None

    def covered(self, since: Mapping[int, Cover]) -> bool:
        """Whether everybody who wrote a part of the prompt had consented when they wrote it."""
        return all(covered(text.author, text.at, since) for role, text in self.context if role == "user")


async def load_answers(session: AsyncSession) -> dict[int, AnswerInContext]:
    """Every answer by the number of its generation, in order."""
    versions: dict[int, StoredText] = {}
    roles: dict[int, str] = {}
    query = select(schema.MessageVersion, schema.MessageRow.role).outerjoin(
        schema.MessageRow, schema.MessageRow.id == schema.MessageVersion.message_id
    )
    for version, role in await session.execute(query):
        versions[version.id] = StoredText(version.text, version.author_id, version.created_at)
        roles[version.id] = role or "user"
    answers: dict[int, AnswerInContext] = {}
    generations = (
        select(schema.Generation, schema.SystemPrompt.text, schema.Conversation, schema.Server.may_teach)
        .join(schema.SystemPrompt, schema.SystemPrompt.id == schema.Generation.system_prompt_id)
        .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
        .outerjoin(schema.Server, schema.Server.id == schema.Conversation.server_id)
        .order_by(schema.Generation.id)
    )
    for generation, system_prompt, conversation, may_teach in await session.execute(generations):
        answers[generation.id] = AnswerInContext(generation, system_prompt, conversation)
        answers[generation.id].answer = versions[generation.version_id]
        answers[generation.id].teaches = may_teach is not False  # a direct conversation has no manager to ask
    context = select(schema.GenerationContext).order_by(
        schema.GenerationContext.generation_id, schema.GenerationContext.position
    )
    for entry in await session.scalars(context):
        answers[entry.generation_id].context.append((roles[entry.version_id], versions[entry.version_id]))
    return answers
