"""What the READMEs and the docs name exists: commands, flags, settings, links, pictures and files."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from bot.settings import Settings

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
DOCS = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))
PAGES = (*READMES, *DOCS, "CONTRIBUTING.md", "SECURITY.md")
LONGEST = 150  # lines of a README
# Rooms of the tree; what begins with one of them, between backticks, is a file or a folder.
ROOMS = ("alignment/", "bot/", "data/", "deploy/", "docs/", "tests/", ".ci/", ".github/")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    """The command lines of a page's shell blocks, continuation lines joined."""
    found = re.findall(r"```sh\n(.*?)```", text_of(page), re.DOTALL)
    return [line for block in found for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def makefile_targets() -> dict[str, str]:
    """The Makefile's documented targets with their help."""
    lines = re.findall(r"^([a-z-]+):.*?## (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return dict(lines)


def in_backticks(page: str) -> list[str]:
    """What a page shows between backticks, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL))


# -- commands


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join([*blocks(page), *in_backticks(page)])))
    assert named <= set(makefile_targets()), named - set(makefile_targets())


@pytest.mark.parametrize("readme", READMES)
def test_the_readme_shows_the_demo_and_the_bot(readme: str) -> None:
    shown = [" ".join(line.split()[:2]) for line in blocks(readme)]
    assert shown == ["git clone", "cd parley", "make demo", "make run"]


@pytest.mark.parametrize("readme", READMES)
def test_make_runs_what_it_says(readme: str) -> None:
    for line in blocks(readme):
        if line.startswith("make "):
            target = shlex.split(line, comments=True)[1]
            result = subprocess.run(
                ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
            )
            assert result.returncode == 0, result.stderr


def python_commands() -> set[str]:
    """Every `python -m ...` command of the pages."""
    return {
        re.sub(r"^\S*python", "python", line)
        for page in PAGES
        for line in blocks(page)
        if re.match(r"\S*python -m ", line)
    }


@cache
def help_of(*words: str) -> str:
    """What a command's `--help` says; the pages show some commands many times."""
    run = [sys.executable, "-m", *words, "--help"]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.process
@pytest.mark.parametrize("command", sorted(python_commands()))
def test_commands_have_the_flags_that_are_shown(command: str) -> None:
    words = shlex.split(command, comments=True)
    module, arguments = words[2], words[3:]
    grouped = module in ("data", "alignment.bases")
    depth = 2 if arguments[:1] in (["lessons"], ["keys"]) else 1
    subcommand = [word for word in arguments[:depth] if grouped and not word.startswith("-")]
    said = help_of(module, *subcommand)
    for flag in (word for word in arguments if word.startswith("--")):
        assert re.search(rf"{flag}(?![\w-])", said) or flag in unlisted(module), f"{module}: {flag}?"
    for path in (word for word in arguments if word.startswith(("alignment/", "data/", "deploy/"))):
        assert (ROOT / path).exists(), path


def unlisted(module: str) -> set[str]:
    """Flags of a stage that its help does not list one by one: it names Parley's and those of its recipe."""
    stage = module.removeprefix("alignment.")
    return {"--allow_download"} if (ROOT / "alignment" / "recipes" / f"{stage}.yaml").exists() else set()


def test_modules_that_a_page_names_exist() -> None:
    for page in PAGES:
        for module in re.findall(r"python -m ([\w.]*\w)", text_of(page)):
            at = ROOT / module.replace(".", "/")
            assert at.with_suffix(".py").is_file() or (at / "__main__.py").is_file(), f"{page}: {module}"


def test_both_readmes_show_the_same_commands_and_are_short() -> None:
    plain = [
        [line.partition("#")[0].split() for line in blocks(name) if not line.startswith("git ")] for name in READMES
    ]
    assert plain[0] == plain[1]
    for readme in READMES:
        assert len(text_of(readme).splitlines()) <= LONGEST, readme


# -- settings


@cache
def settings_read() -> set[str]:
    """Every setting that some part of Parley reads."""
    sources = "".join(p.read_text() for folder in ("alignment", "data") for p in (ROOT / folder).rglob("*.py"))
    read = set(re.findall(r"setting\(\"(PARLEY_[A-Z_]+)\"\)", sources))
    return (
        read
        | {f"PARLEY_{field.upper()}" for field in Settings.model_fields if field != "discord_token"}
        | {"DISCORD_TOKEN"}
    )


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_a_page_names_are_read_somewhere(page: str) -> None:
    named = set(re.findall(r"\b(PARLEY_[A-Z_]+|DISCORD_TOKEN)\b", text_of(page)))
    assert named <= settings_read(), named - settings_read()


def test_every_setting_is_documented() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text_of("docs/settings.md"), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == settings_read()


@pytest.mark.parametrize(
    "name", ["retention_days", "trial_share", "slots", "queue", "queue_per_person", "max_tokens"]
)
def test_defaults_are_those_of_the_settings(name: str) -> None:
    default = Settings.model_fields[name].default
    assert re.search(rf"^\| `PARLEY_{name.upper()}` \|.*\| {default} \|$", text_of("docs/settings.md"), re.MULTILINE)


# -- links, pictures, files


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        at = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert at.is_relative_to(ROOT), target
        assert at.exists(), f"{page}: {target}"
        assert not heading or heading in anchors(at), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page: str) -> None:
    for name in in_backticks(page):
        if not re.fullmatch(r"[\w./-]+", name) or not name.startswith(ROOMS) or "NAME" in name:
            continue
        assert (ROOT / name).exists(), f"{page}: {name}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_shows_scripted_pictures_says_so(page: str) -> None:
    text = text_of(page)
    if re.search(r"\]\((docs/)?screens/(?!invite)", text):
        assert "scripted" in text or "写好的" in text
    if "docs/loop.svg)" in text:
        assert "135M" in text
