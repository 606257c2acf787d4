"""A simulated Discord server: its people ask the bot, which answers as it would there, and rate its answers."""

import asyncio
import hashlib
import random
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.drawn import Answer
from tests.bench.taste import Rater, people, taste

RATERS_PER_ANSWER = 4
ASKERS = 10  # the first of the people, who are honest
MAX_TOKENS = 200
# It is lively, so that two answers of one release differ. Two releases are compared with the sampling of serving.
TALK = {"temperature": 0.9, "top_p": 0.95, "frequency_penalty": 0.4}


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer as the server saw it: which generation, and how much the taste likes it."""

    generation: int
    liked: float


class World:
    """One simulated server with its own installation of Parley."""

    def __init__(
        self, home: Path, seed: int, heard: list[float] | None = None, raters: list[Rater] | None = None
    ) -> None:
        # How much the taste liked each answer that people got so far, in earlier rounds too: their idea of usual.
        self.home, self.seed, self.heard = home, seed, [] if heard is None else heard
        self.raters = people() if raters is None else raters
        self.clock = datetime.now(UTC)

    async def talk(self, asked: list[str], siblings: int, candidate: int | None = None) -> list[list[Spoken]]:
        """People ask; the champion answers each question `siblings` times, or once and the candidate once more."""
        from bot.answers import Answered, Ask
        from bot.conversation import Chat, Limits
        from bot.engine.api import Sampling
        from bot.engine.open import open_engine
        from data.personas import persona
        from data.store import Store

        store = await Store.open(self.home)
        draw = random.Random(self.seed)
        engines = [await open_engine(self.home)]
        if candidate is not None:
            engines.append(await open_engine(self.home, release=candidate))
        chats = [
            Chat(
                store,
                engine,
                sampling=Sampling(**(TALK if candidate is None else {}), max_tokens=MAX_TOKENS),
                limits=Limits(slots=8, waiting=10_000, waiting_per_person=10_000),
                seed=lambda: draw.randrange(2**31),
            )
            for engine in engines
        ]
        members = await self._members(store)

        async def one(number: int, question: str) -> list[Spoken]:
            asker = members[self.raters[number % ASKERS].name]
            conversation = await store.conversation("discord", f"{self.seed}-{question}", persona="assistant")

            async def said() -> Any:
                return await store.add_message(conversation, "user", question, author=asker)

            ask = Ask(
                person=asker,
                channel=f"channel-{number}",
                platform="discord",
                persona=persona("assistant", "en"),
                question=said,
            )
            found: list[Spoken] = []
            first = None
            for _ in range(siblings):
                answer = chats[-1].again(ask, first) if first else chats[0].answer(ask)
                async for event in answer:
                    if isinstance(event, Answered):
                        first = first or event.generation
                        liked = taste(question, event.generation.text, event.finish_reason == "stop")
                        found.append(Spoken(event.generation.generation, liked))
            return found

        try:
            return await asyncio.gather(*(one(number, question) for number, question in enumerate(asked)))
        finally:
            for chat, engine in zip(chats, engines, strict=True):
                await chat.close()
                await engine.close()
            await store.close()

    async def _members(self, store: Any) -> dict[str, int]:
        found = {}
        for member in self.raters:
            found[member.name] = await store.person("discord", member.name)
            if await store.consent(found[member.name]) is None:
                await store.set_consent(found[member.name], True)
        return found

    async def recorded(self, asked: list[str], drawn: list[list[Answer]], release: int) -> list[list[Spoken]]:
        """The same for answers that were drawn without a server: they are recorded as those of a release."""
        from data.personas import persona
        from data.store import NewGeneration, Store

        store = await Store.open(self.home)
        members = await self._members(store)
        system = persona("assistant", "en").system_prompt
        found = []
        try:
            for number, (question, answers) in enumerate(zip(asked, drawn, strict=True)):
                asker = members[self.raters[number % ASKERS].name]
                conversation = await store.conversation("discord", f"{self.seed}-{question}", persona="assistant")
                said = await store.add_message(conversation, "user", question, author=asker)
                group = []
                for answer in answers:
                    made = await store.add_generation(
                        NewGeneration(
                            conversation=conversation,
                            parent=said.message,
                            context=(said.version,),
                            system_prompt=system,
                            rendered_sha256=hashlib.sha256(question.encode()).hexdigest(),
                            text=answer.text,
                            release=release,
                            sampling=TALK,
                            seed=self.seed,
                            finish_reason="stop" if answer.ended else "length",
                            prompt_tokens=None,
                            completion_tokens=None,
                            first_token_seconds=None,
                            platform="discord",
                        )
                    )
                    group.append(Spoken(made.generation, answer.liked))
                found.append(group)
        finally:
            await store.close()
        return found

    async def rate(self, answers: list[list[Spoken]], raters: list[Rater]) -> dict[str, int]:
        """Everybody rates some of the answers: pairs by comparison, single answers by thumb."""
        from sqlalchemy import update

        from data.schema import Rating
        from data.store import NewRating, Store

        store = await Store.open(self.home)
        draw = random.Random(self.seed + 1)
        members = await self._members(store)
        self.heard += [one.liked for group in answers for one in group]
        usual = statistics.median(self.heard)
        counts: dict[str, int] = {}
        try:
            for group in answers:
                for rater in draw.sample(raters, min(RATERS_PER_ANSWER, len(raters))):
                    if len(group) == 2:
                        shown = draw.sample(group, 2)
                        kind, value = "comparison", rater.compares(shown[0].liked, shown[1].liked, draw)
                    elif len(group) == 1:
                        shown = [group[0]]
                        kind, value = "vote", rater.votes(group[0].liked, usual, draw)
                    else:
                        continue
                    source = f"{self.seed}-{shown[0].generation}-{rater.name}"
                    await store.rate(
                        NewRating(
                            source_id=source,
                            rater=members[rater.name],
                            kind=kind,
                            value=value,
                            platform="discord",
                            generation=shown[0].generation,
                            other=shown[1].generation if len(shown) == 2 else None,
                        )
                    )
                    counts[value] = counts.get(value, 0) + 1
                    # People take their time, but here everything happened within a second or two.
                    self.clock += timedelta(seconds=draw.uniform(20, 90))
                    async with store.database.write() as session:
                        await session.execute(
                            update(Rating).where(Rating.source_id == source).values(created_at=self.clock)
                        )
        finally:
            await store.close()
        return counts
