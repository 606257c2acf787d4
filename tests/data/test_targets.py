"""No answer that people corrected, voted down, reported or found worse is learnt as an answer."""

from typing import Any

import pytest

from data.datasets import REFUSED, Collected
from data.imports import collect_rows, import_rows
from data.rows import parse_row
from data.store import StoredGeneration
from tests.data.talk import Talk


async def collected(talk: Talk) -> Collected:
    return await collect_rows(talk.store, discord_permission=None)


def targets(found: Collected) -> set[str]:
    """Every text that some row teaches as a good answer."""
    taught: list[Any] = [row.data["chosen"] for row in found.of("preference")]
    taught += [row.data["completion"] for row in found.of("labelled") if row.data["label"]]
    taught += [row.messages[-1:] for row in found.of("demonstration")]
    return {message["content"] for (message,) in taught}


async def liked(talk: Talk) -> tuple[int, int, list[StoredGeneration]]:
    """Two people, and four answers to one question: the first is liked, the second preferred to the third."""
    ada, bob = await talk.person("ada"), await talk.person("bob")
    one, two, three, four = await talk.ask(ada, "q", "one", "two", "three", "four")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "comparison", two, other=three, value="a")
    return ada, bob, [one, two, three, four]


async def test_liked_and_preferred_answers_are_targets(talk: Talk) -> None:
    await liked(talk)
    assert targets(await collected(talk)) == {"one", "two"}


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("what", ["correction", "report", "down", "worse"])
async def test_an_answer_that_somebody_refused_is_no_target(talk: Talk, what: str, number: int) -> None:
    _, bob, answers = await liked(talk)
    answer = answers[number]
    if what == "correction":
        await talk.rate(bob, "correction", answer, text="corrected")
    elif what == "report":
        await talk.rate(bob, "report", answer)
    elif what == "down":
        await talk.rate(bob, "vote", answer, value="down")
    else:
        await talk.rate(bob, "comparison", answer, other=answers[3], value="b")
    found = await collected(talk)
    assert answer.text not in targets(found)
    assert answers[1 - number].text in targets(found)
    if not (what == "down" and number == 0):  # then the two votes contradict each other
        assert {reason for reasons in found.dropped.values() for reason in reasons} == {REFUSED}


async def test_a_report_counts_without_consent_and_a_correction_does_not(talk: Talk) -> None:
    _, _, (one, two, *_) = await liked(talk)
    eve = await talk.person("eve", agrees=False)
    await talk.rate(eve, "correction", one, text="corrected")
    await talk.rate(eve, "report", two)
    assert targets(await collected(talk)) == {"one"}


async def test_a_void_takes_a_report_back(talk: Talk) -> None:
    _, bob, (one, *_) = await liked(talk)
    await talk.rate(bob, "report", one)
    await talk.rate(bob, "void", one)
    await talk.rate(await talk.person("eve"), "vote", one, value="up")
    assert "one" in targets(await collected(talk))


async def test_the_same_text_generated_again_is_the_same_answer(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    first, again, other = await talk.ask(ada, "q", "Paris.", "Paris. ", "Lyon.")
    elsewhere = await Talk.begin(talk.store, key="elsewhere")
    (same,) = await elsewhere.ask(bob, "q", " Paris.")
    (free,) = await elsewhere.ask(bob, "another q", "Paris.")
    await talk.rate(ada, "report", first)
    for answer in (again, same, free):
        await talk.rate(bob, "vote", answer, value="up")
    await talk.rate(bob, "comparison", same, other=other, value="a")
    found = await collected(talk)
    assert [row.messages[-1]["content"] for row in found.of("labelled")] == ["another q"]  # another prompt
    assert found.of("preference") == []


async def test_a_correction_that_repeats_a_refused_answer_is_no_target(talk: Talk) -> None:
    ada, bob, eve, max_ = [await talk.person(name) for name in ("ada", "bob", "eve", "max")]
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(bob, "vote", one, value="down")
    await talk.rate(ada, "correction", two, text="one ")
    found = await collected(talk)
    assert targets(found) == set()
    assert found.dropped["demonstration"] == {REFUSED: 1}
    for person in (eve, max_):
        await talk.rate(person, "vote", one, value="up")
    assert "one " in targets(await collected(talk))  # most like it after all


async def test_two_corrections_of_one_answer_both_teach(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    (one,) = await talk.ask(ada, "q", "one")
    await talk.rate(ada, "correction", one, text="by ada")
    await talk.rate(bob, "correction", one, text="by bob")
    assert targets(await collected(talk)) == {"by ada", "by bob"}


async def test_between_comparisons_with_several_answers_the_majority_decides(talk: Talk) -> None:
    people = [await talk.person(name) for name in ("ada", "bob", "eve")]
    one, two, three = await talk.ask(people[0], "q", "one", "two", "three")
    await talk.rate(people[0], "comparison", one, other=two, value="a")
    await talk.rate(people[1], "comparison", three, other=one, value="a")
    assert targets(await collected(talk)) == {"three"}
    await talk.rate(people[2], "comparison", one, other=three, value="a")
    assert targets(await collected(talk)) == {"one"}


async def test_a_demonstration_of_a_long_conversation_teaches_its_last_turn_alone(talk: Talk) -> None:
    ada = await talk.person()
    answer = await talk.answer(await talk.say(ada, "q0"), "mistake 0")
    for turn in range(1, 4):
        answer = await talk.answer(await talk.say(ada, f"q{turn}", parent=answer.message), f"mistake {turn}")
    await talk.rate(ada, "correction", answer, text="right")
    (row,) = (await collected(talk)).of("demonstration")
    assert [message["content"] for message in row.data["completion"]] == ["right"]
    assert [m["content"] for m in row.data["prompt"] if m["role"] == "assistant"] == [
        f"mistake {n}" for n in range(3)
    ]


@pytest.mark.played
async def test_a_copy_of_a_liked_answer_goes_when_the_answer_is_refused(talk: Talk) -> None:
    _, bob, (one, *_) = await liked(talk)
    out = [parse_row({**row.data, **row.extra}) for row in (await collected(talk)).of("labelled")]
    await import_rows(talk.store, out)
    assert "one" in targets(await collected(talk))
    await talk.rate(bob, "correction", one, text="corrected")
    assert "one" not in targets(await collected(talk))
    ada = await talk.person("ada", agrees=None)
    await talk.rate(ada, "retraction", one)
    assert "one" not in targets(await collected(talk))
