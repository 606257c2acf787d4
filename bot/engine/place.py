"""Where a server that somebody else runs is, and how this home uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.engine.wire import Wire
from data.errors import BadInput
from data.release_address import OLLAMA, release_address
from data.releases import BASE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OLLAMAS_ADDRESS = "http://127.0.0.1:11434/v1"


def address_of(releases: str | None) -> str | None:
    """The address that is meant when only PARLEY_ENGINE_RELEASES is set. Raises BadInput for an unknown value."""
    if not releases:
        return None
    if releases == OLLAMA:
        return _OLLAMAS_ADDRESS
    try:
        return release_address(releases, BASE_RELEASE)
    except ValueError as error:
        raise BadInput(f"PARLEY_ENGINE_RELEASES: {releases[:80]!r} cannot be used: {error}.") from None


@dataclass(frozen=True, slots=True)
class Place:
    """A server at `url`.

    `model` is the one that the operator chose, `releases` how it serves releases if it must be told
    (PARLEY_ENGINE_RELEASES), `adapters` the folder of the releases as the server sees it (PARLEY_ENGINE_ADAPTERS).
    The other settings are those of `bot.engine.open.open_engine`.
    """

    home: Path
    url: str = field(repr=False)
    model: str | None = None
    api_key: str = field(default="", repr=False)
    context_length: int | None = None
    extra: Mapping[str, Any] | None = field(default=None, repr=False)
    silence: float | None = None
    releases: str | None = field(default=None, repr=False)
    adapters: str | None = None

    def wire(
        self,
        model: str = "",
        *,
        url: str | None = None,
        more: Mapping[str, Any] | None = None,
        thoughtful: Mapping[str, Any] | None = None,
    ) -> Wire:
        """A connection for one model; `url` if it is at another address, `more` fields for its requests.

        `thoughtful` are the variables of its template that have it think before it answers.
        """
        extra = {**(more or {}), **(self.extra or {})}
        wire = Wire(url or self.url, model=model, api_key=self.api_key, extra=extra, silence=self.silence)
        wire.dialect.thoughtful = dict(thoughtful or {})
        return wire
