"""The process of a round that a watch started."""

from pathlib import Path

import pytest

from alignment.watching.child import Round

LOOKS = "from data.console import PlainConsole; print(PlainConsole().is_terminal)"


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_variable_makes_its_log_a_terminal_where_stages_show_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    log = tmp_path / "logs" / "round.log"
    child = Round((), log, program=("-c", LOOKS))
    child._process.wait(60)
    assert (child.poll(), log.read_text()) == (0, "False\n")
