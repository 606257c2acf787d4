"""What READMEs and docs tell people to type exists: the Makefile's targets, modules, their flags, the settings."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bot.settings import Settings

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
DOCS = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))


def blocks(name: str) -> list[str]:
    """The command lines of a README's shell blocks, continuation lines joined."""
    found = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in found for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def makefile_targets() -> dict[str, str]:
    """The Makefile's documented targets with their help."""
    lines = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return dict(lines)


@pytest.mark.parametrize("readme", READMES)
def test_make_targets_exist(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(blocks(readme)) + "".join(re.findall(r"`[^`\n]*`", text))))
    assert {"demo", "run", "test"} <= named
    assert named <= set(makefile_targets())


@pytest.mark.parametrize("readme", READMES)
def test_make_runs_what_it_says(readme: str) -> None:
    for line in blocks(readme):
        if line.startswith("make "):
            target = shlex.split(line, comments=True)[1]
            result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
            assert result.returncode == 0, result.stderr


def python_commands() -> set[str]:
    """Every `python -m ...` command of the READMEs and docs."""
    return {
        re.sub(r"^\S*python", "python", line)
        for readme in (*READMES, *DOCS)
        for line in blocks(readme)
        if re.match(r"\S*python -m ", line)
    }


@pytest.mark.parametrize("command", sorted(python_commands()))
def test_commands_have_the_flags_that_are_shown(command: str) -> None:
    words = shlex.split(command, comments=True)
    module, arguments = words[2], words[3:]
    subcommand = [word for word in arguments[:1] if not word.startswith("-")] if module == "data" else []
    run = [sys.executable, "-m", module, *subcommand, "--help"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for flag in (word for word in arguments if word.startswith("--")):
        assert re.search(rf"{flag}(?![\w-])", result.stdout), f"{module} does not know {flag}"
    for path in (word for word in arguments if word.startswith(("alignment/", "data/", "deploy/"))):
        assert (ROOT / path).exists(), path


def test_both_readmes_show_the_same_commands() -> None:
    plain = [[" ".join(shlex.split(line, comments=True)) for line in blocks(name)] for name in READMES]
    assert plain[0] == plain[1]


def test_settings_in_the_readme_are_read_somewhere() -> None:
    sources = "".join(p.read_text() for folder in ("alignment", "data") for p in (ROOT / folder).rglob("*.py"))
    read = set(re.findall(r"setting\(\"(PARLEY_[A-Z_]+)\"\)", sources))
    read |= {f"PARLEY_{field.upper()}" for field in Settings.model_fields} | {"DISCORD_TOKEN"}
    for readme in READMES:
        named = set(re.findall(r"`(PARLEY_[A-Z_]+|DISCORD_TOKEN)", (ROOT / readme).read_text(encoding="utf-8")))
        assert len(named) > 8
        assert named <= read, named - read
