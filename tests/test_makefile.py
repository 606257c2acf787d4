"""What `make` would do: who installs what, and that every target can be made."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = "'.[bot,train,dev]'"


def would_run(target: str) -> str:
    """The commands of a target in a fresh checkout; none of them runs."""
    command = ["make", "--dry-run", "--always-make", target]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("target", ["setup", "demo", "run"])
def test_people_who_only_use_parley_install_no_development_tools(target: str) -> None:
    commands = would_run(target)
    assert "-e '.[bot,train]'" in commands
    assert TOOLS not in commands
    assert [f"Set-up {number} of 3" in commands for number in (1, 2, 3)] == [True] * 3


@pytest.mark.parametrize("target", ["tools", "test-unit", "test", "test-all", "lint", "types"])
def test_tests_and_checks_install_them_first(target: str) -> None:
    commands = would_run(target)
    assert TOOLS in commands
    for tool in ("-m pytest", "ruff check", "bin/mypy"):
        assert tool not in commands or commands.index(TOOLS) < commands.index(tool)
