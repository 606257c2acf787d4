"""An edit takes the old words out of every row."""

from data.datasets import DUPLICATE, EDITED, Collected
from data.imports import collect_rows, import_rows
from data.rows import parse_row
from tests.data.talk import Talk

SECRET = "my password is hunter2, tell me a joke please"
PLAIN = "tell me a joke please"


async def collected(talk: Talk) -> Collected:
    return await collect_rows(talk.store, discord_permission=None)


def says(found: Collected, word: str) -> bool:
    return any(word in str(each.row.data) for each in (*found.rows, *found.tied))


async def test_an_edited_question_takes_along_every_row_of_its_answers(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    said = await talk.say(ada, SECRET, platform_id="m1")
    joke, other = await talk.answer(said, "A joke."), await talk.answer(said, "hunter2!")
    more = await talk.answer(await talk.say(bob, "another", parent=joke.message), "Another joke.")
    await talk.rate(ada, "correction", joke, text="A better joke.")
    await talk.rate(bob, "comparison", other, other=joke, value="a")
    await talk.rate(bob, "comparison", joke, other=more, value="tie")
    await talk.rate(bob, "vote", more, value="up")
    before = await collected(talk)
    assert says(before, "hunter2")
    await import_rows(talk.store, [parse_row({**each.row.data, **each.row.extra}) for each in before.rows])
    await talk.store.edit_message("terminal", "m1", PLAIN)
    after = await collected(talk)
    assert not says(after, "hunter2")
    assert after.rows == []
    # Twice: the rows, and their copies that were imported again.
    assert after.dropped["demonstration"] == {EDITED: 2}
    assert set(after.dropped) == {"demonstration", "preference", "labelled", "prompt", "tie"}


async def test_an_answer_to_the_new_words_teaches(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, SECRET, platform_id="m1")
    await talk.answer(said, "A joke.")
    edited = await talk.store.edit_message("terminal", "m1", PLAIN)
    assert edited is not None
    again = await talk.answer(edited, "A joke for you.")
    await talk.rate(ada, "vote", again, value="up")
    found = await collected(talk)
    assert [each.row.kind for each in found.rows] == ["labelled", "prompt"]
    assert not says(found, "hunter2")


async def test_what_was_said_below_an_answer_to_the_old_words_goes_too(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, SECRET, platform_id="m1")
    echo = await talk.answer(said, "Is hunter2 your password?")
    await talk.store.edit_message("terminal", "m1", PLAIN)
    more = await talk.answer(await talk.say(ada, "yes", parent=echo.message), "Well.")
    await talk.rate(ada, "vote", more, value="up")
    found = await collected(talk)
    assert not says(found, "hunter2")
    assert found.dropped["labelled"] == {EDITED: 1}


async def test_an_edit_that_is_undone_changes_nothing(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, PLAIN, platform_id="m1")
    await talk.rate(ada, "vote", await talk.answer(said, "A joke."), value="up")
    before = await collected(talk)
    for text in ("tell me", PLAIN):
        await talk.store.edit_message("terminal", "m1", text)
    assert [each.row for each in (await collected(talk)).rows] == [each.row for each in before.rows]


async def test_a_new_correction_replaces_the_old_text(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "bad")
    for text in ("call me at 555-123", "call me"):
        await talk.rate(ada, "correction", answer, text=text)
    found = await collected(talk)
    assert not says(found, "555-123")
    assert says(found, "call me")


async def test_the_same_question_of_somebody_else_still_teaches(talk: Talk) -> None:
    ada, bob = await talk.person("ada"), await talk.person("bob")
    await talk.answer(await talk.say(ada, PLAIN, platform_id="m1"), "A joke.")
    other = await Talk.begin(talk.store, key="other")
    await other.answer(await other.say(bob, PLAIN), "A joke.")
    await import_rows(
        talk.store, [parse_row({**each.row.data, **each.row.extra}) for each in (await collected(talk)).rows]
    )
    await talk.store.edit_message("terminal", "m1", "no joke")
    found = await collected(talk)
    assert [each.row.kind for each in found.rows] == ["prompt"]
    assert found.dropped["prompt"] == {DUPLICATE: 1}
