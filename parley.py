"""Parley as an extension of discord.py: `await your_bot.load_extension("parley")` adds it to a bot of yours.

It stands beside the packages, because a `bot.py` of yours would hide anything in `bot`, and somebody has to say so.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from discord.ext import commands

ROOT = Path(__file__).resolve().parent


async def setup(host: commands.Bot | commands.AutoShardedBot) -> None:
    """Add Parley to somebody else's bot. Raises ParleyError, or ImportError where its packages are not ours."""
    for name in ("bot", "data"):
        if (found := place(name)) != ROOT / name / "__init__.py":
            raise ImportError(
                f"Parley needs its own package `{name}`, and here `{name}` is {found or 'nowhere'}. Rename that file "
                "or folder, or start your bot from another folder."
            )
    from bot.discord.extension import load

    await load(host)


async def teardown(host: commands.Bot | commands.AutoShardedBot) -> None:
    """Take Parley away again; discord.py calls this after a setup that failed, too."""
    extension = sys.modules.get("bot.discord.extension")
    if extension is not None:
        await extension.unload(host)


def place(name: str) -> Path | None:
    """The file or folder that a package or module of this name is, as an import would find it."""
    if name in sys.modules:
        module = sys.modules[name]
        file, folders = getattr(module, "__file__", None), getattr(module, "__path__", ())
    else:
        spec = find_spec(name)  # not an import: it may be a program
        file, folders = (spec.origin, spec.submodule_search_locations or ()) if spec else (None, ())
    found = file or next(iter(folders), None)
    return Path(found).resolve() if found else None
