"""What ratings do to lessons: a correction makes one, other people bear it out, a report takes it back."""

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from data.database import plain
from data.lessons import DECLINED, EVERYWHERE, OWN, REMOVED, SERVER, voided
from data.records import NewRating
from data.schema import (
    Conversation,
    Generation,
    GenerationContext,
    GenerationLesson,
    Lesson,
    MessageVersion,
    Rating,
)

BEAR_OUT = 3  # other people who must confirm a lesson (bear it out) before it holds for its server


async def follow(session: AsyncSession, new: NewRating) -> None:
    """Make, promote or take back lessons as a rating that was just recorded demands."""
    if new.kind == "correction":
        await _learn(session, new)
    elif new.kind == "vote" and new.value == "up":
        for lesson in await _given(session, new.generation):
            await _bear_out(session, lesson)
    elif new.kind in ("vote", "retraction"):  # it may have been an up before
        await _narrow(session, [each for each in await _given(session, new.generation) if each.borne_out])
    elif new.kind == "report":  # it only keeps something from others, so it counts without consent too
        taught = [lesson.id for lesson in await _given(session, new.generation) if lesson.author_id is not None]
        await _take_back(session, taught)
    elif new.kind == "void":
        corrections = select(Rating.id).where(Rating.generation_id == new.generation)
        await session.execute(update(Lesson).where(Lesson.rating_id.in_(corrections)).values(scope=REMOVED))
        await count_again(session)  # what is void bears nothing out either


async def count_again(session: AsyncSession) -> None:
    """Take back lessons that too few people bear out now, since somebody's ratings or lessons are gone."""
    await _narrow(session, (await session.scalars(select(Lesson).where(Lesson.borne_out))).all())


async def _narrow(session: AsyncSession, borne_out: Sequence[Lesson]) -> None:
    """Let those of these lessons hold for their authors again that too few people bear out now."""
    for lesson in borne_out:
        if lesson.scope == SERVER and len(await _bearers(session, lesson)) < BEAR_OUT:
            lesson.scope, lesson.borne_out = OWN, False


async def _take_back(session: AsyncSession, lessons: Sequence[int]) -> None:
    """Let lessons hold for their authors alone until somebody accepts them."""
    standing = update(Lesson).where(Lesson.id.in_(lessons), Lesson.scope.in_((OWN, SERVER, EVERYWHERE)))
    await session.execute(standing.values(scope=DECLINED, borne_out=False))


async def _learn(session: AsyncSession, new: NewRating) -> None:
    """Make a lesson of a correction; the same person's earlier one about the same answer goes."""
    mine = select(Rating).where(
        Rating.generation_id == new.generation, Rating.rater_id == new.rater, Rating.kind == "correction"
    )
    ratings = (await session.scalars(mine.order_by(Rating.id))).all()
    earlier = await session.scalars(select(Lesson).where(Lesson.rating_id.in_([each.id for each in ratings[:-1]])))
    everybody_sees = new.everybody_sees
    for replaced in earlier:
        replaced.scope = REMOVED
        everybody_sees = everybody_sees and replaced.everybody_sees  # it may be edited somewhere else
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
        everybody_sees=everybody_sees,
    )
    session.add(lesson)
    await session.flush()
    if len(ratings) > 1:  # what it replaces may have borne others out
        await count_again(session)
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
    asked, right = [plain(await _said(session, version)) for version in (lesson.question_id, lesson.answer_id)]
    return (await session.scalars(_same(), {"server": lesson.server_id, "asked": asked, "right": right})).all()


# Putting the statement together takes longer than running it.
@cache
def _same() -> Select[Lesson]:
    """The lessons of `:server` whose question is `:asked` and whose answer is `:right`, as `plain` writes them."""
    question, answer = aliased(MessageVersion), aliased(MessageVersion)
    return (
        select(Lesson)
        .join(question, question.id == Lesson.question_id)
        .join(answer, answer.id == Lesson.answer_id)
        .where(Lesson.server_id == bindparam("server"), Lesson.scope != REMOVED, Lesson.author_id.is_not(None))
        .where(func.plain(question.text) == bindparam("asked"), func.plain(answer.text) == bindparam("right"))
    )


async def _said(session: AsyncSession, version: int) -> str | None:
    return await session.scalar(select(MessageVersion.text).where(MessageVersion.id == version))


async def _bear_out(session: AsyncSession, lesson: Lesson) -> None:
    """Let a correction hold for its server once enough other people bear it out, unless the same was declined.

    A lesson that was taught where not everybody on the server sees it needs a manager.
    """
    if lesson.scope != OWN or lesson.server_id is None or lesson.author_id is None or not lesson.everybody_sees:
        return
    if any(other.scope == DECLINED for other in await _alike(session, lesson)):
        return
    if len(await _bearers(session, lesson)) >= BEAR_OUT:
        lesson.scope, lesson.borne_out = SERVER, True


async def _bearers(session: AsyncSession, lesson: Lesson) -> set[int]:
    """The other people who bear a lesson out.

    They corrected the same question in the same way, or voted for an answer that was given with it, on the lesson's
    server; and nobody took their ratings out.
    """
    votes = (
        select(Rating.generation_id, Rating.rater_id, Rating.value, Rating.kind)
        .join(GenerationLesson, GenerationLesson.generation_id == Rating.generation_id)
        .join(Generation, Generation.id == Rating.generation_id)
        .join(Conversation, Conversation.id == Generation.conversation_id)
        .where(GenerationLesson.lesson_id == lesson.id, Rating.kind.in_(("vote", "retraction", "void")))
        .where(Rating.other_id.is_(None))
        .where(Conversation.server_id == lesson.server_id)  # friends elsewhere do not decide for this server
        .order_by(Rating.id)
    )
    now: dict[tuple[int, int], str | None] = {}
    for answer, rater, value, kind in await session.execute(votes):
        if kind == "void":
            now = {about: said for about, said in now.items() if about[0] != answer}
        else:
            now[answer, rater] = value
    people = {rater for (_, rater), value in now.items() if value == "up"}
    people |= {other.author_id for other in await _alike(session, lesson) if other.author_id is not None}
    return people - await voided(session) - {lesson.author_id}
