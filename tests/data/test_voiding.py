"""All ratings of a row's answers are voided together, with the lessons that they made, or none of them is."""

import pytest
from sqlalchemy import select

from data import lesson_events, schema
from data.lessons import OWN, SERVER
from data.store import Store
from data.voiding import void_row
from tests.data.talk import Talk
from tests.data.taught import CONFIRMED, VOTED, confirmed, corrected, on_discord, scopes


async def twice_corrected(talk: Talk) -> tuple[int, list[int]]:
    ada = await talk.person("ada", agrees=True)
    answers = await talk.ask(ada, "Who painted the Mona Lisa?", "Nobody.", "Somebody.")
    for answer in answers:
        await talk.rate(ada, "correction", answer, text="Leonardo.")
    return ada, [each.generation for each in answers]


async def test_a_lesson_goes_with_the_correction_that_made_it(talk: Talk) -> None:
    ada, answers = await twice_corrected(talk)
    assert await talk.store.lessons.like("Who painted the Mona Lisa?", talk.conversation, ada)
    await void_row(talk.store, ada, "row", answers, platform="web")
    assert not await talk.store.lessons.like("Who painted the Mona Lisa?", talk.conversation, ada)


@pytest.mark.parametrize("how", CONFIRMED)
async def test_what_is_void_bears_no_lesson_out(store: Store, how: str) -> None:
    talk = await on_discord(store)
    ada = await talk.person("ada")
    await corrected(talk, ada)
    rated = await confirmed(talk, ada, how)
    await void_row(store, ada, "row", [rated.generation], platform="web")
    assert await scopes(store, ada) == [OWN]
    if how == VOTED:  # what is said later counts again
        for number in range(3):
            await talk.rate(await talk.person(f"friend {number}"), "vote", rated, value="up")
        assert await scopes(store, ada) == [SERVER]


async def test_a_break_in_the_middle_voids_nothing_and_tells_nothing(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, answers = await twice_corrected(talk)
    follow, left = lesson_events.follow, [True]

    async def breaks(*given: object) -> None:
        if not left:
            raise OSError
        left.pop()
        await follow(*given)  # type: ignore[arg-type]  # whatever it is given

    monkeypatch.setattr(lesson_events, "follow", breaks)
    with pytest.raises(OSError):  # noqa: PT011 - the one above
        await void_row(talk.store, ada, "row", answers, platform="web")
    async with talk.store.database.read() as session:
        assert "void" not in (await session.scalars(select(schema.Rating.kind))).all()
        assert (await session.scalars(select(schema.AuditRow))).all() == []
