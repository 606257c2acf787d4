"""The review queue shows what the next round would train on, and what is voided there is in no row afterwards."""

import pytest

from data import beside
from data import review_rows as module
from data.candidates import FOLLOWUP, NO_CONSENT
from data.imports import import_rows
from data.review import (
    CAPPED,
    DISPUTED,
    FOLLOWED,
    FULL,
    IMPORTED,
    QUESTION,
    RAISED,
    UNSURE,
    Filters,
    NoSuchPage,
    NoSuchRow,
    Page,
    Queued,
)
from data.review_beside import answers_beside, review_beside
from data.rows import parse_row
from data.store import Store
from data.voiding import void_row
from tests.data.collected import rows
from tests.data.said_after import followed
from tests.data.talk import Talk
from tests.data.test_weighted_rows import community


async def seen(store: Store, page: int = 1, *, permission: str | None = None, **filters: str) -> Page:
    return await review_beside(store.database.path.parent, Filters(**filters), page, discord_permission=permission)


async def behind(store: Store, row: str) -> list[int]:
    return await answers_beside(store.database.path.parent, row, discord_permission=None)


def rated(page: Page) -> list[Queued]:
    return [each for each in page.rows if each.row.kind != "prompt"]


async def void(store: Store, by: int, row: str) -> None:
    await void_row(store, by, row, await behind(store, row), platform="web")


async def test_the_queue_has_the_rows_of_the_real_path_newest_first(store: Store) -> None:
    talk = await Talk.begin(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    first, second = (await talk.ask(ada, "q", "one"))[0], (await talk.ask(ada, "r", "two"))[0]
    await talk.rate(bob, "vote", second, value="up")
    await talk.rate(bob, "vote", first, value="up")
    page = await seen(store)
    assert {each.row.id for each in page.rows} == {each.row.id for each in (await rows(store)).rows}
    assert [each.row.data["completion"][0]["content"] for each in rated(page)] == ["one", "two"]
    assert [each.reasons for each in page.rows if each.row.kind == "prompt"] == [(QUESTION,)] * 2
    assert {each.reasons for each in rated(page)} == {(FULL,)}


async def test_rows_that_judge_and_do_not_train_are_not_in_the_queue(store: Store) -> None:
    for number in range(30):
        talk = await Talk.begin(store, key=str(number))
        ada = await talk.person("ada")
        await talk.rate(ada, "vote", (await talk.ask(ada, f"q{number}", "one"))[0], value="up")
    found = (await rows(store)).rows  # draws the folds
    trains = {each.row.id for each in found if each.fold == "train"}
    assert 0 < len(trains) < len(found)
    queued = await seen(store)
    assert {each.row.id for each in queued.rows} == trains
    assert all(each.decided for each in queued.rows)


async def test_what_is_voided_makes_no_row_of_ratings_even_if_the_same_was_said_twice(store: Store) -> None:
    talk = await Talk.begin(store)
    other = await Talk.begin(store, key="second")
    ada, bob, max_ = [await talk.person(name) for name in ("ada", "bob", "max")]
    for each, rater in ((talk, ada), (other, bob)):
        (answer,) = await each.ask(ada, "q", "one")
        await each.rate(rater, "vote", answer, value="up")
        await each.rate(rater, "correction", answer, text="better")
    (kept,) = await talk.ask(ada, "r", "two")
    await talk.rate(bob, "vote", kept, value="up")
    wrong = next(each.row.id for each in (await seen(store)).rows if each.row.kind == "demonstration")
    await void(store, max_, wrong)
    left = [each.row for each in (await rows(store)).rows if each.row.kind != "prompt"]
    assert [row.data["completion"][0]["content"] for row in left] == ["two"]
    assert [each.row.id for each in rated(await seen(store))] == [row.id for row in left]
    with pytest.raises(NoSuchRow):
        await behind(store, wrong)


async def test_people_without_consent_and_erased_people_are_not_shown(store: Store) -> None:
    talk = await Talk.begin(store)
    ada, bob, eve = await talk.person("ada"), await talk.person("bob"), await talk.person("eve", agrees=False)
    one, two = await talk.ask(ada, "q", "one", "two")
    await talk.rate(bob, "vote", one, value="up")
    await talk.rate(eve, "vote", two, value="up")
    assert [len(each.raters) for each in rated(await seen(store))] == [1]
    await store.eraser.forget(bob)
    assert rated(await seen(store)) == []
    await store.set_consent(ada, False)
    assert (await seen(store)).rows == ()


async def test_filters_leave_the_rows_of_a_person_word_kind_and_reason(store: Store) -> None:
    talk = await Talk.begin(store)
    ada, bob, max_ = [await talk.person(name) for name in ("ada", "bob", "max")]
    (one,), (two,) = await talk.ask(ada, "Straße?", "one"), await talk.ask(ada, "r", "two")
    await talk.rate(ada, "vote", one, value="up")
    for rater, value in ((ada, "up"), (bob, "up"), (max_, "down")):
        await talk.rate(rater, "vote", two, value=value)
    everything = rated(await seen(store))
    assert [DISPUTED in each.reasons for each in everything] == [True, False]
    disputed, plain = everything
    assert [each.row.id for each in rated(await seen(store, reason=DISPUTED))] == [disputed.row.id]
    assert [each.row.id for each in rated(await seen(store, word="STRASSE"))] == [plain.row.id]
    assert (await seen(store, word="helpful")).rows == ()  # the persona's text is in all rows
    assert {each.row.kind for each in (await seen(store, kind="prompt")).rows} == {"prompt"}
    name = next(name for name, _ in disputed.raters if name not in dict(plain.raters))
    assert [each.row.id for each in (await seen(store, rater=name)).rows] == [disputed.row.id]
    assert (await seen(store, rater="ada")).rows == ()  # a name on the platform is no pseudonym


async def test_an_imported_row_is_shown_and_cannot_be_voided(store: Store) -> None:
    said = {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]}
    await import_rows(store, [parse_row(said, None, 1)])
    (each,) = [each for each in (await seen(store)).rows if each.row.kind == "demonstration"]
    assert (each.reasons, each.voidable, each.at.year > 2000) == ((IMPORTED,), False, True)
    with pytest.raises(NoSuchRow):
        await behind(store, each.row.id)


async def test_pages_hold_some_rows_each_and_there_is_none_beyond_the_last(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    talk = await Talk.begin(store)
    ada = await talk.person()
    for number in range(3):
        await talk.ask(ada, f"q{number}", "one")
    first, last = (await seen(store)), (await seen(store, 2))
    assert ([len(each.rows) for each in (first, last)], first.pages, first.total) == ([2, 1], 2, 3)
    assert len({each.row.id for page in (first, last) for each in page.rows}) == 3
    for beyond in (0, 3, 10**30):
        with pytest.raises(NoSuchPage):
            await seen(store, beyond)


async def test_a_large_home_is_read_in_a_process_that_finds_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await Talk.begin(store)
    (answer,) = await talk.ask(await talk.person("ada"), "q", "one")
    await talk.rate(await talk.person("bob"), "correction", answer, text="two")
    here = await seen(store, word="two")
    (row,) = [each.row.id for each in here.rows if each.row.kind == "preference"]
    answers = await behind(store, row)
    monkeypatch.setattr(beside, "SMALL", 0)
    assert await seen(store, word="two") == here
    assert await behind(store, row) == answers == [answer.generation]
    with pytest.raises(NoSuchPage, match="the last one is 1"):
        await seen(store, 2)
    with pytest.raises(NoSuchRow):
        await behind(store, "no row")


async def test_looking_draws_no_folds(store: Store) -> None:
    talk = await Talk.begin(store)
    ada = await talk.person()
    await talk.ask(ada, "q", "one")
    assert [each.decided for each in (await seen(store)).rows] == [False]
    assert [each.decided for each in (await seen(store)).rows] == [False]


async def test_a_row_of_somebody_who_rated_much_says_that_their_share_is_limited(store: Store) -> None:
    talk = await Talk.begin(store)
    ada, bob = await talk.person("ada"), await talk.person("bob")
    for number in range(9):
        (answer,) = await talk.ask(ada, f"q{number}", "one")
        await talk.rate(ada if number else bob, "vote", answer, value="up")
    *many, single = rated(await seen(store))
    assert all(CAPPED in each.reasons and each.weight < each.before == 1.0 for each in many)
    assert CAPPED not in single.reasons
    assert RAISED in single.reasons
    assert single.weight > single.before


@pytest.mark.usefixtures("followups_teach")
async def test_rows_of_people_who_count_less_and_of_what_they_said_next_say_so(store: Store) -> None:
    await community(store, items=20)
    talk = await Talk.begin(store, key="another")
    await followed(talk, await talk.person("ada"), "Thanks, that is perfect!")
    unsure, next_said = await seen(store, reason=UNSURE), await seen(store, reason=FOLLOWED)
    assert unsure.rows
    assert all(any(weight < 1 for _, weight in each.raters) for each in unsure.rows)
    assert [each.row.extra["source"] for each in next_said.rows] == [FOLLOWUP]
    await void(store, await talk.person("operator"), next_said.rows[0].row.id)
    assert (await seen(store, reason=FOLLOWED)).rows == ()


async def test_what_cannot_be_used_is_counted_with_its_reason(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = await Talk.begin(store)
    (answer,) = await talk.ask(await talk.person("ada", agrees=None), "q", "one")
    await talk.rate(await talk.person("bob"), "correction", answer, text="two")
    found = await seen(store)
    assert found.rows == ()
    assert ("demonstration", NO_CONSENT, 1) in found.left_out
    monkeypatch.setattr(beside, "SMALL", 0)
    assert await seen(store) == found


async def test_a_question_alone_cannot_be_voided(store: Store) -> None:
    talk = await Talk.begin(store)
    (answer,) = await talk.ask(await talk.person("ada"), "q", "one")
    await talk.rate(await talk.person("bob"), "vote", answer, value="up")
    for each in (await seen(store)).rows:
        assert each.voidable is (each.row.kind != "prompt")
        if each.row.kind == "prompt":
            with pytest.raises(NoSuchRow):
                await behind(store, each.row.id)
