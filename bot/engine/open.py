"""Open the engine to use: another server at an address, or the embedded engine of a home."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineError
from bot.engine.external import ExternalEngine

if sys.platform != "win32":  # Windows lacks the file locks that the embedded engine needs
    from bot.engine.embedded import EmbeddedEngine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.engine.api import Engine


async def open_engine(
    home: Path,
    *,
    url: str | None = None,
    model: str | None = None,
    api_key: str | None = None,
    release: int | None = None,
    context_length: int | None = None,
    extra: Mapping[str, Any] | None = None,
    silence: float | None = None,
) -> Engine:
    """Opens the server at `url`, else the one at PARLEY_ENGINE_URL, else the embedded engine of `home`.

    With an address: `model` (PARLEY_ENGINE_MODEL) defaults to the first model that the server lists, `api_key`
    defaults to PARLEY_ENGINE_API_KEY, and the server is asked for `context_length` when it is not given. `extra` is
    merged into every request (None takes a field out), and `silence` is how many seconds an answer may stand still.
    A server that does not answer yet is only logged.

    Without an address: the engine follows the champion of `home`, or always serves the `release` given here.
    Release 0 is the home's base (`data.chosen_base`). The engine's process is running when this returns.

    Raises EngineError or BadInput when the engine cannot be used at all.
    """
    if address := url or os.environ.get("PARLEY_ENGINE_URL"):
        return await ExternalEngine.open(
            home,
            address,
            model=model or os.environ.get("PARLEY_ENGINE_MODEL"),
            api_key=api_key or os.environ.get("PARLEY_ENGINE_API_KEY", ""),
            context_length=context_length,
            extra=extra,
            silence=silence,
        )
    if sys.platform == "win32":
        raise EngineError("The embedded engine does not run on Windows. Set PARLEY_ENGINE_URL to a server's address.")
    return await EmbeddedEngine.open(home, release=release, context=context_length)
