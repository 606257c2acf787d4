"""What is printed: people's words on a terminal only."""

import io
from collections import Counter
from datetime import UTC, datetime

import pytest

from alignment.influence.asked import Asked
from alignment.influence.learnt import ERASED, OTHERS, Learnt, Owed
from alignment.influence.named import Given
from alignment.influence.telling import excerpts, sentences, tell
from data.console import PlainConsole
from tests.alignment.played import row

ASKED = Asked("Answer 12", [{"role": "user", "content": "secret question asked"}], "secret answer", 3)
AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
FOUND = [
    Given("correction", (17,), AT, row("preference", "first"), 0.4),
    Given("follow-up", (), None, row("labelled", "second"), 0.1),
]


def told(*, terminal: bool) -> str:
    out = io.StringIO()
    console = PlainConsole(file=out, force_terminal=terminal, width=220)
    tell(console, ASKED, Learnt(), Owed(before=-30.0, after=-9.5), FOUND)
    return out.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_words_of_people_are_shown_on_a_terminal_only(*, terminal: bool) -> None:
    said = told(terminal=terminal)
    for part in ("correction", "17", "2026-12-01 09:30", "1.00", "follow-up", "0.25", "-9.5 nats under release 3"):
        assert part in said
    assert ("secret" in said) is terminal
    assert ("shown on a terminal only" in said) is not terminal


def test_what_is_missing_is_said() -> None:
    learnt = Learnt(missing=Counter({ERASED: 2, OTHERS: 1}), notes=["Something else."])
    said = sentences(Asked("Answer 1", [], "x", 3, lessons=1), learnt, Owed(before=-1, after=-2, skipped=1), FOUND)
    text = " ".join(said)
    for part in (
        "does not make it likelier",
        "A lesson stood in its prompt",
        "2 rows that it learnt from are gone: somebody had a text erased",
        "1 row that it learnt from may not be used any more",
        "1 row is left out",
        "Something else.",
    ):
        assert part in text
    (_, nothing) = sentences(ASKED, Learnt(), Owed(before=-2, after=-1), ())
    assert nothing == "None of the rows that are here made it likelier."


def test_an_excerpt_is_the_question_and_what_was_given_for_it() -> None:
    assert excerpts(row("demonstration", "x")) == ("secret question x", "secret good x")
    assert excerpts(row("preference", "x")) == ("secret question x", "secret good x")
    assert excerpts(row("labelled", "word " * 30))[0].endswith("…")
