"""The external engine: vLLM, llama-server, Ollama, or any other OpenAI-compatible server that somebody else runs."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot.engine.api import EngineError
from bot.engine.counting import Counting, probe
from bot.engine.session import HttpSession
from bot.engine.wire import Wire
from data.chat import GENERIC_CONTROL
from data.releases import BASE_RELEASE, Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FALLBACK_CONTEXT = 4096  # tokens, for a server that does not say
_PAUSE = 0.5  # seconds before the one retry


class ExternalEngine:
    """Implements `bot.engine.api.Engine` on a server at a fixed address. It is also its sessions' `Backend`.

    Create one with `open`.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.release = BASE_RELEASE
        self.control = GENERIC_CONTROL
        self.context_length = FALLBACK_CONTEXT
        self.template = ""
        self.counting = Counting.ESTIMATE

    @classmethod
    async def open(
        cls, home: Path, url: str, *, model: str | None, api_key: str, context_length: int | None
    ) -> ExternalEngine:
        """Asks the server what it serves. Raises EngineError when it does not answer or has no such model."""
        engine = cls(Wire(url, model=model or "", api_key=api_key))
        try:
            await engine._describe(home, context_length)
        except BaseException:
            await engine.wire.close()
            raise
        return engine

    @asynccontextmanager
    async def session(self) -> AsyncIterator[HttpSession]:
        """See `Engine.session`."""
        yield HttpSession(self)

    async def renew(self, failed: Wire) -> None:  # noqa: ARG002 - the address is fixed; all we can do is wait
        """Waits a moment, for a server that restarts or has closed an idle connection."""
        await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """See `Engine.close`."""
        await self.wire.close()

    async def _describe(self, home: Path, context_length: int | None) -> None:
        models = await self.wire.models()
        names = [str(entry.get("id")) for entry in models]
        if not self.wire.model:
            if not names:
                raise EngineError(f"The engine at {self.wire.url} serves no model. Set PARLEY_ENGINE_MODEL.")
            self.wire.model = names[0]
        entry = next((entry for entry in models if entry.get("id") == self.wire.model), {})
        self.release = release_of(self.wire.model)
        self.counting = await probe(self.wire)
        props: dict[str, Any] = await self.wire.get("/props") if self.counting is Counting.LLAMA else {}
        self.template = str(props.get("chat_template", ""))
        told = entry.get("max_model_len") or props.get("default_generation_settings", {}).get("n_ctx")
        self.context_length = context_length or int(told or FALLBACK_CONTEXT)
        strings = {props.get("bos_token"), props.get("eos_token"), *self._pinned(home), *GENERIC_CONTROL}
        self.control = tuple(sorted(s for s in strings if s))

    def _pinned(self, home: Path) -> list[str]:
        """The control strings in the manifest of the release that is served, if it is one of this home's."""
        known = {release.number: release for release in Releases(home).all()} if self.release else {}
        return list(known[self.release].manifest.control) if self.release in known else []


def release_of(model: str) -> int:
    """The release number in a model name like `release-0007`; 0 for any other name."""
    match = re.fullmatch(r"release-(\d+)", model)
    return int(match[1]) if match else BASE_RELEASE
