"""The pure core of the bot: a question comes in, an answer streams out, and everything is recorded.

This file knows neither Discord nor the terminal. A platform makes an `Ask`, reads the events of the `RunningAnswer`
that it gets, and may stop it. The answer runs in its own task, so it is finished and recorded even if nobody
reads its events.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot import history, lessons, rate_limit
from bot.anew import Stuck, is_stuck
from bot.answers import (
    Answered,
    AnswerEvent,
    Ask,
    Failed,
    Flagged,
    Paired,
    Queued,
    RunningAnswer,
    Started,
    Unanswerable,
)
from bot.engine.api import (
    ContextTooLong,
    EngineAway,
    EngineBusy,
    EngineError,
    EngineFiltered,
    EngineSpent,
    Sampling,
)
from bot.metrics import Metrics
from bot.moderation.step import Moderation
from bot.queue import AnswerQueue, ChannelMember, Full
from bot.rate_limit import RateLimiter, Spent
from bot.streaming import WHOLE, StreamedAnswer, note, streamed, unless
from bot.unexpected import unexpected
from bot.wishes import granted, most_tokens
from data.chat import BY_NAME, Message, rendered_hash
from data.followed import followed_by
from data.lesson_prompts import with_lessons
from data.store import NewGeneration, Store, StoredGeneration, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bot.engine.api import Engine, Session
    from bot.texts import Texts
    from data.lessons import StoredLesson

    Work = Callable[[RunningAnswer], Awaitable[AnswerEvent]]

log = logging.getLogger(__name__)

_COUNTING = 2.0  # seconds that a person waits after a correction, at most, for the engine to count its tokens
_CUTS = 6  # times that a conversation is cut because the engine refuses it as too long
# The words that failures are counted by.
_KINDS: dict[type[Exception], str] = {
    EngineSpent: "engine_spent",
    EngineFiltered: "engine_filtered",
    EngineAway: "engine_away",
    EngineBusy: "engine_busy",
    ContextTooLong: "too_long",
    Flagged: "moderated",
    Unanswerable: "unanswerable",
}


@dataclass(frozen=True)
class Limits:
    """How many answers run and wait. With `history_tokens` None the engine's context is the only limit of history."""

    slots: int = 8
    waiting: int = 64
    waiting_per_person: int = 3
    history_tokens: int | None = None


class Chat:
    """Answers questions: whose turn it is, what the model is shown, what is recorded."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        *,
        sampling: Sampling | None = None,
        limits: Limits | None = None,
        moderation: Moderation | None = None,
        seed: Callable[[], int] = lambda: secrets.randbelow(2**31),
        show_thinking: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        self.store = store
        self.engine = engine
        self.sampling = sampling or Sampling()
        self.limits = limits or Limits()
        self.moderation = moderation or Moderation()
        self.metrics = metrics or Metrics()
        self._seed = seed
        self._show_thinking = show_thinking
        self._queue = AnswerQueue(self.limits.slots, self.limits.waiting, self.limits.waiting_per_person)
        self._turns: dict[int, asyncio.Event] = {}
        self._tickets = itertools.count()
        self._running: set[RunningAnswer] = set()
        self._closing = False
        self.rate_limiter = RateLimiter()

    @property
    def load(self) -> tuple[int, int]:
        """How many answers run, and how many wait."""
        return self._queue.load

    def answer(self, ask: Ask, *, engine: Engine | None = None) -> RunningAnswer:
        """Begin to answer a question, or to wait until its turn comes. `engine` answers in place of the usual one."""

        async def work(answer: RunningAnswer) -> AnswerEvent:
            return await self._generate(ask, answer, await ask.question(), engine or self.engine)

        return self._begin(ask, work)

    def again(self, ask: Ask, generation: StoredGeneration, *, engine: Engine | None = None) -> RunningAnswer:
        """Answer the question of an earlier answer once more, in the same context and with a new seed.

        `engine` answers in place of the usual one; it is the candidate's during a trial.
        """

        async def work(answer: RunningAnswer) -> AnswerEvent:
            end = await self._generate(ask, answer, await self._asked(ask, generation), engine or self.engine)
            if not isinstance(end, Answered):
                return end
            taught = await self.store.lessons.taught_since(generation.generation, end.generation.generation)
            return replace(end, note=" ".join(filter(None, (end.note, ask.texts.with_correction)))) if taught else end

        return self._begin(ask, work)

    def pair(self, ask: Ask, first: StoredGeneration | None = None, *, engine: Engine | None = None) -> RunningAnswer:
        """Answer a question twice in one turn, the second time with `engine`; or once, if there is a `first` answer.

        No other question comes between the two. Ends with `Paired`, or with `Failed` if there is not even one answer.
        """

        async def work(answer: RunningAnswer) -> AnswerEvent:
            if first is None:
                question = await ask.question()
                usual = await self._generate(ask, answer, question, self.engine)
            else:
                question = await self._asked(ask, first)
                usual = Answered(first, "stop")
            if not isinstance(usual, Answered):
                return usual
            if usual.finish_reason not in WHOLE or answer.stopped.is_set():
                return Paired(usual, Failed(ask.texts.stopped_early, "stopped"))
            try:
                other = await self._generate(ask, answer, question, engine or self.engine, beside=usual.generation)
            except (EngineError, Unanswerable) as error:
                other = _failed(error, ask.texts)
            except Exception as error:  # the usual answer is there and is shown, whatever happens to the other
                what = f"a second answer on {ask.platform} failed"
                other = Failed(unexpected(log, ask.texts, error, what))
            return Paired(usual, other)

        return self._begin(ask, work)

    def _begin(self, ask: Ask, work: Work) -> RunningAnswer:
        answer = RunningAnswer(ask.person)
        self.metrics.questions.labels(ask.platform).inc()
        self._running.add(answer)
        answer.task = asyncio.create_task(self._run(ask, answer, work))
        answer.task.add_done_callback(lambda _: self._running.discard(answer))
        if self._closing:
            answer.stop()
        return answer

    async def _asked(self, ask: Ask, generation: StoredGeneration) -> StoredMessage:
        """The question of an earlier answer."""
        path = await self.store.path(generation.parent) if generation.parent is not None else []
        if not path or path[-1].message != generation.parent:
            raise Unanswerable(ask.texts.question_gone)
        return path[-1]

    async def fits(self, lesson: StoredLesson) -> bool:
        """Whether a lesson fits into its share of a prompt; True while the engine cannot be asked."""
        try:
            async with asyncio.timeout(_COUNTING), self.engine.session() as session:
                return await _fit_alone(session, [lesson])
        except (EngineError, TimeoutError):
            return True

    async def stop_all(self, person: int) -> None:
        """Stop a person's answers on all platforms, and wait until they are recorded."""
        while running := [answer for answer in self._running if answer.person == person]:
            for answer in running:
                answer.stop()
            for answer in running:
                await answer.wait()

    async def close(self) -> None:
        """Stop every answer, also those that begin from now on, and wait until their texts are recorded."""
        self._closing = True
        running = list(self._running)
        for answer in running:
            answer.stop()
        for answer in running:
            await answer.wait()
        await self.moderation.close()

    async def _run(self, ask: Ask, answer: RunningAnswer, work: Work) -> None:
        ticket = next(self._tickets)
        end: AnswerEvent = Failed(ask.texts.internal_error)
        taken = self.rate_limiter.take(ask.caps)
        try:
            if isinstance(taken, Spent):
                sentence = rate_limit.sentence(ask.texts, taken)
                end = Failed(sentence, f"hourly_{taken.cap.kind}", seconds=taken.seconds)
            else:
                end = await self._in_turn(ask, answer, ticket, work)
        except (EngineError, Unanswerable) as error:
            end = _failed(error, ask.texts)
        except Exception as error:
            end = Failed(unexpected(log, ask.texts, error, f"an answer on {ask.platform} failed"))
        finally:
            for started in self._queue.leave(ticket):
                self._turns[started].set()
            self._turns.pop(ticket, None)
            if not isinstance(taken, Spent) and not answer.counts:
                self.rate_limiter.give_back(taken)
            self.metrics.ended(end)
            answer.tell(end)

    async def _in_turn(self, ask: Ask, answer: RunningAnswer, ticket: int, work: Work) -> AnswerEvent:
        place = self._queue.enter(ticket, ChannelMember(ask.person, ask.channel))
        if place is Full.PERSON:
            sentence = ask.texts.queue_full_person.format(waiting=self.limits.waiting_per_person)
            return Failed(sentence, "queue_full_person")
        if place is Full.EVERYONE:
            return Failed(ask.texts.queue_full, "queue_full")
        if place:
            turn = self._turns[ticket] = asyncio.Event()
            answer.tell(Queued(int(place)))
            if not await unless(answer.stopped, turn.wait()):
                return Failed(ask.texts.stopped_early, "stopped")
        if answer.stopped.is_set():
            return Failed(ask.texts.stopped_early, "stopped")
        answer.tell(Started())
        return await work(answer)

    async def _generate(
        self,
        ask: Ask,
        answer: RunningAnswer,
        question: StoredMessage,
        engine: Engine,
        *,
        beside: StoredGeneration | None = None,
    ) -> Answered | Failed:
        """Answer a question; one that is compared with the answer `beside` it gets the same lessons."""
        path = await self.store.path(question.message)
        turns = history.shown(path)
        if not turns or turns[-1].message != question.message:
            raise Unanswerable(ask.texts.question_gone)
        told = history.system_message(path)
        async with engine.session() as session:
            if engine is self.engine:
                self.metrics.serves(session.release)
            taught = await self._lessons(ask, question, session, beside)
            prompt, sampling, said = await self._fitted(ask, answer, session, turns, taught, told)
            if said.finish_reason == "stopped" and not said.text:
                return Failed(ask.texts.stopped_early, "stopped")
            if said.error and not said.text:
                raise said.error
            _log_end(said, sampling.max_tokens)
            finish_reason = said.finish_reason
            if sampling.stop and finish_reason == "stop":  # nobody knows whether it was the model that ended it
                finish_reason = "unknown"
            generation = await self.store.add_generation(
                NewGeneration(
                    conversation=question.conversation,
                    parent=question.message,
                    context=prompt.versions,
                    system_prompt=prompt.system_prompt,
                    rendered_sha256=rendered_hash(prompt.recorded, session.template),
                    text=said.text,
                    release=session.release,
                    # What a program's user wrote as stop texts is not recorded: no erasure would find it here.
                    sampling=session.sampled(replace(sampling, stop=self.sampling.stop))
                    | ({BY_NAME: True} if ask.by_name else {}),
                    seed=sampling.seed or 0,
                    finish_reason=finish_reason,
                    prompt_tokens=said.prompt_tokens,
                    completion_tokens=said.completion_tokens,
                    first_token_seconds=said.first_token_seconds,
                    platform=ask.platform,
                    model=session.model,
                    lessons=prompt.lessons,
                )
            )
            answer.counts |= said.finish_reason != "error"
            self.metrics.generated(
                said.finish_reason, said.first_token_seconds, said.prompt_tokens, said.completion_tokens
            )
            for platform_id in ask.shown():
                await self.store.set_platform_id(generation.message, platform_id)
        below = note(ask.texts, said, sampling.max_tokens, closing=self._closing)
        used = taught[0].entry if taught and prompt.lessons else None
        if below is None and used:
            below = ask.texts.from_entry.format(entry=used)
        tokens = said.prompt_tokens, said.completion_tokens
        return Answered(generation, said.finish_reason, below, *tokens)

    async def _lessons(
        self, ask: Ask, question: StoredMessage, session: Session, beside: StoredGeneration | None
    ) -> list[StoredLesson]:
        """The lessons for a question that fit into their share of the prompt, most similar first.

        Those that the release follows without help are left out.
        """
        book = self.store.lessons
        if beside is not None:
            return list(reversed(await book.given_to(beside.generation)))
        found = await book.like(question.text, question.conversation, ask.person)
        if found:
            learnt = await asyncio.to_thread(followed_by, self.store.database.path.parent, session.release)
            found = [lesson for lesson in found if lesson.lesson not in learnt][: lessons.MOST]
        while found and not await _fit_alone(session, found):
            found.pop()
        return found

    async def _fitted(
        self,
        ask: Ask,
        answer: RunningAnswer,
        session: Session,
        turns: list[StoredMessage],
        taught: Sequence[StoredLesson],
        told: StoredMessage | None,
    ) -> tuple[history.Prompt, Sampling, StreamedAnswer]:
        """The prompt that fits, and the answer to it: what the engine refuses as too long is cut further."""
        refused: EngineError | None = None
        for left in reversed(range(_CUTS)):
            try:
                prompt, room = await self._fit(ask, session, turns, taught, told)
            except Unanswerable:
                if refused is None:
                    raise
                raise refused from None  # nothing is left to cut
            sampling = granted(self.sampling, ask.wishes, self._seed())
            sampling = replace(sampling, max_tokens=room, thinks=ask.persona.thinks)
            said = await streamed(
                answer, session, prompt.messages, sampling, self.moderation, show_thinking=self._show_thinking
            )
            refused = said.error
            if not left or said.text or not isinstance(refused, ContextTooLong):
                break
        return prompt, sampling, said

    async def _fit(
        self,
        ask: Ask,
        session: Session,
        turns: list[StoredMessage],
        taught: Sequence[StoredLesson],
        told: StoredMessage | None,
    ) -> tuple[history.Prompt, int]:
        """The prompt, cut to what fits, and the room for the answer in tokens."""
        room = history.answer_room(most_tokens(self.sampling, ask.wishes), session.context_length)
        budget = session.context_length - room
        if self.limits.history_tokens is not None:
            budget = min(budget, self.limits.history_tokens)
        counted = 0

        def prompt(start: int) -> history.Prompt:
            system = ask.persona.system_prompt
            return history.prompt(system, turns, session.control, ask.names, start=start, lessons=taught, told=told)

        async def count(start: int) -> int:
            nonlocal counted
            counted = await session.count_tokens(prompt(start).messages, thinks=ask.persona.thinks)
            return counted

        start = await history.beginning(turns, count, budget)
        if start is None and taught:  # the question alone may fit
            return await self._fit(ask, session, turns, (), told)
        if start is None:
            sentence = ask.texts.message_too_long.format(tokens=counted, budget=budget)
            raise Stuck(sentence) if len(turns) > 1 else Unanswerable(sentence)
        return prompt(start), room


async def _fit_alone(session: Session, taught: Sequence[StoredLesson]) -> bool:
    """Whether lessons fit into the share of the prompt that they may take."""
    alone = with_lessons([Message(role="user", content="")], taught)
    return await session.count_tokens(alone) <= lessons.budget(session.context_length)


def _failed(error: EngineError | Unanswerable, texts: Texts) -> Failed:
    """What the person is told; what the operator must know goes into the log."""
    kind = next((word for cause, word in _KINDS.items() if isinstance(error, cause)), "engine_error")
    if isinstance(error, Unanswerable):
        return Failed(str(error), kind, stuck=is_stuck(error))
    log.warning("%s", error)
    return Failed(error.for_member(texts), kind, stuck=is_stuck(error))


def _log_end(said: StreamedAnswer, room: int) -> None:
    """Tell the operator why an answer did not end as it should."""
    if said.error:
        log.warning("%s", said.error)
    elif said.finish_reason == "length" and not said.text.strip():
        log.warning(
            "The model used all %d tokens of an answer before its first word. If it thinks, raise PARLEY_MAX_TOKENS, "
            "or switch its thinking off, in its persona or with PARLEY_ENGINE_EXTRA; see docs/servers.md.",
            room,
        )
