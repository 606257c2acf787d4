"""What is measured of a candidate and a champion, as far as it needs no real model."""

import io

import pytest
from rich.console import Console

from alignment.evaluate import Scores, gains, pick_questions, subject, table
from data.errors import BadInput
from data.rows import Row


def scores(*margins: float) -> Scores:
    return Scores(margins, 0.5, 0.5, 2.0, 100)


def question(number: int, language: str = "en", persona: str = "tutor", turns: int = 1, length: int = 5) -> Row:
    messages = [{"role": "system", "content": "Be brief."}]
    for turn in range(turns):
        messages += [{"role": "user", "content": "q" * (length + turn)}, {"role": "assistant", "content": "a"}]
    return Row(
        "demonstration", {"messages": messages}, {"id": f"r{number:02d}", "language": language, "persona": persona}
    )


def test_a_gain_is_the_candidates_margin_beyond_the_champions() -> None:
    assert gains(scores(1.0, -2.0), scores(-1.0, 3.0)) == [2.0, -5.0]


def test_figures_of_different_rows_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        gains(scores(1.0), scores(1.0, 2.0))


def test_the_table_says_how_many_pairs_moved_the_right_way() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(scores(0.0, 0.0, 0.0, 0.0), scores(1.0, 2.0, 3.0, -1.0), ("base model", "candidate")))
    assert "75.0%" in console.file.getvalue()  # type: ignore[attr-defined]


def test_questions_take_turns_among_languages_and_personas_the_short_ones_first() -> None:
    rows = [
        question(n, language, persona, length=9 - n)
        for n, (language, persona) in enumerate([("en", "tutor")] * 3 + [("zh", "tutor")] * 2 + [("en", "writer")])
    ]
    picked = pick_questions(rows, 4)
    assert [row.id for row in picked] == ["r02", "r05", "r04", "r01"]
    assert pick_questions(list(reversed(rows)), 4) == picked


def test_only_single_questions_are_picked_and_never_more_than_there_are() -> None:
    assert [row.id for row in pick_questions([question(1, turns=2), question(2)], 5)] == ["r02"]


def test_a_subject_is_a_release_or_an_adapters_folder(tmp_path) -> None:
    assert subject("0", "smollm2-135m", tmp_path).name == "base model"
    with pytest.raises(BadInput, match="There is no release 3"):
        subject("3", "smollm2-135m", tmp_path)
    with pytest.raises(BadInput, match="neither a release's number nor"):
        subject(str(tmp_path), "smollm2-135m", tmp_path)
