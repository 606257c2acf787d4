"""The bot in the terminal: the same chat and records as on Discord, and scriptable through a pipe."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from uuid import uuid4

from bot.anew import with_offer
from bot.answers import Answered, Ask, Failed, Piece, Queued, RunningAnswer, TakenBack, Thinking
from bot.conversation import Chat
from bot.engine.api import EngineError
from bot.lessons import listed
from bot.progress import Progress, by_kind, in_words
from bot.ratings import RatingResult, Ratings, comparable, sentence, which_was_which
from bot.terminal.asking import several_lines, yes_or_no
from bot.terminal.commands import Command, nearest, parse
from bot.terminal.consent import ConsentQuestion
from bot.trial import Trial
from bot.unexpected import unexpected
from data.counts import count_ratings
from data.errors import BadInput
from data.followed import followed_now
from data.home_base import other_model
from data.lessons import REMOVED
from data.pasted import pasted
from data.personas import Persona, persona, persona_names
from data.store_errors import StoreError
from data.user import user_here

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.settings import Settings
    from bot.terminal.console import Lines, Screen
    from bot.texts import Texts
    from data.store import Store, StoredGeneration, StoredMessage

log = logging.getLogger(__name__)

PLATFORM = "terminal"
VERDICTS = {"a": "a", "b": "b", "tie": "tie", "bad": "both_bad"}


class Terminal:
    """One chat of one person at one terminal."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        settings: Settings,
        texts: Texts,
        lines: Lines,
        screen: Screen,
        trial: Trial | None = None,
    ) -> None:
        self.store = store
        self.chat = chat
        self.ratings = Ratings(store, chat.moderation, fits=chat.fits)
        self.settings = settings
        self.trial = trial or Trial(settings.home, None)
        self.progress = Progress(store.database.path.parent, settings.discord_training_permission, fresh=0)
        self.texts = texts
        self.lines = lines
        self.screen = screen
        self.consent = ConsentQuestion(store, settings, texts, lines, self._say)
        self.persona: Persona = persona(settings.persona, settings.language)
        self.person = 0
        self.release: int | None = None
        self._begin()

    def _begin(self) -> None:
        """Begin a new conversation, with nothing said yet and nothing to rate."""
        self.key = uuid4().hex
        self.parent: int | None = None  # the message that the next one follows
        self.last: StoredGeneration | None = None  # the answer that /up, /down, /correct and /again refer to

    async def run(self) -> None:
        """Chat until /quit or the end of the input. Every answer that was begun is finished and recorded."""
        self.lines.start()
        try:
            await self._converse()
        finally:
            await self.lines.close()

    async def _converse(self) -> None:
        self.trial.look()  # so that a candidate is ready when it is needed
        self.person = await self.store.person(PLATFORM, user_here())
        try:
            async with self.chat.engine.session() as session:
                self._serving(session.release, session.model)
        except EngineError as error:  # it may come back: the chat begins without it
            self._say(error.for_member(self.texts))
        if self.settings.discord_token is None:
            self._say(self.texts.to_discord)
        self._say(self.texts.for_help)
        self.screen.line(self.persona.greeting)
        while (line := await self.lines.read(self.texts.you)) is not None:
            said = parse(line)
            if isinstance(said, Command) and said.name == "/quit":
                break
            try:
                if isinstance(said, Command):
                    await self._command(said)
                elif said:
                    await self._talk(said)
            except (StoreError, OSError) as error:  # the chat goes on: there may be room again soon
                self._say(unexpected(log, self.texts, error, "this could not be kept"), "red")
        if self.lines.interactive:
            self._say(self.texts.goodbye)

    async def _command(self, command: Command) -> None:
        match command.name:
            case "/up" | "/down":
                await self._vote(command.name[1:], command.argument)
            case "/correct":
                await (self._correct(command.argument) if command.argument else self._longer_correction())
            case "/again":
                await self._again()
            case "/new":
                self._new()
            case "/retract":
                await self._rate("retraction", self.ratings.retract)
            case "/stop":
                self._say(self.texts.nothing_runs)
            case "/persona":
                self._change_persona(command.argument)
            case "/lessons":
                await self._lessons(command.argument)
            case "/stats":
                await self._stats()
            case "/consent":
                await self._consent(command.argument.lower())
            case "/privacy":
                self._say(await self.consent.privacy(self.person))
            case "/forget":
                self._say(pasted(self.texts.forget_usage.format(name=f"{PLATFORM}:{user_here()}")))
            case "/help":
                self._say(self.texts.help)
            case unknown:
                near = nearest(unknown)
                hint = self.texts.did_you_mean.format(name=near) if near else " " + self.texts.for_help
                self._say(self.texts.unknown_command.format(name=unknown) + hint)

    # -- talking

    async def _talk(self, text: str) -> None:
        async def question() -> StoredMessage:
            await self.chat.moderation.admit(text, self.texts)
            conversation = await self.store.conversation(
                PLATFORM, self.key, persona=self.persona.name, language=self.persona.language
            )
            return await self.store.add_message(conversation, "user", text, author=self.person, parent=self.parent)

        generation = await self._show(self.chat.answer(self._ask(question)))
        if generation is not None:
            self.parent, self.last = generation.message, generation

    async def _again(self) -> None:
        first = self.last
        if first is None:
            self._say(self.texts.no_question)
            return

        async def asked_before() -> StoredMessage:
            raise AssertionError("again() asks the same question")

        async with self.trial.engine(first.release) as candidate:  # gives the other answer during a trial
            # Which release answers could sway the verdict, so the person is told afterwards.
            second = await self._show(self.chat.again(self._ask(asked_before), first, engine=candidate), blind=True)
        if second is None or not second.text:
            return
        self.parent, self.last = second.message, second
        if not comparable(first, second):
            taught = await self.store.lessons.taught_since(first.generation, second.generation)
            self._say(self.texts.not_comparable_taught if taught else self.texts.not_comparable)
            return
        line = await self.lines.read(self.texts.which_is_better)
        if line is None:
            return
        verdict = VERDICTS.get(line.strip().lower())
        if verdict is None:
            self._say(self.texts.not_a_verdict)
            if line.strip():
                self.lines.unread(line)
            return
        if verdict == "a":  # the conversation goes on from the better answer
            self.parent, self.last = first.message, first
        source = _source()
        await self._report(
            "comparison",
            lambda: self.ratings.compare(
                self.person, first.generation, second.generation, verdict, platform=PLATFORM, source_id=source
            ),
        )
        if first.release != second.release:
            self._say(which_was_which(self.texts, first, second))

    def _ask(self, question: Callable[[], Awaitable[StoredMessage]]) -> Ask:
        return Ask(
            person=self.person,
            channel=self.key,
            platform=PLATFORM,
            persona=self.persona,
            question=question,
            texts=self.texts,
        )

    async def _show(self, answer: RunningAnswer, *, blind: bool = False) -> StoredGeneration | None:
        """Write an answer as it comes, stop it on request, and return it as it was recorded."""
        stopper = asyncio.create_task(self._stop_when_asked(answer))
        thinks = False
        try:
            async for event in answer:
                match event:
                    case Queued(ahead):
                        self._say(self.texts.waiting.format(ahead=ahead))
                    case Thinking(text):
                        self.screen.write(text, "dim")
                        thinks = True
                    case TakenBack():
                        self._say(self.texts.thoughts_taken_back)
                        thinks = False
                    case Piece(text):
                        if thinks:
                            self.screen.end()
                            thinks = False
                        self.screen.write(text, "green")
                    case Answered(generation, _, note):
                        self.screen.end()
                        if note:
                            self._say(note)
                        if not blind:
                            self._serving(generation.release, generation.model)
                        return generation
                    case Failed() as end:
                        self._say(with_offer(self.texts, end), "red")
        finally:
            stopper.cancel()
            await asyncio.gather(stopper, return_exceptions=True)
        return None

    async def _stop_when_asked(self, answer: RunningAnswer) -> None:
        await self.lines.stop_asked()
        answer.stop()

    def _serving(self, release: int, model: str | None) -> None:
        """Say which release answers: at the start, and when a new champion has taken over."""
        if release != self.release:
            self.release = release
            if other_model(model):
                self._say(self.texts.serving_other.format(model=model))
            else:
                self._say(self.texts.serving.format(release=release) if release else self.texts.serving_base)

    def _new(self) -> None:
        self._begin()
        self._say(self.texts.begun_anew)

    def _change_persona(self, name: str) -> None:
        if not name:
            self._say(self.texts.persona_list.format(names=", ".join(persona_names()), name=self.persona.name))
            return
        try:
            self.persona = persona(name.lower(), self.settings.language)
        except BadInput as error:
            self._say(str(error))
            return
        self._begin()
        self._say(self.texts.persona_now.format(name=self.persona.name))
        self.screen.line(self.persona.greeting)

    async def _lessons(self, argument: str) -> None:
        """List what this person taught; `remove NUMBER` takes one out, `edit NUMBER TEXT` corrects it anew.

        `page NUMBER` lists an older part.
        """
        what, _, rest = argument.partition(" ")
        number, _, text = rest.strip().partition(" ")
        mine = await self.store.lessons.of(self.person)
        if what not in ("edit", "remove"):
            page = int(number) if what == "page" and number.isdecimal() else 1
            learnt = followed_now(self.store.database.path.parent)
            lines, texts = listed(mine, self.texts, page, learnt), self.texts
            said = [texts.lessons_mine, *lines, texts.lessons_change] if lines else [texts.lessons_none]
            self._say("\n".join(said))
            return
        lesson = next((each for each in mine if str(each.lesson) == number), None)
        if lesson is None or lesson.generation is None:
            self._say(self.texts.lesson_gone.format(number=number or "?"))
        elif what == "remove":
            await self.store.lessons.set_scope(lesson.lesson, REMOVED)
            self._say(self.texts.lesson_removed.format(number=number))
        else:
            about, source = lesson.generation, _source()
            await self._report(
                "correction",
                lambda: self.ratings.correct(self.person, about, text, platform=PLATFORM, source_id=source),
            )

    async def _stats(self) -> None:
        async with self.store.database.read() as session:
            found = await count_ratings(session, None)
        self._say(self.texts.stats_everywhere.format(counts=by_kind(found), people=found.raters))
        known = await self.progress.now()
        for line in in_words(known.distance if known else None, self.texts):
            self._say(line)

    # -- rating

    async def _vote(self, value: str, why: str) -> None:
        async def vote(rater: int, generation: int, *, platform: str, source_id: str) -> RatingResult:
            return await self.ratings.vote(rater, generation, value, platform=platform, source_id=source_id, why=why)

        await self._rate("vote", vote, value)

    async def _longer_correction(self) -> None:
        """Take a correction of several lines; whoever has not agreed is asked before they write it."""
        if self.last is None:
            self._say(self.texts.nothing_to_rate)
            return
        agreed = False
        if not await self.store.agrees(self.person):
            asked = self.lines.interactive and await self.store.consent(self.person) is not False
            agreed = asked and await self.consent.ask(self.person)
            if not agreed:
                if not asked:
                    self._say(self.texts.consent_first)
                return
        self._say(self.texts.correction_lines)
        await self._correct(await several_lines(self.lines))
        if agreed:
            await self._offer_new()

    async def _correct(self, text: str) -> None:
        async def correct(rater: int, generation: int, *, platform: str, source_id: str) -> RatingResult:
            return await self.ratings.correct(rater, generation, text, platform=platform, source_id=source_id)

        await self._rate("correction", correct)

    async def _rate(self, kind: str, rate: Callable[..., Awaitable[RatingResult]], value: str | None = None) -> None:
        if self.last is None:
            self._say(self.texts.nothing_to_rate)
            return
        generation, source = self.last.generation, _source()
        await self._report(kind, lambda: rate(self.person, generation, platform=PLATFORM, source_id=source), value)

    async def _report(self, kind: str, rate: Callable[[], Awaitable[RatingResult]], value: str | None = None) -> None:
        """Rate, ask for consent if needed, and say what happened to the rating."""
        outcome, agreed = await rate(), False
        if outcome is RatingResult.CONSENT_MISSING and self.lines.interactive:
            # A person who said no is not asked again; one who agreed to an older text is.
            if await self.store.consent(self.person) is not False:
                agreed = await self.consent.ask(self.person)
                if not agreed:
                    return
            outcome = await rate()
        self._say(sentence(self.texts, outcome, kind, value))
        if agreed:
            await self._offer_new()

    async def _consent(self, argument: str) -> None:
        if argument not in ("yes", "no"):
            self._say(await self.consent.usage(self.person))
        elif argument == "no":
            await self.consent.record(self.person, False)
        elif await self.store.agrees(self.person):
            self._say(self.texts.consent_given)
        elif self.lines.interactive:
            if self.consent.shown:  # a yes to a text that was read needs no second one
                await self.consent.record(self.person, True)
                await self._offer_new()
            elif await self.consent.ask(self.person):
                await self._offer_new()
        else:  # nobody can be asked, but the script's output then holds the text that was agreed to
            await self.consent.show(self.person)
            await self.consent.record(self.person, True)
            self._begin_where_covered()

    async def _offer_new(self) -> None:
        """Offer to begin anew: what was said before the yes is not covered, so no row can be made of it."""
        if self.parent is None:
            return
        if await yes_or_no(self.lines, self.texts.ask_new, lambda: self._say(self.texts.yes_or_no)):
            self._begin_where_covered()
            self._say(self.texts.begun_anew)

    def _begin_where_covered(self) -> None:
        """Begin a new conversation; the last answer may still be rated or asked for again."""
        self.key, self.parent = uuid4().hex, None

    def _say(self, text: str, style: str = "dim") -> None:
        self.screen.line(text, style)


def _source() -> str:
    return f"{PLATFORM}:{uuid4().hex}"
