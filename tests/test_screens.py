"""The pictures of the screens are what the bot shows now, and the schematic ones say what the READMEs say."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.screens.__main__ import FOLDER, file, main
from tests.screens.draw import Message, draw
from tests.screens.invite import INVITE, PERMISSIONS, SCOPES
from tests.screens.scenes import LANGUAGES, SCENES, picture
from tests.screens.text import lines

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "README.zh-CN.md", "docs/discord.md", "docs/discord.zh-CN.md")
SVG = "{http://www.w3.org/2000/svg}"


def said(svg: str) -> list[str]:
    """What can be read in a picture, line by line."""
    root = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter() if one.tag in (f"{SVG}text", f"{SVG}title")]


@pytest.mark.played
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SCENES)
async def test_the_committed_picture_is_what_the_bot_shows(name: str, language: str) -> None:
    committed = file(FOLDER, name, language).read_text("utf-8")
    drawn = await picture(name, language)
    assert said(committed) == said(drawn), f"Run `python -m tests.screens {name}` and look at what has changed."


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", INVITE)
def test_the_schematic_pictures_are_current(name: str, language: str) -> None:
    assert file(FOLDER, name, language).read_text("utf-8") == INVITE[name](language)


@pytest.mark.played
def test_the_script_draws_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.screens", "teach", "invite-1", "--out", str(tmp_path / "new")])
    main()
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"teach.svg", "teach.zh.svg", "invite-1.svg", "invite-1.zh.svg"}
    assert said((tmp_path / "new" / "teach.svg").read_text("utf-8"))[0] == "Parley: teach"


def test_every_picture_is_small_and_known() -> None:
    known = {file(FOLDER, name, language) for name in (*SCENES, *INVITE) for language in LANGUAGES}
    pages = {FOLDER / f"page{which}.png" for which in ("", ".zh", "-compare", "-compare.zh")}  # tests.screens.page
    assert set(FOLDER.iterdir()) == known | pages
    for path in known | pages:
        assert path.stat().st_size < 100 * 1024


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_pictures_that_are_there(page: str) -> None:
    shown = [
        part.split(")")[0] for part in (ROOT / page).read_text("utf-8").split("screens/")[1:] if ".svg)" in part[:40]
    ]
    assert len(shown) >= 2
    for name in shown:
        assert (FOLDER / name).is_file(), name


def test_the_picture_of_the_invitation_names_what_the_readme_names() -> None:
    text = " ".join((ROOT / PAGES[0]).read_text("utf-8").split())
    for name in (*SCOPES, *PERMISSIONS):
        assert name in text


def test_what_is_drawn_is_wrapped_and_loses_nothing() -> None:
    content = "-# small\n**bold** and <@ada> " + "words of some length " * 20 + "\n" + "很长的一句话，没有空格。" * 12
    rows = lines(content, 500)
    assert "".join(run.text for row in rows for run in row).replace(" ", "") == (
        content.replace("-# ", "").replace("**", "").replace("<@ada>", "@ada").replace(" ", "").replace("\n", "")
    )
    assert all(sum(run.width for run in row) <= 515 for row in rows)
    svg = draw("t", "c", [Message("ada", "<b> & 'co'", reply="a < b")], "en")
    assert "<b> & 'co'" in said(svg)
