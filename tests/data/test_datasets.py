"""Feedback becomes rows, and a row leaves the store only when everybody in it agreed."""

from typing import Any

import pytest

from data import datasets
from data.datasets import Collected
from data.home import installation_key
from data.imports import collect_rows, import_rows
from data.personas import persona
from data.rows import parse_row
from data.store import Store
from tests.data.talk import SYSTEM, Talk

HEAD = {"role": "system", "content": SYSTEM}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def model(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def prompt(text: str) -> list[dict[str, str]]:
    return [HEAD, user(text)]


async def rows(store: Store, permission: str | None = None) -> Collected:
    return await collect_rows(store, discord_permission=permission)


def data(collected: Collected, kind: str) -> list[dict[str, Any]]:
    return [row.data for row in collected.of(kind)]


def dropped(collected: Collected) -> dict[str, dict[str, int]]:
    return collected.dropped_counts()


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


# -- why a row does not leave --------------------------------------------------------------------------------------


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


async def test_a_row_that_says_no_is_shown_to_no_outside_judge(store: Store) -> None:
    told = [{"prompt": [user(f"{n} " * 9)], **({} if n % 2 else {"outside_judge": False})} for n in range(200)]
    await import_rows(store, [parse_row(row) for row in told])
    found = (await rows(store)).of("prompt", "gate")
    assert {row.extra.get("outside_judge") for row in found} == {True, None}
    shown = [row for row in found if row.extra.get("outside_judge")]
    assert all(int(row.messages[0]["content"].split()[0]) % 2 for row in shown)


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
    assert await store.erase_message(talk.platform, "q")
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


@pytest.mark.parametrize("platform", ["discord", "Discord", " DISCORD "])
async def test_imported_rows_from_discord_need_the_permission(store: Store, platform: str) -> None:
    row = {"messages": [user("q"), model("a")], "platform": platform, "consent": True}
    await import_rows(store, [parse_row(row)])
    assert dropped(await rows(store)) == {"demonstration": {datasets.NO_PERMISSION: 1}}
    assert len((await rows(store, "yes")).rows) == 1


# -- imported rows and the rest --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "leaves"),
    [
        ({}, True),
        ({"consent": True}, True),
        ({"consent": False}, False),
        ({"consent": None}, False),
        ({"platform": "terminal", "consent": True}, True),
        ({"platform": "terminal"}, False),  # somebody said it, and nothing says that they agreed
    ],
)
async def test_imported_rows_say_whether_they_may_train(store: Store, extra: dict[str, Any], leaves: bool) -> None:
    await import_rows(store, [parse_row({"messages": [user("q"), model("a")], **extra})])
    found = await rows(store)
    assert len(found.rows) == leaves
    assert dropped(found) == ({} if leaves else {"demonstration": {datasets.NO_CONSENT: 1}})


@pytest.mark.parametrize("language", ["en", "zh", None])
async def test_the_personas_system_prompt_stands_before_an_imported_row(store: Store, language: str | None) -> None:
    extra = {"persona": "writer", **({"language": language} if language else {})}
    first = {"messages": [user("q"), model("a")], **extra}
    own = {"messages": [HEAD, user("q"), model("a")], **extra}
    await import_rows(store, [parse_row(first), parse_row(own), parse_row({**first, "persona": "pirate", "id": "p"})])
    found = {tuple(m["content"] for m in row["messages"]) for row in data(await rows(store), "demonstration")}
    system = persona("writer", language or "en").system_prompt
    assert found == {(system, "q", "a"), (SYSTEM, "q", "a"), ("q", "a")}


async def test_imported_rows_keep_their_extra_keys(store: Store) -> None:
    row = {"prompt": [user("q")], "completion": [model("a")], "label": False, "id": "mine", "persona": "pirate"}
    more = {"language": "en", "source": "somewhere", "weight": 0.5, "platform": "terminal", "consent": True}
    await import_rows(store, [parse_row({**row, **more})])
    (found,) = (await rows(store)).of("labelled")
    assert {**found.data, **found.extra} == {**row, **more}


async def test_rows_of_two_kinds_may_have_the_same_id(store: Store) -> None:
    both = [{"messages": [user("q"), model("a")], "id": "1"}, {"prompt": [user("q")], "id": "1"}]
    result = await import_rows(store, [parse_row(row) for row in both])
    assert (result.new.total(), result.known) == (2, 0)
    assert [row.row.id for row in (await rows(store)).rows] == ["1", "1"]
    again = await import_rows(store, [parse_row(row) for row in both])
    assert (again.new.total(), again.known) == (0, 2)


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
        }
        assert all(rater.startswith("person-") for rater in row.raters)
        assert bool(row.raters) is (row.row.kind != "prompt")
    again = await rows(talk.store)
    assert [(row.row, row.fold) for row in again.rows] == [(row.row, row.fold) for row in found.rows]
    assert found.of("labelled", found.rows[0].fold) == found.of("labelled")
    assert found.of("labelled", "no such fold") == []
    assert len(installation_key(house)) == 32


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
