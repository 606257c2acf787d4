"""What ratings do to lessons: a correction makes one, other people bear it out, a report takes it back."""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data.database import plain
from data.lessons import OWN, REMOVED, SERVER
from data.records import NewRating
from data.schema import (
    Conversation,
    Generation,
    GenerationContext,
    GenerationLesson,
    Lesson,
    MessageVersion,
    Rating,
    Standing,
)

BEAR_OUT = 3  # other people who make a correction a lesson of its server


async def follow(session: AsyncSession, new: NewRating) -> None:
    """Do to lessons what a rating that was just recorded means for them."""
    if new.kind == "correction":
        await _learn(session, new)
    elif new.kind == "vote" and new.value == "up":
        for lesson in await _given(session, new.generation):
            await _bear_out(session, lesson)
    elif new.kind == "report":  # it only keeps something from others, so it counts without consent too
        taught = [lesson.id for lesson in await _given(session, new.generation) if lesson.author_id is not None]
        await session.execute(update(Lesson).where(Lesson.id.in_(taught), Lesson.scope == SERVER).values(scope=OWN))
    elif new.kind == "void":
        corrections = select(Rating.id).where(Rating.generation_id == new.generation)
        await session.execute(update(Lesson).where(Lesson.rating_id.in_(corrections)).values(scope=REMOVED))


async def _learn(session: AsyncSession, new: NewRating) -> None:
    """Make a lesson of a correction; the same person's earlier one about the same answer goes."""
    mine = select(Rating).where(
        Rating.generation_id == new.generation, Rating.rater_id == new.rater, Rating.kind == "correction"
    )
    ratings = (await session.scalars(mine.order_by(Rating.id))).all()
    earlier = [rating.id for rating in ratings[:-1]]
    await session.execute(update(Lesson).where(Lesson.rating_id.in_(earlier)).values(scope=REMOVED))
    asked = (
        select(MessageVersion, Conversation)
        .join(GenerationContext, GenerationContext.version_id == MessageVersion.id)
        .join(Generation, Generation.id == GenerationContext.generation_id)
        .join(Conversation, Conversation.id == Generation.conversation_id)
        .where(Generation.id == new.generation)
        .order_by(GenerationContext.position.desc())
        .limit(1)
    )
    found = (await session.execute(asked)).first()
    if found is None or found[0].author_id is None or not found[0].text:  # nobody knows who said it, so nobody agreed
        return
    question, conversation = found
    lesson = Lesson(
        rating_id=ratings[-1].id,
        question_id=question.id,
        answer_id=ratings[-1].text_version_id,
        author_id=new.rater,
        platform=conversation.platform,
        server_id=conversation.server_id,
        persona=conversation.persona,
        scope=OWN,
    )
    session.add(lesson)
    await session.flush()
    for other in await _alike(session, lesson):
        await _bear_out(session, other)


async def _given(session: AsyncSession, generation: int) -> Sequence[Lesson]:
    """The lessons that an answer was given."""
    query = select(Lesson).join(GenerationLesson, GenerationLesson.lesson_id == Lesson.id)
    return (await session.scalars(query.where(GenerationLesson.generation_id == generation))).all()


async def _alike(session: AsyncSession, lesson: Lesson) -> Sequence[Lesson]:
    """The lessons of a lesson's server that say the same about the same question, itself among them."""
    if lesson.server_id is None:
        return []
    question, answer = aliased(MessageVersion), aliased(MessageVersion)
    asked, right = [await _said(session, version) for version in (lesson.question_id, lesson.answer_id)]
    query = (
        select(Lesson)
        .join(question, question.id == Lesson.question_id)
        .join(answer, answer.id == Lesson.answer_id)
        .where(Lesson.server_id == lesson.server_id, Lesson.scope != REMOVED, Lesson.author_id.is_not(None))
        .where(func.plain(question.text) == plain(asked), func.plain(answer.text) == plain(right))
    )
    return (await session.scalars(query)).all()


async def _said(session: AsyncSession, version: int) -> str | None:
    return await session.scalar(select(MessageVersion.text).where(MessageVersion.id == version))


async def _bear_out(session: AsyncSession, lesson: Lesson) -> None:
    """Make a correction its server's lesson once enough other people bear it out.

    They wrote the same about the same question, or their vote is for an answer that was given with it.
    """
    if lesson.scope != OWN or lesson.server_id is None or lesson.author_id is None:
        return
    votes = (
        select(Rating.generation_id, Rating.rater_id, Rating.value)
        .join(GenerationLesson, GenerationLesson.generation_id == Rating.generation_id)
        .where(GenerationLesson.lesson_id == lesson.id, Rating.kind.in_(("vote", "retraction")))
        .order_by(Rating.id)
    )
    now = {(answer, rater): value for answer, rater, value in await session.execute(votes)}
    people = {rater for (_, rater), value in now.items() if value == "up"}
    people |= {other.author_id for other in await _alike(session, lesson) if other.author_id is not None}
    people -= set(await session.scalars(select(Standing.person_id).where(Standing.voided_at.is_not(None))))
    if len(people - {lesson.author_id}) >= BEAR_OUT:
        lesson.scope = SERVER
