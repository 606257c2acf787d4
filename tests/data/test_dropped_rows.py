"""A row leaves the store only when everybody in it agreed and the platform allows it."""

from typing import Any

import pytest

from data import datasets
from data.imports import import_rows
from data.rows import parse_row
from data.store import Store
from tests.data.collected import data, dropped, model, prompt, rows
from tests.data.talk import Talk


async def scene(store: Store, *, asks: bool | None = True, rates: bool | None = True, **more: Any) -> Talk:
    """One person asks, three answers come, and another person rates them in every way."""
    talk = await Talk.begin(store)
    ada, bob = await talk.person("ada", agrees=asks), await talk.person("bob", agrees=rates)
    said = await talk.say(more.pop("author", ada), "q")
    one, two, three = [await talk.answer(said, text, **more) for text in ("one", "two", "three")]
    await talk.rate(bob, "correction", one, text="better")
    await talk.rate(bob, "comparison", one, other=two, value="b")
    await talk.rate(bob, "vote", three, value="up")
    return talk


ALL = {"demonstration": 1, "preference": 2, "labelled": 1, "prompt": 1}
RATED = {"demonstration": 1, "preference": 2, "labelled": 1}


def every(reason: str, counts: dict[str, int]) -> dict[str, dict[str, int]]:
    return {kind: {reason: count} for kind, count in sorted(counts.items())}


async def test_the_scene_gives_rows_when_all_agree(store: Store) -> None:
    await scene(store)
    found = await rows(store)
    assert {kind: len(found.of(kind)) for kind in ALL} == ALL
    assert dropped(found) == {}


@pytest.mark.parametrize("answer", [None, False])
async def test_without_the_consent_of_the_person_who_asked_nothing_leaves(store: Store, answer: bool | None) -> None:
    await scene(store, asks=answer)
    found = await rows(store)
    assert found.rows == []
    assert dropped(found) == every(datasets.NO_CONSENT, ALL)


async def test_an_unknown_author_counts_as_refusing(store: Store) -> None:
    await scene(store, author=None)
    assert dropped(await rows(store)) == every(datasets.NO_CONSENT, ALL)


@pytest.mark.parametrize("answer", [None, False])
async def test_without_the_raters_consent_no_rating_leaves(store: Store, answer: bool | None) -> None:
    await scene(store, rates=answer)
    found = await rows(store)
    assert [row.row.kind for row in found.rows] == ["prompt"]
    assert dropped(found) == every(datasets.NO_CONSENT, RATED)


@pytest.mark.played
async def test_withdrawal_covers_everything_and_a_new_yes_only_what_follows(store: Store) -> None:
    talk = await scene(store)
    ada = await store.person("terminal", "ada")
    assert (await rows(store)).rows
    await store.set_consent(ada, False)
    assert (await rows(store)).rows == []
    await store.set_consent(ada, True)
    assert (await rows(store)).rows == []
    (answer,) = await talk.ask(ada, "new", "fine")
    await talk.rate(ada, "vote", answer, value="up")
    assert sorted(row.row.kind for row in (await rows(store)).rows) == ["labelled", "prompt"]


async def test_consent_given_after_the_rating_does_not_reach_back(store: Store) -> None:
    await scene(store, rates=None)
    await store.set_consent(await store.person("terminal", "bob"), True)
    assert dropped(await rows(store)) == every(datasets.NO_CONSENT, RATED)


async def test_another_author_in_the_context_must_agree_too(talk: Talk) -> None:
    ada, eve = await talk.person("ada"), await talk.person("eve", agrees=False)
    said = await talk.say(eve, "I am eve")
    first = await talk.answer(said, "hello")
    more = await talk.say(ada, "and I am ada", parent=first.message)
    answer = await talk.answer(more, "hi")
    await talk.rate(ada, "vote", answer, value="up")
    assert dropped(await rows(talk.store)) == {
        "labelled": {datasets.NO_CONSENT: 1},
        "prompt": {datasets.NO_CONSENT: 2},
    }


async def test_votes_without_consent_neither_count_nor_name_their_rater(talk: Talk) -> None:
    ada, bob, eve = (
        await talk.person("ada"),
        await talk.person("bob", agrees=False),
        await talk.person("eve", agrees=None),
    )
    (answer,) = await talk.ask(ada, "q", "one")
    await talk.rate(ada, "vote", answer, value="up")
    for person in (bob, eve):
        await talk.rate(person, "vote", answer, value="down")
    found = await rows(talk.store)
    assert [row["label"] for row in data(found, "labelled")] == [True]
    (row,) = [row for row in found.rows if row.row.kind == "labelled"]
    assert len(row.raters) == 1


@pytest.mark.parametrize("finish", ["length", "stopped", "error"])
async def test_an_unfinished_answer_is_not_judged_but_its_correction_teaches(store: Store, finish: str) -> None:
    await scene(store, finish=finish)
    found = await rows(store)
    assert sorted(row.row.kind for row in found.rows) == ["demonstration", "prompt"]
    assert dropped(found) == every(datasets.UNFINISHED, {"preference": 2, "labelled": 1})


async def test_an_empty_answer_is_not_judged(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "  ")
    await talk.rate(ada, "vote", answer, value="down")
    assert dropped(await rows(talk.store)) == {"labelled": {datasets.UNFINISHED: 1}}


async def test_answers_with_the_same_text_do_not_form_a_pair(talk: Talk) -> None:
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "same", "same")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    await talk.rate(ada, "correction", one, text="same")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "vote", two, value="down")
    found = await rows(talk.store)
    # The correction repeats an answer that was voted down in the end.
    assert dropped(found) == {"demonstration": {datasets.REFUSED: 1}, "preference": {datasets.SAME_TEXT: 2}}
    # Votes on the same text are votes on one answer, and each rater's newest vote counts.
    assert data(found, "labelled") == [{"prompt": prompt("q"), "completion": [model("same")], "label": False}]


async def test_ratings_of_the_same_text_generated_twice_are_counted_together(talk: Talk) -> None:
    people = [await talk.person(f"p{number}") for number in range(5)]
    asked = await talk.say(people[0], "Capital of France?")
    paris, again, lyon = [await talk.answer(asked, text) for text in ("Paris.", "Paris. ", "Lyon.")]
    for person, answer in zip(people[:4], (paris, again, paris, again), strict=True):
        await talk.rate(person, "vote", answer, value="up")
    await talk.rate(people[4], "vote", again, value="down")
    found = await rows(talk.store)
    (row,) = found.of("labelled")
    assert (row.data["label"], row.extra["weight"]) == (True, pytest.approx(3 / 5))
    await talk.rate(people[0], "comparison", paris, other=lyon, value="a")
    await talk.rate(people[1], "comparison", lyon, other=again, value="b")
    await talk.rate(people[2], "comparison", again, other=lyon, value="b")
    await talk.rate(people[3], "comparison", lyon, other=again, value="tie")
    await talk.rate(people[4], "comparison", again, other=lyon, value="tie")
    (pair,) = (await rows(talk.store)).of("preference")
    assert pair.data["chosen"] == [model("Paris.")]
    assert pair.extra["weight"] == pytest.approx(1 / 5)  # two for it, one against, two undecided


async def test_an_export_that_comes_back_is_not_trained_on_after_the_people_in_it_said_no(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "bad")
    await talk.rate(ada, "correction", answer, text="good")
    out = [parse_row({**row.data, **row.extra}) for row in (await rows(talk.store)).of("demonstration")]
    await import_rows(talk.store, out)
    found = await rows(talk.store)
    assert len(found.of("demonstration")) == 1
    assert found.panel.raters == (await rows(talk.store)).panel.raters
    assert [row.raters for row in found.rows if row.row.kind == "demonstration"] != [
        ()
    ]  # the row from feedback stays
    await talk.store.set_consent(ada, False)
    found = await rows(talk.store)
    assert found.of("demonstration") == []
    assert dropped(found)["demonstration"] == {datasets.NO_CONSENT: 2}


async def test_the_same_row_counts_once(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    one, two = await talk.ask(ada, "q", "one", "two")
    for person in (ada, bob):
        await talk.rate(person, "comparison", one, other=two, value="a")
    found = await rows(talk.store)
    assert len(found.of("preference")) == 1
    assert dropped(found) == {"preference": {datasets.DUPLICATE: 1}}


async def test_what_was_erased_makes_no_row(store: Store) -> None:
    talk = await scene(store)
    (question,) = [message for message in await store.path(1) if message.role == "user"]
    await store.set_platform_id(question.message, "q")
    assert await store.eraser.erase_message(talk.platform, "q")
    found = await rows(store)
    assert found.rows == []
    assert dropped(found) == every(datasets.ERASED, ALL)


async def test_a_prompt_leaves_when_one_of_those_who_asked_it_agrees(store: Store) -> None:
    for name, agrees in (("eve", False), ("ada", True), ("bob", None)):
        talk = await Talk.begin(store, key=name)
        await talk.ask(await talk.person(name, agrees=agrees), "what everybody asks", "x")
    found = await rows(store)
    assert data(found, "prompt") == [{"prompt": prompt("what everybody asks")}]


# -- rule 21 of Discord's Developer Policy ---------------------------------------------------------------------------


async def test_nothing_leaves_that_came_through_discord_without_permission(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "channel")
    ada = await talk.person()
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(ada, "vote", one, value="up")
    await talk.rate(ada, "comparison", one, other=two, value="a")
    # Written at the terminal, but about an answer from Discord.
    await talk.rate(ada, "correction", two, text="better", platform="terminal")
    found = await rows(store)
    assert found.rows == []
    assert dropped(found) == every(datasets.NO_PERMISSION, ALL)
    assert len((await rows(store, "permission-1")).rows) == 5
    assert (await rows(store, "")).rows == []


async def test_words_written_in_discord_about_another_platforms_answer_stay_too(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "one")
    await talk.rate(ada, "correction", answer, text="written in Discord", platform="discord")
    found = await rows(talk.store)
    assert data(found, "demonstration") == data(found, "preference") == []
    assert len(data(found, "prompt")) == 1
    assert dropped(found) == every(datasets.NO_PERMISSION, {"demonstration": 1, "preference": 1})


@pytest.mark.parametrize("discord_is", ["up", "down"])
async def test_a_pair_with_an_answer_from_discord_stays(store: Store, discord_is: str) -> None:
    for platform in ("terminal", "discord"):
        talk = await Talk.begin(store, platform)
        ada = await talk.person()
        (answer,) = await talk.ask(ada, "the same question", f"from {platform}")
        value = discord_is if platform == "discord" else {"up": "down", "down": "up"}[discord_is]
        await talk.rate(ada, "vote", answer, value=value)
    assert data(await rows(store), "preference") == []
    assert len(data(await rows(store, "yes"), "preference")) == 1


async def test_nothing_of_a_server_leaves_while_its_manager_lets_nobody_teach(store: Store) -> None:
    await store.set_may_teach("discord", "1", True)
    talk = await Talk.begin(store, "discord", server=await store.server("discord", "1"))
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "bad")
    await talk.rate(ada, "correction", answer, text="good")
    assert len((await rows(store, "permission-1")).rows) == 3
    await store.set_may_teach("discord", "1", False)
    found = await rows(store, "permission-1")
    assert found.rows == []
    kinds = {"demonstration": 1, "preference": 1, "prompt": 1}
    assert dropped(found) == {kind: {datasets.NOT_HERE: count} for kind, count in kinds.items()}
