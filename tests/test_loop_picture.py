"""The README's picture of the loop is drawn from the record of a real run, and says so."""

import json
import sys
from pathlib import Path

import pytest

from tests.screens.loop import COMMAND, CORRECTION, PICTURE, QUESTIONS, RECORD, UNSEEN, main, picture

RUN = json.loads(RECORD.read_text(encoding="utf-8"))


def test_the_committed_picture_is_drawn_from_the_record() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(RUN), f"Run `{COMMAND} --redraw`."
    assert PICTURE.stat().st_size < 200_000


def test_the_record_holds_the_questions_that_the_tool_asks() -> None:
    """When the questions change, the loop must be run again."""
    assert (RUN["before"]["question"], RUN["before"]["release"]) == (QUESTIONS[0], 0)
    assert (RUN["after"]["question"], RUN["after"]["release"]) == (QUESTIONS[0], 1)
    assert (RUN["unseen"]["question"], RUN["unseen"]["release"]) == (UNSEEN, 1)
    assert (RUN["command"], RUN["correction"], RUN["corrections"]) == (COMMAND, CORRECTION, len(QUESTIONS))
    assert UNSEEN not in QUESTIONS


def test_the_picture_says_what_it_was_run_on_and_what_the_gate_decided() -> None:
    drawn = " ".join(part.split("<")[0] for part in picture(RUN).split(">"))
    said = " ".join(drawn.split())
    for text in (RUN["machine"].split(",")[0], RUN["base"], COMMAND, f"the gate: {RUN['status']}"):
        assert text in said
    assert ("alignment.promote 1" in said) is (RUN["status"] != "promoted")


def test_the_picture_is_redrawn_without_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / RECORD.name).write_bytes(RECORD.read_bytes())
    monkeypatch.setattr(sys, "argv", [COMMAND, "--redraw", "--out", str(tmp_path)])
    main()
    assert (tmp_path / PICTURE.name).read_bytes() == PICTURE.read_bytes()
