"""Open the engine to use: another server at an address, or the embedded engine of a home."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineError
from bot.engine.external import ExternalEngine
from bot.engine.following import FollowingEngine
from bot.engine.place import Place, address_of

if sys.platform != "win32":  # Windows lacks the file locks that the embedded engine needs
    from bot.engine.embedded import EmbeddedServer

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
    releases: str | None = None,
    adapters: str | None = None,
) -> Engine:
    """Opens the server at `url`, else the one at PARLEY_ENGINE_URL, else the embedded engine of `home`.

    The engine follows the champion of `home`, or always serves the `release` given here. Release 0
    is the home's base (`data.chosen_base`).

    With an address: a server that serves releases does so, unless `model` (PARLEY_ENGINE_MODEL) names the one that
    always answers. `api_key` defaults to PARLEY_ENGINE_API_KEY, and the server is asked for `context_length` when it
    is not given. `extra` is merged into every request (None takes a field out), and `silence` is how many seconds an
    answer may stand still. `releases` (PARLEY_ENGINE_RELEASES) says how a server serves releases that must be told:
    "ollama", or the address of llama-servers with `{release}` in it. `adapters` (PARLEY_ENGINE_ADAPTERS) is the
    folder of the releases as the server sees it. A server that does not answer yet is only logged.

    Without an address, the engine's process is running when this returns.

    Raises EngineError or BadInput when the engine cannot be used at all.
    """
    releases = releases or os.environ.get("PARLEY_ENGINE_RELEASES") or None
    told = address_of(releases)
    if address := url or os.environ.get("PARLEY_ENGINE_URL") or told:
        place = Place(
            home,
            address,
            model=model or os.environ.get("PARLEY_ENGINE_MODEL") or None,
            api_key=api_key or os.environ.get("PARLEY_ENGINE_API_KEY", ""),
            context_length=context_length,
            extra=extra,
            silence=silence,
            releases=releases,
            adapters=adapters or os.environ.get("PARLEY_ENGINE_ADAPTERS") or None,
        )
        return await ExternalEngine.open(place, release=release)
    if sys.platform == "win32":
        raise EngineError("The embedded engine does not run on Windows. Set PARLEY_ENGINE_URL to a server's address.")
    return await FollowingEngine.open(home, EmbeddedServer(home, context_length), release=release)
