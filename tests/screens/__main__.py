"""`python -m tests.screens`: draws the pictures in `docs/screens/` again."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from tests.screens.invite import INVITE
from tests.screens.scenes import LANGUAGES, SCENES, picture

FOLDER = Path(__file__).parents[2] / "docs" / "screens"


def file(folder: Path, name: str, language: str) -> Path:
    """Where a picture is saved."""
    return folder / (f"{name}.svg" if language == "en" else f"{name}.{language}.svg")


async def draw_all(folder: Path, names: list[str]) -> None:
    """Draw these pictures in both languages."""
    for name in names:
        for language in LANGUAGES:
            drawn = INVITE[name](language) if name in INVITE else await picture(name, language)
            file(folder, name, language).write_text(drawn, encoding="utf-8")


def main() -> None:
    """Read the arguments and draw."""
    parser = argparse.ArgumentParser(prog="python -m tests.screens", description="Draws the pictures of the screens.")
    known = [*SCENES, *INVITE]
    parser.add_argument("names", nargs="*", metavar="name", help=f"which ones: {', '.join(known)} (all)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the folder (docs/screens)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"there is no picture {unknown[0]!r}; there are {', '.join(known)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw_all(arguments.out, arguments.names or known))


if __name__ == "__main__":
    main()
