"""Misspelt settings are told, with the nearest name."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.errors import run
from data.variables import NAMES, PARENT, set_here, unknown

ROOT = Path(__file__).parents[2]


def written() -> Iterator[str]:
    """The whole names of variables in the strings of our code."""
    for path in [*ROOT.glob("data/**/*.py"), *ROOT.glob("alignment/**/*.py"), *ROOT.glob("bot/**/*.py")]:
        source = path.read_text(encoding="utf-8")
        if "PARLEY_" not in source:  # the others need not be parsed
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.findall(r"^PARLEY_[A-Z_]+[A-Z]$", node.value)


def test_every_variable_that_the_code_reads_is_known() -> None:
    assert set(written()) - NAMES == set()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("PARLEY_RETENTON_DAYS", "PARLEY_RETENTION_DAYS"),
        ("PARLEY_TEMP", "PARLEY_TEMPERATURE"),
        ("PARLEY_ENGINE", "PARLEY_ENGINE_URL"),
        ("PARLEY_JUDGE_KEY", "PARLEY_JUDGE_API_KEY"),
        ("DISCORD_TOKN", "DISCORD_TOKEN"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(name: str, near: str) -> None:
    assert unknown([name]) == [f"{name} is not a setting and has no effect. Did you mean {near}?"]


def test_a_name_that_is_near_to_nothing_is_told_too() -> None:
    assert unknown(["PARLEY_XYZZY"]) == [
        "PARLEY_XYZZY is not a setting and has no effect. docs/settings.md lists them."
    ]


def test_known_names_and_those_of_others_are_left_alone() -> None:
    assert unknown([*NAMES, "PATH", "DISCORD_WEBHOOK", "PARLEY_BENCH_PAIRS", "HOME"]) == []


def test_names_are_those_of_the_environment_and_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("PARLEY_PERSON=tutor\n")
    monkeypatch.setenv("PARLEY_LANGUAG", "zh")
    assert {"PARLEY_PERSON", "PARLEY_LANGUAG"} <= set(set_here(file))
    assert set_here(tmp_path / "none")


def test_a_command_tells_it_once_and_its_children_leave_that_to_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARLEY_JUDGE_KEY", "a secret")
    for parent in (None, "1"):
        if parent:
            monkeypatch.setenv(PARENT, parent)
        with pytest.raises(SystemExit):
            run(lambda: 0)
        said = capsys.readouterr().err
        assert ("PARLEY_JUDGE_KEY is not a setting" in said) is (parent is None)
        assert "a secret" not in said
