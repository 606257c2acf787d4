"""Feedback becomes rows: which ratings count, and what a row holds."""

from typing import Any

import pytest

from data import datasets
from data.home import installation_key
from tests.data.collected import HEAD, data, dropped, model, prompt, rows, user
from tests.data.talk import SYSTEM, Talk

# -- the table ----------------------------------------------------------------------------------------------------


async def test_a_correction_is_a_demonstration_and_a_preference(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "bad")
    await talk.rate(ada, "correction", answer, text="good")
    found = await rows(talk.store)
    assert data(found, "demonstration") == [{"prompt": prompt("q"), "completion": [model("good")]}]
    assert data(found, "preference") == [
        {"prompt": prompt("q"), "chosen": [model("good")], "rejected": [model("bad")]}
    ]
    assert data(found, "prompt") == [{"prompt": prompt("q")}]
    assert data(found, "labelled") == []
    assert dropped(found) == {}


@pytest.mark.parametrize(("value", "chosen", "rejected"), [("a", "one", "two"), ("b", "two", "one")])
async def test_a_comparison_is_a_preference(talk: Talk, value: str, chosen: str, rejected: str) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", one, other=two, value=value)
    found = await rows(talk.store)
    assert data(found, "preference") == [
        {"prompt": prompt("q"), "chosen": [model(chosen)], "rejected": [model(rejected)]}
    ]
    assert data(found, "labelled") == data(found, "demonstration") == []


@pytest.mark.parametrize("value", ["tie", "both_bad"])
async def test_a_tie_is_not_a_preference(talk: Talk, value: str) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", one, other=two, value=value)
    assert [row.row.kind for row in (await rows(talk.store)).rows] == ["prompt"]


async def test_up_and_down_on_siblings_is_a_preference_for_each_pair(talk: Talk) -> None:
    ada = await talk.person()
    good, better, bad, unrated = await talk.ask(ada, "q", "good", "better", "bad", "unrated")
    assert unrated
    for answer, value in ((good, "up"), (better, "up"), (bad, "down")):
        await talk.rate(ada, "vote", answer, value=value)
    found = await rows(talk.store)
    pairs = [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in data(found, "preference")]
    assert sorted(pairs) == [("better", "bad"), ("good", "bad")]
    assert data(found, "labelled") == []


async def test_up_and_down_on_different_prompts_do_not_form_a_pair(talk: Talk) -> None:
    ada = await talk.person()
    (one,) = await talk.ask(ada, "q", "one")
    (two,) = await talk.ask(ada, "other q", "two")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "vote", two, value="down")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    found = await rows(talk.store)
    assert data(found, "preference") == []
    assert dropped(found) == {"preference": {datasets.OTHER_PROMPT: 1}}
    assert sorted((row["completion"][0]["content"], row["label"]) for row in data(found, "labelled")) == [
        ("one", True),
        ("two", False),
    ]


async def test_the_prompt_is_the_whole_conversation(talk: Talk) -> None:
    ada = await talk.person()
    first = await talk.answer(await talk.say(ada, "first"), "one")
    second = await talk.answer(await talk.say(ada, "more", parent=first.message), "two")
    await talk.rate(ada, "vote", second, value="up")
    (row,) = data(await rows(talk.store), "labelled")
    assert row["prompt"] == [HEAD, user("first"), model("one"), user("more")]


# -- which ratings are current ------------------------------------------------------------------------------------


async def test_only_the_last_of_several_ratings_counts(talk: Talk) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    for value in ("up", "down"):
        await talk.rate(ada, "vote", one, value=value)
    for text in ("draft", "final"):
        await talk.rate(ada, "correction", two, text=text)
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "comparison", two, other=one, value="a")  # the same pair, shown the other way round
    found = await rows(talk.store)
    assert [row["label"] for row in data(found, "labelled")] == [False]
    assert [row["completion"][0]["content"] for row in data(found, "demonstration")] == ["final"]
    pairs = {(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in data(found, "preference")}
    assert pairs == {("final", "two")}
    # The first comparison no longer counts, and "two" was corrected, so it is not preferred either.
    assert dropped(found) == {"preference": {datasets.REFUSED: 1}}


async def test_a_comparison_taken_back_by_a_tie(talk: Talk) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "comparison", one, other=two, value="tie")
    assert data(await rows(talk.store), "preference") == []


async def test_a_comparison_with_a_third_answer_stays(talk: Talk) -> None:
    ada = await talk.person()
    one, two, three = await talk.ask(ada, "q", "one", "two", "three")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "comparison", one, other=three, value="a")
    assert len(data(await rows(talk.store), "preference")) == 2


@pytest.mark.parametrize("about", [0, 1])
async def test_a_retraction_takes_back_only_the_raters_own_vote(talk: Talk, about: int) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    answers = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", answers[about], other=answers[1 - about], value="b")
    await talk.rate(ada, "vote", answers[about], value="up")
    await talk.rate(ada, "correction", answers[about], text="better")
    await talk.rate(bob, "vote", answers[about], value="down")
    await talk.rate(ada, "retraction", answers[about])
    found = await rows(talk.store)
    assert [row["label"] for row in data(found, "labelled")] == [False]
    assert len(data(found, "preference")) == 2  # the comparison and the correction stand
    assert len(data(found, "demonstration")) == 1


async def test_opposite_comparisons_cancel_and_the_majority_stands(talk: Talk) -> None:
    ada, bob, cem = [await talk.person(name) for name in ("ada", "bob", "cem")]
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(bob, "comparison", two, other=one, value="a")
    found = await rows(talk.store)
    assert data(found, "preference") == []
    assert found.dropped["preference"][datasets.CONTRADICTED] == 2
    await talk.rate(cem, "comparison", two, other=one, value="a")
    (row,) = data(await rows(talk.store), "preference")
    assert row["chosen"][0]["content"] == "two"


async def test_many_votes_on_siblings_make_few_pairs(talk: Talk) -> None:
    ada = await talk.person()
    answers = await talk.ask(ada, "q", *"abcdefgh")
    for index, answer in enumerate(answers):
        await talk.rate(ada, "vote", answer, value="up" if index < 5 else "down")
    assert len(data(await rows(talk.store), "preference")) == 5


async def test_a_void_takes_back_everybodys_ratings(talk: Talk) -> None:
    ada, bob, moderator = [await talk.person(name) for name in ("ada", "bob", "moderator")]
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(bob, "comparison", two, other=one, value="a")
    await talk.rate(bob, "vote", two, value="down")
    await talk.rate(moderator, "void", one)
    found = await rows(talk.store)
    assert [row["completion"][0]["content"] for row in data(found, "labelled")] == ["two"]
    assert data(found, "preference") == []
    await talk.rate(ada, "vote", one, value="up")  # after the void
    assert len(data(await rows(talk.store), "preference")) == 1


async def test_votes_of_several_people_are_counted(talk: Talk) -> None:
    people = [await talk.person(name) for name in ("ada", "bob", "eve")]
    (answer,) = await talk.ask(people[0], "q", "one")
    for person, value in zip(people, ("up", "down", "up"), strict=True):
        await talk.rate(person, "vote", answer, value=value)
    assert [row["label"] for row in data(await rows(talk.store), "labelled")] == [True]
    await talk.rate(people[2], "retraction", answer)
    assert dropped(await rows(talk.store)) == {"labelled": {datasets.CONTRADICTED: 1}}


async def test_a_report_teaches_nothing(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "one")
    await talk.rate(ada, "report", answer, text="rude")
    assert [row.row.kind for row in (await rows(talk.store)).rows] == ["prompt"]


async def test_several_speakers_become_persons_in_the_order_of_speaking(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    first = await talk.answer(await talk.say(bob, "I am first"), "hello")
    said = await talk.say(ada, "I am second", parent=first.message)
    second = await talk.answer(await talk.say(bob, "me again", parent=said.message), "yes")
    await talk.rate(ada, "vote", second, value="up")
    (row,) = data(await rows(talk.store), "labelled")
    assert [message["content"] for message in row["prompt"]] == [
        SYSTEM,
        "Person 1: I am first",
        "hello",
        "Person 2: I am second\nPerson 1: me again",
    ]


async def test_rows_carry_fold_raters_and_provenance(talk: Talk, house: Any) -> None:
    ada = await talk.person()
    answer, other = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "vote", answer, value="down")
    await talk.rate(ada, "correction", other, text="better")
    found = await rows(talk.store)
    assert len({row.fold for row in found.rows}) == 1  # one conversation, one fold
    ids = {row.row.id for row in found.rows}
    assert len(ids) == 4
    for row in found.rows:
        extra = {key: value for key, value in row.row.extra.items() if key != "id"}
        assert extra == {
            "persona": "tutor",
            "language": "en",
            "source": "feedback",
            "weight": 1.0,
            "platform": "terminal",
            "consent": True,
            **({"release": 0} if row.row.kind in ("preference", "labelled") else {}),
        }
        assert all(rater.startswith("person-") for rater in row.raters)
        assert bool(row.raters) is (row.row.kind != "prompt")
    again = await rows(talk.store)
    assert [(row.row, row.fold) for row in again.rows] == [(row.row, row.fold) for row in found.rows]
    assert found.of("labelled", found.rows[0].fold) == found.of("labelled")
    assert found.of("labelled", "no such fold") == []
    assert len(installation_key(house)) == 32
