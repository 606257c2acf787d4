"""What commands print: texts cannot command the terminal, and commands can be pasted."""

import io
import shlex
import sys
from pathlib import Path

import pytest
from rich.table import Table

from data.console import PlainConsole
from data.errors import BadInput, run
from data.pasted import pasted
from data.printing import printable

ATTACK = "\x1b]0;title\x07\x1b[2J\x9b31mred\x1b[0m \u202egnirts\r\b"


def escapes(text: str) -> set[str]:
    return {c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c in "\u202d\u202e"}


def test_line_ends_tabs_and_every_language_stay() -> None:
    kept = "one\n\ttwo · 你好 · مرحبا · 👍🏽"
    assert printable(kept) == kept


@pytest.mark.parametrize("terminal", [True, False])
def test_no_cell_line_or_title_of_a_table_commands_the_terminal(terminal: bool) -> None:
    file = io.StringIO()
    console = PlainConsole(file=file, force_terminal=terminal, color_system=None, width=200)
    table = Table("persona", title=ATTACK)
    table.add_row(ATTACK)
    console.print(table)
    console.print(ATTACK, markup=False)
    assert escapes(file.getvalue()) == set()
    assert "red" in file.getvalue()


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_variable_makes_a_file_a_terminal_where_texts_are_shown(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert not PlainConsole(file=io.StringIO()).is_terminal
    assert PlainConsole(file=io.StringIO(), force_terminal=True).is_terminal


def test_a_sentence_about_bad_input_does_not_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise BadInput(f"rows.jsonl, line 3, field {ATTACK!s}: unknown.")

    with pytest.raises(SystemExit):
        run(main)
    assert escapes(capsys.readouterr().err) == set()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with its virtual environment, without settings."""
    for name in ("PARLEY_HOME", "PARLEY_BASES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    return tmp_path


def test_a_command_names_the_python_of_the_checkout(shell: Path) -> None:
    assert pasted("Run `python -m alignment.round`.") == "Run `.venv/bin/python -m alignment.round`."
    assert pasted("No command here.") == "No command here."


def test_a_command_elsewhere_names_the_whole_path(
    shell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my venv/bin/python3")
    assert shlex.split(pasted("python -m data stats")) == ["/opt/my venv/bin/python3", "-m", "data", "stats"]


def test_a_command_has_the_home_and_the_bases_where_they_are_not_the_usual_ones(
    shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(shell / "our home?"))
    monkeypatch.setenv("PARLEY_BASES", "/srv/bases")
    words = shlex.split(pasted("python -m data stats"))
    assert words[:2] == ["PARLEY_HOME=our home?", "PARLEY_BASES=/srv/bases"]
    monkeypatch.setenv("PARLEY_HOME", str(shell / "var"))
    monkeypatch.setenv("PARLEY_BASES", str(shell / "var" / "bases"))
    assert pasted("python -m data stats") == ".venv/bin/python -m data stats"


def test_the_console_breaks_no_command_into_lines(shell: Path) -> None:
    file = io.StringIO()
    PlainConsole(file=file, width=30).print("  python -m alignment.evaluate --candidate 3 --limit 0")
    assert file.getvalue() == "  .venv/bin/python -m alignment.evaluate --candidate 3 --limit 0\n"
