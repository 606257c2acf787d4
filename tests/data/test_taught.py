"""What people taught a release, counted from the rows that trained it."""

from typing import Any

import pytest

from data.candidates import FOLLOWUP
from data.row import Row
from data.taught import Taught, in_words, taught


def said(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def row(kind: str, answer: str, **extra: Any) -> Row:
    prompt = {"prompt": said("user", "a question")}
    parts: dict[str, Any] = {
        "demonstration": {"completion": said("assistant", answer)},
        "preference": {"chosen": said("assistant", answer), "rejected": said("assistant", "other")},
        "labelled": {"completion": said("assistant", answer), "label": True},
        "prompt": {},
    }[kind]
    return Row(kind, prompt | parts, {"source": "feedback", "persona": "tutor", **extra})


def test_a_correction_counts_once_although_it_makes_two_rows() -> None:
    correction = row("demonstration", "right")
    rows = [correction, row("preference", "right"), row("preference", "better"), row("labelled", "nice")]
    assert taught(rows, [correction]) == Taught(corrections=1, comparisons=1, thumbs=1, personas={"tutor": 4})
    # Without its demonstration among the rows (`--skip_sft`) it is known by the snapshot.
    assert taught(rows[1:], [correction]).corrections == 1
    assert taught(rows[1:]).comparisons == 2


def test_imported_rows_are_told_apart_and_prompts_and_secrets_do_not_count() -> None:
    rows = [
        row("demonstration", "one", source="faq", persona=None),
        row("preference", "two", source=None),
        row("demonstration", "secret", source="canary"),
        row("prompt", "three"),
    ]
    assert taught(rows) == Taught(imported=2, personas={"tutor": 1})
    assert not taught(rows[2:]).any


def test_follow_up_messages_are_neither_thumbs_nor_imports() -> None:
    assert taught([row("labelled", "nice", source=FOLLOWUP)]) == Taught(followups=1, personas={"tutor": 1})
    assert taught([row("preference", "nice", source=FOLLOWUP)]) == Taught(mended=1, personas={"tutor": 1})
    assert Taught(mended=1).any


def test_whole_conversations_are_counted_too() -> None:
    whole = Row("demonstration", {"messages": [*said("user", "a"), *said("assistant", "b")]}, {"source": "feedback"})
    assert taught([whole, whole]).corrections == 1


@pytest.mark.parametrize(
    ("found", "people", "sentence"),
    [
        (Taught(corrections=61, thumbs=1), 23, "It learnt from 23 people: 61 corrections, 1 thumb."),
        (Taught(comparisons=1), 1, "It learnt from 1 person: 1 comparison."),
        (Taught(thumbs=9, followups=40), 5, "It learnt from 5 people: 9 thumbs, 40 follow-up messages."),
        (Taught(followups=1, mended=2), 1, "It learnt from 1 person: 1 follow-up message, 2 mended complaints."),
        (Taught(imported=96), 0, "It learnt from 96 imported rows."),
    ],
)
def test_the_sentence_is_plain(found: Taught, people: int, sentence: str) -> None:
    assert in_words(found, people) == sentence
