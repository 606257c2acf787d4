"""A comparison that its rater took back counts nowhere; a correction that they took back is erased."""

import pytest

from data.counts import count_ratings
from data.store import StoredGeneration
from tests.data.collected import data, model, rows
from tests.data.talk import Talk


async def compared(talk: Talk, rater: int) -> tuple[StoredGeneration, StoredGeneration]:
    one, other = await talk.ask(rater, "Hi", "Hello!", "What?")
    await talk.rate(rater, "comparison", one, other=other, value="a", source_id="compared")
    return one, other


async def counted(talk: Talk) -> dict[str, int]:
    async with talk.store.database.read() as session:
        return dict((await count_ratings(session, None)).ratings)


@pytest.mark.parametrize("turned", [False, True])
async def test_a_comparison_that_was_taken_back_makes_no_row(talk: Talk, turned: bool) -> None:
    ada = await talk.person()
    one, other = await compared(talk, ada)
    assert len(data(await rows(talk.store), "preference")) == 1
    first, second = (other, one) if turned else (one, other)
    await talk.rate(ada, "retraction", first, other=second)
    assert data(await rows(talk.store), "preference") == []


async def test_it_is_counted_no_more_and_prefers_nothing(talk: Talk) -> None:
    ada = await talk.person()
    one, other = await compared(talk, ada)
    assert await counted(talk) == {"comparison": 1}
    preferred = await talk.store.preferred(other.message, ada)
    assert preferred is not None
    assert preferred.message == one.message
    assert await talk.store.took_back(one.generation, other.generation, ada) is False
    await talk.rate(ada, "retraction", one, other=other)
    assert await counted(talk) == {}
    assert await talk.store.preferred(other.message, ada) is None
    assert await talk.store.took_back(one.generation, other.generation, ada) is True
    assert await talk.store.compared(one.generation, other.generation, ada) is True


async def test_votes_and_other_peoples_comparisons_stay(talk: Talk) -> None:
    ada, bob = await talk.person(), await talk.person("bob")
    one, other = await compared(talk, ada)
    await talk.rate(bob, "comparison", one, other=other, value="b")
    await talk.rate(ada, "vote", one, value="down")
    await talk.rate(ada, "retraction", one, other=other)
    assert await talk.store.vote(one.generation, ada) == "down"
    assert await counted(talk) == {"comparison": 1, "down": 1}
    (row,) = data(await rows(talk.store), "preference")
    assert row["chosen"] == [model("What?")]


async def test_a_vote_that_was_taken_back_leaves_the_comparison(talk: Talk) -> None:
    ada = await talk.person()
    one, _ = await compared(talk, ada)
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "retraction", one)
    assert await counted(talk) == {"comparison": 1}
    assert len(data(await rows(talk.store), "preference")) == 1


async def test_the_text_of_a_correction_can_be_erased_by_itself(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "Hi", "What?")
    await talk.rate(ada, "correction", answer, text="Hello!", source_id="mine")
    assert len(await talk.store.lessons.of(ada)) == 1
    assert await talk.store.eraser.erase_rating_text("mine") is True
    assert await talk.store.lessons.of(ada) == []
    found = await rows(talk.store)
    assert data(found, "demonstration") == data(found, "preference") == []
    assert await talk.store.eraser.erase_rating_text("mine") is False
    assert await talk.store.eraser.erase_rating_text("unknown") is False
    rating = await talk.store.rating("mine")
    assert rating is not None
    assert (rating.kind, rating.rater, rating.text) == ("correction", ada, None)
