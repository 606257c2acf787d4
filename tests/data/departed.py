"""Two homes with one key: in the first Ada took part in everything and then left, the second never knew her."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from data import schema
from data.datasets import Collected
from data.imports import collect_rows, import_rows
from data.rows import parse_row
from data.store import Store, StoredGeneration, StoredMessage
from tests.data.talk import Talk

# After everybody's consent; at the beginning of a day, because quotas count by days.
_START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
TOPICS = ("bees", "ferns", "tides", "clocks", "bread", "kites", "glass", "snow", "maps", "salt", "wool", "rope")


async def two_homes(folder: Path) -> tuple[Path, Path]:
    """The homes, with the folds of everybody else's rows assigned alike: a person may move where later ones fall."""
    left, never = folder / "left", folder / "never"
    store = await Store.open(left)
    others = await _Others.begin(store)
    await others.first_half()
    await rows(store)
    await store.close()
    shutil.copytree(left, never)
    for home, with_ada in ((left, True), (never, False)):
        store = await Store.open(home)
        here = _Others(store, others.talk, others.people, others.answers, others.said)
        here.talk = Talk(store, "terminal", others.talk.conversation)
        if with_ada:
            await _ada(here)
        await here.second_half()
        if with_ada:
            await _ada_once_more(here)
            await store.eraser.forget(await store.person("terminal", "ada"))
        await _set_clock(store)
        await store.close()
    return left, never


async def rows(store: Store) -> Collected:
    return await collect_rows(store, discord_permission=None)


class _Others:
    """Bob, Eve and Max: what they do is the same in both homes."""

    def __init__(
        self,
        store: Store,
        talk: Talk,
        people: list[int],
        answers: dict[str, list[StoredGeneration]],
        said: dict[str, StoredMessage],
    ) -> None:
        self.store, self.talk, self.people, self.answers, self.said = store, talk, people, answers, said

    @classmethod
    async def begin(cls, store: Store) -> "_Others":
        talk = await Talk.begin(store)
        return cls(store, talk, [await talk.person(name) for name in ("bob", "eve", "max")], {}, {})

    async def first_half(self) -> None:
        """They ask one question on each topic in a conversation of its own, and rate a little."""
        for number, topic in enumerate(TOPICS):
            talk = await Talk.begin(self.store, key=topic)
            self.said[topic] = await talk.say(
                self.people[number % 3], f"Tell me all that you know of {topic}, please."
            )
            texts = (f"All about {topic}.", f"Nothing about {topic}.", f"I like {topic}.")
            self.answers[topic] = [await talk.answer(self.said[topic], text) for text in texts]
            await self.rate(0, "vote", topic, 0, value="up")

    async def second_half(self) -> None:
        """They rate all answers: corrections, comparisons, votes and ties, with some disagreement."""
        for number, topic in enumerate(TOPICS):
            await self.rate(1, "vote", topic, 0, value="up" if number % 4 else "down")
            if number % 3:
                await self.rate(2, "vote", topic, 1, value="down")
            await self.rate(0, "comparison", topic, 0, 2, value="a" if number % 3 else "tie")
            value = "tie" if number % 6 == 0 else "ab"[number % 2]
            await self.rate(1, "comparison", topic, 0, 2, value=value)
            await self.rate(2, "correction", topic, 1, text=f"This is the story of {topic}.")

    async def rate(self, who: int, kind: str, topic: str, answer: int, other: int | None = None, **more: str) -> None:
        source = f"{who}-{kind}-{topic}-{answer}"
        compared = None if other is None else self.answers[topic][other]
        target = self.answers[topic][answer]
        await self.talk.rate(self.people[who], kind, target, other=compared, source_id=source, **more)


async def _ada(others: _Others) -> None:
    """Ada asks what others asked and more, and rates everything of theirs otherwise; others rate her answers."""
    store = others.store
    talk = await Talk.begin(store, key="adas")
    ada = await talk.person("ada")
    # The same question and the same answers as Bob's, and a new one that is nearly the same.
    mine = await talk.ask(ada, others.said["bees"].text, "All about bees.", "Something else.")
    more = await talk.ask(ada, "Tell me all that you know of ferns, please!", "Ferns are green.", "Ferns.")
    for number, topic in enumerate(TOPICS):
        one, two, three = others.answers[topic]
        await talk.rate(ada, "vote", one, value="down", source_id=f"ada-vote-{topic}")
        await talk.rate(ada, "comparison", three, other=two, value="a", source_id=f"ada-comparison-{topic}")
        if number % 2:
            await talk.rate(ada, "correction", one, text=f"Ada on {topic}.", source_id=f"ada-correction-{topic}")
        else:
            await talk.rate(ada, "report", three, source_id=f"ada-report-{topic}")
    for who, person in enumerate(others.people):
        for number, answer in enumerate([*mine, *more]):
            value = "up" if (who + number) % 2 else "down"
            await talk.rate(person, "vote", answer, value=value, source_id=f"of-ada-{who}-{number}")
    await talk.rate(others.people[0], "correction", mine[1], text="Bob on Ada.", source_id="of-ada-correction")
    # She goes on in Bob's conversation, and Eve votes below that.
    place = await store.conversation("terminal", "bees", persona="tutor")
    below = await store.add_message(
        place, "user", "and the honey?", author=ada, parent=others.answers["bees"][0].message
    )
    honey = await Talk(store, "terminal", place).answer(below, "Honey is sweet.")
    await talk.rate(others.people[1], "vote", honey, value="up", source_id="of-ada-honey")
    await rows(store)  # the folds of her rows are assigned


async def _ada_once_more(others: _Others) -> None:
    """An export with her rows is imported again, and she edits a question."""
    found = await rows(others.store)
    await import_rows(others.store, [parse_row({**each.row.data, **each.row.extra}) for each in found.rows])
    talk = await Talk.begin(others.store, key="adas")
    ada = await talk.person("ada", agrees=None)
    said = await talk.say(ada, "a secret", platform_id="adas-last")
    await talk.answer(said, "I keep it.")
    await others.store.edit_message("terminal", "adas-last", "no secret")


async def _set_clock(store: Store) -> None:
    """Give every rating of the others a time of its own, the same in both homes; the machine is too fast."""
    async with store.database.write() as session:
        found = (await session.scalars(select(schema.Rating).order_by(schema.Rating.source_id))).all()
        known = [rating for rating in found if not rating.source_id.startswith("of-ada")]
        for number, rating in enumerate(known):
            rating.created_at = _START + timedelta(minutes=number)
