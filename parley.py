"""Parley as an extension of discord.py: `await your_bot.load_extension("parley")` adds it to your bot.

This file lies outside the packages: a `bot.py` of yours would hide our package `bot`, and only code outside of it can
still report that.
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
    """Add Parley to another bot. Raises ParleyError, or ImportError where `bot` or `data` are not Parley's."""
    for name in ("bot", "data"):
        if (found := place(name)) != ROOT / name / "__init__.py":
            raise ImportError(
                f"Parley needs its own package `{name}`, and here `{name}` is {found or 'nowhere'}. Rename that file "
                "or folder, or start your bot from another folder."
            )
    from bot.discord.extension import load  # only now: it needs both packages

    await load(host)


async def teardown(host: commands.Bot | commands.AutoShardedBot) -> None:
    """Remove Parley again; discord.py calls this also after a setup that failed."""
    extension = sys.modules.get("bot.discord.extension")
    if extension is not None:
        await extension.unload(host)


def place(name: str) -> Path | None:
    """The file or folder that an import of this name would find."""
    if name in sys.modules:
        module = sys.modules[name]
        file, folders = getattr(module, "__file__", None), getattr(module, "__path__", ())
    else:
        spec = find_spec(name)  # not an import: the module may be somebody's program
        file, folders = (spec.origin, spec.submodule_search_locations or ()) if spec else (None, ())
    found = file or next(iter(folders), None)
    return Path(found).resolve() if found else None
