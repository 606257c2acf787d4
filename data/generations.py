"""Writes and finds the model's answers."""

from collections.abc import Collection

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.database import listed
from data.home import keyed_hash
from data.lesson_erasure import texts_of
from data.messages import add_message
from data.openings import opening_of
from data.persona_texts import system_prompt
from data.records import NewGeneration, StoredGeneration
from data.releases import BASE_RELEASE
from data.times import today


async def add_generation(session: AsyncSession, key: bytes, new: NewGeneration) -> StoredGeneration:
    """Write an answer as a message below the one that it answers, with everything that made it.

    The hash of its prompt is keyed with `key`. When a text in its context was erased while it was generated, neither
    its own text is kept, which may repeat that text, nor the hash.
    """
    message = await add_message(
        session,
        new.conversation,
        "assistant",
        new.text,
        author=None,
        parent=new.parent,
        platform_id=new.platform_id,
    )
    row = schema.Generation(
        conversation_id=new.conversation,
        message_id=message.message,
        version_id=message.version,
        system_prompt_id=await system_prompt(session, new.system_prompt, new.conversation),
        rendered_sha256=prompt_hash(key, new.rendered_sha256),
        opening=await opening_of(session, key, new.context),
        release=new.release,
        sampling=new.sampling,
        seed=new.seed,
        finish_reason=new.finish_reason,
        prompt_tokens=new.prompt_tokens,
        completion_tokens=new.completion_tokens,
        first_token_seconds=new.first_token_seconds,
        platform=new.platform,
        model=new.model,
    )
    session.add(row)
    await session.flush()
    version = schema.MessageVersion
    given = [*new.context, *await texts_of(session, new.lessons)]
    if await session.scalar(select(version.id).where(version.id.in_(given), version.text.is_(None)).limit(1)):
        await session.execute(
            update(version).where(version.id == message.version).values(text=None, erased_at=today())
        )
        row.rendered_sha256 = ""
    session.add_all(
        schema.GenerationContext(generation_id=row.id, position=position, version_id=version)
        for position, version in enumerate(new.context)
    )
    session.add_all(
        schema.GenerationLesson(generation_id=row.id, position=position, lesson_id=lesson)
        for position, lesson in enumerate(new.lessons)
    )
    return _record(row, new.text, new.parent)


def prompt_hash(key: bytes, rendered: str) -> str:
    """The hash of a prompt as it is stored: without the key nobody can test a guess at the prompt against it."""
    return keyed_hash(key, "prompt", rendered)


async def name_base(session: AsyncSession, mark: str) -> None:
    """Say of the answers of release 0 whose base nobody noted that they came from this one."""
    table = schema.Generation
    unnamed = update(table).where(table.release == BASE_RELEASE, table.model.is_(None))
    await session.execute(unnamed.values(model=mark))


_FORGET_PROMPTS = text(
    """
    WITH gone(id) AS (SELECT value FROM json_each(:versions))
    UPDATE generations SET rendered_sha256 = '' WHERE id IN (
        SELECT x.generation_id FROM gone CROSS JOIN generation_context x ON x.version_id = gone.id
        UNION
        SELECT x.generation_id FROM gone
        CROSS JOIN lessons l ON l.question_id = gone.id OR l.answer_id = gone.id
        CROSS JOIN generation_lessons x ON x.lesson_id = l.id
        UNION
        SELECT g.id FROM gone CROSS JOIN generations g ON g.version_id = gone.id
    )
    """
)


async def forget_prompts(session: AsyncSession, versions: Collection[int]) -> None:
    """Remove the hashes of the prompts in which these texts are, and of those that they answer."""
    await session.execute(_FORGET_PROMPTS, {"versions": listed(versions)})


async def find_generation(session: AsyncSession, generation: int) -> StoredGeneration | None:
    """An answer by its number; None when there is none."""
    query = (
        select(schema.Generation, schema.MessageVersion.text, schema.MessageRow.parent_id)
        .join(schema.MessageVersion, schema.MessageVersion.id == schema.Generation.version_id)
        .join(schema.MessageRow, schema.MessageRow.id == schema.Generation.message_id)
        .where(schema.Generation.id == generation)
    )
    found = (await session.execute(query)).first()
    return None if found is None else _record(found[0], found[1] or "", found[2])


async def generation_of(session: AsyncSession, message: int) -> StoredGeneration | None:
    """The answer that is this message; None for a person's."""
    number = await session.scalar(select(schema.Generation.id).where(schema.Generation.message_id == message))
    return await find_generation(session, number) if number is not None else None


async def has_answer(session: AsyncSession, platform: str, platform_id: str) -> bool:
    """Whether the message with this platform id was answered, even if the answer was erased since."""
    query = (
        select(schema.Generation.id)
        .join(schema.MessageRow, schema.MessageRow.id == schema.Generation.message_id)
        .join(schema.PlatformMessage, schema.PlatformMessage.message_id == schema.MessageRow.parent_id)
        .where(schema.PlatformMessage.platform == platform, schema.PlatformMessage.platform_id == platform_id)
    )
    return await session.scalar(query.limit(1)) is not None


async def was_given(session: AsyncSession, generation: int, version: int) -> bool:
    """Whether a version is in the context of a generation."""
    entry = schema.GenerationContext
    found = select(entry.position).where(entry.generation_id == generation, entry.version_id == version)
    return (await session.scalar(found.limit(1))) is not None


def _record(row: schema.Generation, text: str, parent: int | None) -> StoredGeneration:
    return StoredGeneration(
        generation=row.id,
        message=row.message_id,
        version=row.version_id,
        conversation=row.conversation_id,
        parent=parent,
        release=row.release,
        text=text,
        rendered_sha256=row.rendered_sha256,
        finish_reason=row.finish_reason,
        model=row.model,
    )
