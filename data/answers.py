"""The model's answers with all that rows of them need: what was asked, in whose words, and what was answered."""

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
class Text:
    """A stored text. `text` is None when it was erased, `author` None when nobody known wrote it."""

    text: str | None
    author: int | None
    at: datetime


@dataclass(slots=True)
class Answer:
    """A generation with all that its rows need. `teaches`: whether its server's manager lets members teach."""

    generation: schema.Generation
    system_prompt: str
    conversation: schema.Conversation
    context: list[tuple[str, Text]] = field(default_factory=list)
    answer: Text | None = None
    teaches: bool = True

    def prompt(self) -> list[Message]:
        """What the model was given. Several people in it become Person 1, Person 2, in the order of speaking."""
        turns = [(role, text.author, text.text or "") for role, text in self.context]
        head = [Message(role="system", content=self.system_prompt)] if self.system_prompt else []
        return [*head, *spoken(turns, speakers(turns))]

    def completion(self) -> list[Message]:
        """The answer as one assistant message."""
        return [Message(role="assistant", content=self.text or "")]

    @property
    def text(self) -> str | None:
        """What was answered; None when it was erased."""
        return self.answer.text if self.answer else None

    def problem(self, since: Mapping[int, Cover], *, finished: bool) -> str | None:
        """Why nothing may be made of this answer; `finished` demands that it ended by itself."""
        if any(text.text is None for _, text in self.context) or self.text is None:
            return ERASED
        if not self.teaches:
            return NOT_HERE
        if not self.covered(since):
            return NO_CONSENT
        if finished and (self.generation.finish_reason != "stop" or not self.text.strip()):
            return UNFINISHED
        return None

    def covered(self, since: Mapping[int, Cover]) -> bool:
        """Whether everybody who wrote a part of the prompt agreed, by a table of when each person does."""
        return all(covered(text.author, text.at, since) for role, text in self.context if role == "user")


async def load_answers(session: AsyncSession) -> dict[int, Answer]:
    """Every answer by its generation's number, in order."""
    versions: dict[int, Text] = {}
    roles: dict[int, str] = {}
    query = select(schema.MessageVersion, schema.MessageRow.role).outerjoin(
        schema.MessageRow, schema.MessageRow.id == schema.MessageVersion.message_id
    )
    for version, role in await session.execute(query):
        versions[version.id] = Text(version.text, version.author_id, version.created_at)
        roles[version.id] = role or "user"
    answers: dict[int, Answer] = {}
    generations = (
        select(schema.Generation, schema.SystemPrompt.text, schema.Conversation, schema.Server.may_teach)
        .join(schema.SystemPrompt, schema.SystemPrompt.id == schema.Generation.system_prompt_id)
        .join(schema.Conversation, schema.Conversation.id == schema.Generation.conversation_id)
        .outerjoin(schema.Server, schema.Server.id == schema.Conversation.server_id)
        .order_by(schema.Generation.id)
    )
    for generation, system_prompt, conversation, may_teach in await session.execute(generations):
        answers[generation.id] = Answer(generation, system_prompt, conversation)
        answers[generation.id].answer = versions[generation.version_id]
        answers[generation.id].teaches = may_teach is not False  # who talks to it alone asks no manager
    context = select(schema.GenerationContext).order_by(
        schema.GenerationContext.generation_id, schema.GenerationContext.position
    )
    for entry in await session.scalars(context):
        answers[entry.generation_id].context.append((roles[entry.version_id], versions[entry.version_id]))
    return answers
