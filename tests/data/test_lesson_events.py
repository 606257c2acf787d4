"""Which corrections say the same, whoever wrote them and however they typed it."""

import pytest

from data.lessons import OWN, SERVER
from data.store import Store
from tests.data.talk import Talk

ASKED, RIGHT = "Wann ist der Übungsabend?", "Am Freitag um acht, Änderung möglich."


@pytest.mark.parametrize(
    ("asked", "right", "scope"),
    [
        ("WANN  IST\nDER ÜBUNGSABEND? ", "am\u3000FREITAG um acht, ÄNDERUNG MÖGLICH.", SERVER),
        (ASKED, "Am Freitag um neun.", OWN),
        ("Wann ist der Spielabend?", RIGHT, OWN),
    ],
)
async def test_the_same_correction_by_three_others_bears_one_out(
    store: Store, asked: str, right: str, scope: str
) -> None:
    server = await store.server("discord", "7")
    await store.set_may_teach("discord", "7", True)
    talk = await Talk.begin(store, "discord", "11:1", server=server)
    ada = await talk.person("ada")
    people = [(ada, ASKED, RIGHT)]
    people += [(await talk.person(name), asked, right) for name in ("bob", "cem", "eve")]
    for person, question, better in people:
        (answer,) = await talk.ask(person, question, "Am Montag.")
        await talk.rate(person, "correction", answer, text=better, everybody_sees=True)
    assert [lesson.scope for lesson in await store.lessons.of(ada)] == [scope]
