"""Ollama as a server of releases: the base's GGUF is uploaded once, and each release becomes a model on it.

Ollama has no route that tells token ids, so their number is compared: the one that it says it read.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.engine.adapters import Adapter, adapter_of, adapters_of
from bot.engine.api import EngineError
from bot.engine.remote import RemoteModel, opened
from bot.engine.unused import Unused
from data.bases import BaseInfo, base_info, gguf_path
from data.chosen_base import home_base
from data.errors import ParleyError
from data.home import file_sha256
from data.same_tokens import trained_ids

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bot.engine.place import Place
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)

CONTEXT = 4096  # tokens, as in the embedded engine
# Ollama writes templates in Go's language. These are ours in it; those of other bases it must know by itself.
_TEMPLATES = {
    "chatml": (
        "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
    )
}


class OllamaServer:
    """Implements `bot.engine.serving.ReleaseServer`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._wire: Wire = place.wire()  # for its own routes
        self._unused = Unused()

    def cannot_serve(self, release: int) -> str | None:
        """See `ReleaseServer.cannot_serve`."""
        try:
            adapter = adapter_of(self._place.home, release, "Ollama")
            gguf_path(adapter.base.alias if adapter else home_base(self._place.home))
        except ParleyError as error:
            return str(error)
        return None

    async def serve(self, release: int, base: str) -> RemoteModel:
        """See `ReleaseServer.serve`."""
        adapter = adapter_of(self._place.home, release, "Ollama")
        info = adapter.base if adapter else base_info(base)
        wire = self._place.wire(await self._created(info, adapter))
        model = RemoteModel(self._place.home, wire, self._context(info), release=release, base=info)
        return await opened(model, partial(_check, wire, info))

    async def forget(self, kept: Collection[int]) -> None:
        """See `ReleaseServer.forget`. The base stays."""
        adapters = adapters_of(self._place.home, "Ollama")
        ours = {_name(each.base, each): each.release.number for each in adapters}
        for name in self._unused.due(await self._names(), ours, kept):
            await self._wire.order("/api/delete", {"model": name}, method="delete")
            log.info("Ollama at %s has forgotten %s, which nobody needs.", self._wire.shown, name)

    async def close(self) -> None:
        """See `ReleaseServer.close`."""
        await self._wire.close()

    def _context(self, base: BaseInfo) -> int:
        return min(self._place.context_length or CONTEXT, base.context_length)

    async def _names(self) -> set[str]:
        found = (await self._wire.get("/api/tags")).get("models")
        return {str(each.get("name")) for each in found or () if isinstance(each, dict)}

    async def _created(self, base: BaseInfo, adapter: Adapter | None) -> str:
        """The name of the model in Ollama, which is made if it is not there."""
        name, there = _name(base, adapter), await self._names()
        if name in there:
            return name
        body: dict[str, Any] = {"model": name, "stream": False, "parameters": {"num_ctx": self._context(base)}}
        if base.template_name in _TEMPLATES:
            body["template"] = _TEMPLATES[base.template_name]
        if adapter is None:
            body["files"] = {"model.gguf": await self._blob(gguf_path(base.alias))}
        else:
            body["from"] = await self._created(base, None)
            await asyncio.to_thread(adapter.check, "adapter.gguf")
            body["adapters"] = {"adapter.gguf": await self._blob(adapter.release.adapter_gguf)}
        await self._wire.order("/api/create", body)
        log.info("Ollama at %s has made %s.", self._wire.shown, name)
        return name

    async def _blob(self, path: Path) -> str:
        """Uploads a file; returns its digest, by which Ollama also knows that it arrived whole."""
        digest = f"sha256:{await asyncio.to_thread(file_sha256, path)}"
        await self._wire.upload(f"/api/blobs/{digest}", path)
        return digest


def _name(base: BaseInfo, adapter: Adapter | None) -> str:
    tag = adapter.name if adapter else f"base-{base.gguf_sha256[:8]}"
    return f"parley-{base.alias.lower()}:{tag}"


async def _check(wire: Wire, base: BaseInfo) -> None:
    """Raises EngineError unless Ollama reads as many tokens as the trainer."""
    for messages, ids in await asyncio.to_thread(trained_ids, base):
        body = {"model": wire.model, "messages": messages, "stream": False, "options": {"num_predict": 1}}
        read = (await wire.post("/api/chat", body)).get("prompt_eval_count")
        if read != len(ids):
            raise EngineError(
                f"Ollama at {wire.shown} reads {read} tokens where the base model {base.alias} was trained with "
                f"{len(ids)}: it uses another chat template. Serve this base with llama-server or vLLM."
            )
