"""Rows as what people gave."""

from collections.abc import Mapping

import pytest

from alignment.influence.learnt import Key
from alignment.influence.named import Given, named
from data.collected import FeedbackRow
from data.home import installation_key
from data.imports import collect_rows, import_rows
from data.row import Row
from data.store import Store
from tests.data.said_after import in_fold
from tests.data.talk import Talk

SHOWN = Row(
    "demonstration",
    {"messages": [{"role": "user", "content": "What is a stack?"}, {"role": "assistant", "content": "A pile."}]},
    {"id": "mine"},
)


async def kept(store: Store) -> dict[Key, FeedbackRow]:
    found = await collect_rows(store, discord_permission=None)
    return {(each.row.kind, each.row.id): each for each in found.rows}


async def name(store: Store, scores: Mapping[Key, float], most: int = 10) -> list[Given]:
    rows = await kept(store)
    async with store.database.read() as session:
        return await named(session, installation_key(store.database.path.parent), rows, scores, most)


@pytest.mark.played
async def test_each_row_is_told_by_what_made_it(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    in_fold(monkeypatch, "train")
    store, ada, bob = talk.store, await talk.person("ada"), await talk.person("bob")
    (one,) = await talk.ask(ada, "When do we meet?", "At six.")
    await talk.rate(bob, "correction", one, text="At seven.")
    two, three = await talk.ask(ada, "Where do we meet?", "Here.", "There.")
    await talk.rate(ada, "comparison", two, other=three, value="a")
    await talk.rate(bob, "comparison", two, other=three, value="a")
    (four,) = await talk.ask(bob, "Who is there?", "Everybody.")
    await talk.rate(ada, "vote", four, value="up")
    await import_rows(store, [SHOWN])
    rows = await kept(store)
    scores = {key: float(place) for place, key in enumerate(sorted(rows), 1)}
    found = {each.kind: each for each in await name(store, scores)}
    assert set(found) >= {"correction", "comparison", "thumb", "imported row"}
    assert len(found["comparison"].numbers) == 2  # both said the same
    assert all(each.at is not None and each.numbers for each in found.values() if each.kind != "rating")
    corrected = [key for key in rows if "At seven." in str(rows[key].row.data)]
    assert {kind for kind, _ in corrected} == {"demonstration", "preference"}
    assert found["correction"].score == sum(scores[key] for key in corrected)  # one correction, and not two rows


@pytest.mark.played
async def test_only_what_made_an_answer_likelier_is_named_the_largest_first(talk: Talk) -> None:
    ada = await talk.person()
    for number in range(4):
        (answer,) = await talk.ask(ada, f"Question {number}?", f"Answer {number}.")
        await talk.rate(ada, "vote", answer, value="up")
    thumbs = [key for key in await kept(talk.store) if key[0] == "labelled"]
    scores = dict(zip(thumbs, (0.5, -1.0, 2.0, 0.1), strict=True))
    assert [each.score for each in await name(talk.store, scores)] == [2.0, 0.5, 0.1]
    assert [each.score for each in await name(talk.store, scores, 1)] == [2.0]
