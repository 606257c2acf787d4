"""llama-servers that somebody else runs: an address for each release, or one router that has a name for each.

One process must serve one release only. llama.cpp's prompt cache compares tokens and does not know which adapter
computed them, so a server that switches adapters answers from the cache of the wrong release.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bot.engine.adapters import adapter_of, adapter_problem
from bot.engine.api import EngineError
from bot.engine.counting import Counting
from bot.engine.remote import RemoteModel, opened, release_of
from bot.engine.same_tokens import tokens_problem
from data.asked_to_think import thoughtful, thoughtless
from data.bases import base_info
from data.release_address import release_address
from data.releases import BASE_RELEASE

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.engine.place import Place
    from bot.engine.wire import Wire
    from data.bases import BaseInfo

log = logging.getLogger(__name__)


class LlamaServers:
    """Implements `bot.engine.serving.ReleaseServer` on servers that the operator starts and ends.

    `pattern` is an address; `{release}` in it, or `{release:04}` as in Python, stands for the number.
    """

    def __init__(self, place: Place, pattern: str) -> None:
        self._place = place
        self._pattern = pattern

    def cannot_serve(self, release: int) -> str | None:
        """See `ReleaseServer.cannot_serve`."""
        return adapter_problem(self._place.home, release, "llama-server")

    async def serve(self, release: int, base: str) -> RemoteModel:
        """See `ReleaseServer.serve`."""
        adapter = adapter_of(self._place.home, release, "llama-server")
        info = adapter.base if adapter else base_info(base)
        address = release_address(self._pattern, release)
        wire = self._place.wire(url=address, more=thoughtless(info), thoughtful=thoughtful(info))
        model = RemoteModel(self._place.home, wire, self._place.context_length, release=release, base=info)
        return await opened(model, partial(self._find, wire, release, info))

    async def forget(self, kept: Collection[int]) -> None:
        """See `ReleaseServer.forget`. The operator ends the servers that nobody needs."""

    async def close(self) -> None:
        """See `ReleaseServer.close`. Nothing is held apart from the releases."""

    async def _find(self, wire: Wire, release: int, base: BaseInfo) -> None:
        """Finds the release in the server's list of models, and looks at its adapters and tokens.

        Raises EngineError.
        """
        name = f"release-{release:04d}"
        names = [str(each.get("id")) for each in await wire.models()]
        wire.model = next((each for each in names if release_of(each) == release), "")
        if not wire.model:
            raise EngineError(
                f"The server at {wire.shown} does not say that it is release {release}: it lists "
                f"{', '.join(names[:5]) or 'nothing'}. Start llama-server with `--alias {name}`, or give its router "
                f"a model of that name; PARLEY_ENGINE_RELEASES says where it is looked for."
            )
        try:
            adapters = await wire.listed(f"/lora-adapters?model={quote(wire.model)}")
        except EngineError as error:
            if error.refused is None:
                raise
            log.info("The server at %s does not list its adapters, so they are not looked at.", wire.shown)
        else:
            _refuse_adapters(wire, release, [each.get("scale") for each in adapters if isinstance(each, dict)])
        if problem := await tokens_problem(wire, Counting.LLAMA, base):
            raise EngineError(problem)


def _refuse_adapters(wire: Wire, release: int, scales: list[Any]) -> None:
    """Raises EngineError unless a server has one adapter at full scale, or none for release 0."""
    wanted = [] if release == BASE_RELEASE else [1.0]
    if scales != wanted:
        what = "no adapter" if release == BASE_RELEASE else "one adapter at scale 1"
        found = ", ".join(map(str, scales)) or "none"
        raise EngineError(
            f"The server at {wire.shown} must have {what} to be release {release}; its adapters' scales: {found}."
        )
