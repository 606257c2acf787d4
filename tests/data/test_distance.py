"""How far it is to each verdict, and what is nearest."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import func, select

from data import schema
from data.collected import Collected, FeedbackRow
from data.datasets import collect
from data.distance import Distance, Part, distance, in_words
from data.fold_shares import NEW
from data.imports import collect_rows
from data.minimums import JUDGE_PAIRS, MINIMUM_THUMBS
from data.releases import MINIMUM_PEOPLE, MINIMUM_PROMPTS
from data.rows import Row, parse_row
from data.store import Store
from data.trials import TrialSoFar
from tests.data.talk import Talk


def row(kind: str, number: int, *, label: bool = True) -> Row:
    prompt = [{"role": "user", "content": f"question {number}"}]
    good, bad = ([{"role": "assistant", "content": text}] for text in ("good", "bad"))
    if kind == "preference":
        return parse_row({"prompt": prompt, "chosen": good, "rejected": bad})
    return parse_row({"prompt": prompt, "completion": good, "label": label})


def pairs(fold: str, count: int, *raters: str) -> list[FeedbackRow]:
    return [FeedbackRow(row("preference", number), fold, "terminal", raters) for number in range(count)]


def thumbs(fold: str, up: int, down: int) -> list[FeedbackRow]:
    rows = [row("labelled", number, label=number < up) for number in range(up + down)]
    return [FeedbackRow(each, fold, "terminal", ("ada",)) for each in rows]


def have(found: Distance) -> dict[str, tuple[int, int]]:
    return {part.name: (part.have, part.needed) for part in found.parts}


def test_each_verdict_counts_the_rows_of_its_own_fold() -> None:
    rows = [*pairs("gate", 8, "ada"), *pairs("gate", 8, "ada"), *pairs("train", 90), *thumbs("train", 10, 3)]
    assert have(distance(Collected(rows=rows))) == {
        "prompts": (8, MINIMUM_PROMPTS),  # the same prompt counts once
        "pairs": (0, JUDGE_PAIRS),
        "thumbs": (3, MINIMUM_THUMBS),
        "people": (1, MINIMUM_PEOPLE),
    }
    found = distance(Collected(rows=rows), TrialSoFar(prompts=12, people=2, share=0.5))
    assert have(found)["trial_prompts"] == (12, MINIMUM_PROMPTS)
    assert have(found)["trial_people"] == (2, MINIMUM_PEOPLE)


def test_the_nearest_comes_next_in_words() -> None:
    rows = [*pairs("gate", 8, "ada"), *thumbs("train", 10, 3)]
    first, second = in_words(distance(Collected(rows=rows)))
    assert first.startswith(
        f"How far to a verdict: 8 of {MINIMUM_PROMPTS} held-out prompts, 0 of {JUDGE_PAIRS} pairs for a judge, "
        f"3 of {MINIMUM_THUMBS} thumbs of each direction, 1 of {MINIMUM_PEOPLE} people."
    )
    assert second == "Next: compare or correct answers to 80 more questions, of which about 12 will be held out."
    assert in_words(distance(Collected(rows=thumbs("train", 10, 7))))[1] == "Next: give 1 more answers a thumb down."
    assert in_words(distance(Collected(rows=thumbs("train", 6, 20))))[1] == "Next: give 2 more answers a thumb up."
    enough = Distance(tuple(Part(name, 9, 9) for name in ("prompts", "pairs", "thumbs", "people")))
    assert enough.nearest is None
    assert "python -m alignment.round" in in_words(enough)[1]
    assert in_words(Distance()) == []


@pytest.mark.parametrize("part", [Part("trial_prompts", 8, 9), Part("trial_people", 8, 9), Part("people", 8, 9)])
def test_every_part_has_words(part: Part) -> None:
    assert "1 more" in in_words(Distance((part,)))[1]


async def asked(talk: Talk, count: int) -> None:
    """A person asks about things that are not alike, each in a conversation, and compares two answers to each."""
    person = await talk.person()
    for number in range(count):
        one = await Talk.begin(talk.store, key=f"conversation {number}")
        first, second = await one.ask(person, f"{number} {number * 7} {number * 31}?", "yes", "no")
        await one.rate(person, "comparison", first, other=second, value="a")


@pytest.mark.played
async def test_whoever_only_looks_stores_no_fold_and_learns_none(talk: Talk) -> None:
    await asked(talk, 20)
    database = talk.store.database.path
    found = await asyncio.to_thread(collect, database, database, b"k" * 32, discord_permission=None, draws=False)
    async with talk.store.database.read() as session:
        assert {each.fold for each in found.rows} == {NEW}
        assert await session.scalar(select(func.count()).select_from(schema.FoldGroup)) == 0
    assert have(distance(found))["prompts"] == (3, MINIMUM_PROMPTS)  # about as many as the share says
    assert have(distance(found))["pairs"] == (2, JUDGE_PAIRS)


@pytest.mark.played
async def test_thirty_ratings_of_an_evening_give_rows_to_train_on_and_rows_to_decide_by(talk: Talk) -> None:
    person = await talk.person()
    for number in range(10):
        one = await Talk.begin(talk.store, key=f"conversation {number}")
        for turn in range(3):
            (answer,) = await one.ask(person, f"{number} {turn} {number * 7} {turn * 31}?", f"yes {number} {turn}")
            await one.rate(person, "correction", answer, text=f"better {number} {turn}")
    found = await collect_rows(talk.store, discord_permission=None)
    corrections = Counter(each.fold for each in found.rows if each.row.kind == "demonstration")
    assert corrections.total() == 30
    assert corrections["train"] >= 12
    assert corrections["gate"] >= 3


@pytest.mark.played
async def test_an_evening_in_one_conversation_trains_all_of_it(store: Store) -> None:
    talk = await Talk.begin(store)
    person = await talk.person()
    for number in range(18):
        (answer,) = await talk.ask(person, f"{number} {number * 7} {number * 31}?", f"yes {number}")
        await talk.rate(person, "vote", answer, value="up")
    found = await collect_rows(store, discord_permission=None)
    assert {each.fold for each in found.rows if each.row.kind == "labelled"} == {"train"}
