"""Where the lessons come from that answers were given."""

import sqlite3
from contextlib import closing

from data.lesson_writers import lesson_sources
from tests.data.talk import Talk


async def test_the_conversations_that_taught_an_answer_come_in_order_and_its_own_is_not_among_them(
    talk: Talk,
) -> None:
    ada = await talk.person()
    talks = [talk, await Talk.begin(talk.store, key="second"), await Talk.begin(talk.store, key="third")]
    for each in talks:
        (answer,) = await each.ask(ada, "When is game night?", "On Monday.")
        await each.rate(ada, "correction", answer, text="On Friday.")
    first, second, third = [lesson.lesson for lesson in await talk.store.lessons.of(ada)]
    given = await talk.answer(await talk.say(ada, "And now?"), lessons=(third, first, second))
    await talk.answer(await talk.say(ada, "And then?"), lessons=(first,))
    with closing(sqlite3.connect(talk.store.database.path)) as connection:
        found = lesson_sources(connection)
    assert found == {given.version: (talks[2].conversation, talks[1].conversation)}
