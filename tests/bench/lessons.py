"""What does a correction change at once? Ten corrected questions, 50 paraphrases of them, and 50 other questions.

    python -m tests.bench.lessons [--embeddings URL] [--json FILE]

One person asks the real small model everything before a correction and after ten, with the same seed and without
sampling, through the same core as the bot (`bot.conversation`) in a home of its own. A checker looks for the
corrected fact in each answer. None of these questions was used to choose the form of a lesson or which words are like
which; the limit for embeddings was chosen on them.
"""

import argparse
import asyncio
import json
import re
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bot.answers import Answered, Ask, Piece
from bot.conversation import Chat
from bot.embeddings import Embeddings
from bot.engine.api import Sampling
from bot.engine.open import open_engine
from bot.ratings import Ratings
from data.lesson_vectors import Meanings
from data.personas import Persona, persona
from data.store import Store, StoredGeneration, StoredMessage
from tests.bench.lessons_asked import CORRECTED, OTHERS
from tests.bench.ran_on import processor

_TOKENS = 48  # of each answer; the fact comes early or not at all


class Said(NamedTuple):
    """An answer, and the seconds to its first piece, also without what the engine took for it."""

    generation: StoredGeneration
    first: float
    beyond_engine: float
    lessons: int


@dataclass
class Found:
    """What was measured. Shares are of the paraphrases, or of the other questions."""

    followed_before: float = 0
    followed: float = 0
    found: float = 0
    others_given_one: float = 0
    others_changed: float = 0
    press_to_answer_p95: float = 0
    first_before: float = 0
    first_others: float = 0
    first_taught: float = 0


class Evening:
    """One person at the core of the bot."""

    def __init__(self, store: Store, chat: Chat, person: int) -> None:
        self.store, self.chat, self.person = store, chat, person
        self.ratings = Ratings(store)
        self._asked = 0

    async def ask(self, text: str) -> Said:
        """Ask a question in a conversation of its own."""
        self._asked += 1
        key, chosen = f"{self._asked}", _persona(text)

        async def question() -> StoredMessage:
            place = await self.store.conversation("terminal", key, persona=chosen.name, language=chosen.language)
            return await self.store.add_message(place, "user", text, author=self.person)

        began, first = time.perf_counter(), None
        ask = Ask(person=self.person, channel=key, platform="terminal", persona=chosen, question=question)
        async for event in self.chat.answer(ask):
            if isinstance(event, Piece) and first is None:
                first = time.perf_counter() - began
            if isinstance(event, Answered):
                given = await self.store.lessons.given_to(event.generation.generation)
                engine = await self._first_token(event.generation.generation)
                first = time.perf_counter() - began if first is None else first
                return Said(event.generation, first, first - engine, len(given))
        raise SystemExit(f"There was no answer to {text!r}.")

    async def _first_token(self, generation: int) -> float:
        from data import schema

        async with self.store.database.read() as session:
            row = await session.get_one(schema.Generation, generation)
            return row.first_token_seconds or 0.0

    async def correct(self, said: Said, text: str) -> float:
        """Correct an answer; returns the seconds."""
        began = time.perf_counter()
        source = f"bench:{said.generation.generation}"
        await self.ratings.correct(
            self.person, said.generation.generation, text, platform="terminal", source_id=source
        )
        return time.perf_counter() - began


def _persona(text: str) -> Persona:
    return persona("assistant", "zh" if re.search("[\u4e00-\u9fff]", text) else "en")


async def measure(home: Path, embeddings: str | None = None) -> tuple[Found, list[str]]:
    """Ask, correct and ask again; returns what was measured and the answers to the paraphrases, a line each."""
    store = await Store.open(home)
    if embeddings:
        endpoint = Embeddings(embeddings, model=None, api_key=None)
        store.lessons.meanings = Meanings(endpoint.vectors)
    engine = await open_engine(home)
    chat = Chat(store, engine, sampling=Sampling(temperature=0.0, max_tokens=_TOKENS), seed=lambda: 7)
    try:
        person = await store.person("terminal", "bench")
        await store.set_consent(person, True)
        evening = Evening(store, chat, person)
        await evening.ask("Hello!")  # the model's pages are in memory, and the system prompts in the cache
        await evening.ask("你好！")
        return await _measured(evening)
    finally:
        await chat.close()
        await engine.close()
        await store.close()


async def _measured(evening: Evening) -> tuple[Found, list[str]]:
    found, lines = Found(), []
    paraphrases = [(case, text) for case in CORRECTED for text in case.paraphrases]
    before = [await evening.ask(text) for _, text in paraphrases]
    others = [await evening.ask(text) for text in OTHERS]
    pressed = []
    for case in CORRECTED:
        took = await evening.correct(await evening.ask(case.question), case.right)
        pressed.append(took + (await evening.ask(case.question)).beyond_engine)
    after = [await evening.ask(text) for _, text in paraphrases]
    others_after = [await evening.ask(text) for text in OTHERS]
    for (case, text), old, new in zip(paraphrases, before, after, strict=True):
        good = [bool(re.search(case.fact, said.generation.text, re.IGNORECASE)) for said in (old, new)]
        found.followed_before += good[0] / len(paraphrases)
        found.followed += good[1] / len(paraphrases)
        found.found += bool(new.lessons) / len(paraphrases)
        mark = "follows" if good[1] else "does not follow" if new.lessons else "no lesson"
        lines.append(f"{mark}: {text} -> {' '.join(new.generation.text.split())[:100]}")
    for old, new in zip(others, others_after, strict=True):
        found.others_given_one += bool(new.lessons) / len(OTHERS)
        found.others_changed += (old.generation.text != new.generation.text) / len(OTHERS)
    found.press_to_answer_p95 = statistics.quantiles(pressed, n=20)[-1]
    found.first_before = statistics.median(said.first for said in (*before, *others))
    found.first_others = statistics.median(said.first for said in others_after)
    found.first_taught = statistics.median(said.first for said in after if said.lessons)
    return found, lines


def main() -> None:
    """Measure and print."""
    flags = argparse.ArgumentParser(prog="python -m tests.bench.lessons", description=__doc__)
    flags.add_argument("--embeddings", metavar="URL", help="an embedding endpoint to find lessons by, too")
    flags.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = flags.parse_args()
    with TemporaryDirectory() as folder:
        found, lines = asyncio.run(measure(Path(folder), arguments.embeddings))
    print("\n".join(lines))
    for name, value in asdict(found).items():
        print(f"{name:>20} {value:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"on": processor(2), **asdict(found)}, indent=2))


if __name__ == "__main__":
    main()
