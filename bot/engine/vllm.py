"""vLLM as a server of releases: each release is an adapter that its own route loads while it runs.

vLLM must be started with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1; docs/servers.md has the command.
What it says of its base and its tokens is compared with the release's base before the first answer, and again after
it was restarted, which makes it forget its adapters.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from bot.engine.adapters import Adapter, adapter_of, adapter_problem, adapters_of
from bot.engine.api import EngineAway, EngineBusy, EngineError
from bot.engine.counting import Counting
from bot.engine.remote import RemoteModel, opened
from bot.engine.same_tokens import tokens_problem
from bot.engine.same_weights import weights_problem
from bot.engine.unused import Unused
from data.asked_to_think import thoughtful, thoughtless
from data.bases import BaseInfo, base_info
from data.vllm import LOAD, LOADED, UNLOAD, base_entry, base_problem, load_refused, seen_from

if TYPE_CHECKING:
    from collections.abc import Collection

    from bot.engine.place import Place
    from bot.engine.wire import Wire

log = logging.getLogger(__name__)


class VllmServer:
    """Implements `bot.engine.serving.ReleaseServer`."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._wire: Wire = place.wire()  # for its own routes
        self._unused = Unused()

    def cannot_serve(self, release: int) -> str | None:
        """See `ReleaseServer.cannot_serve`."""
        return adapter_problem(self._place.home, release, "vLLM")

    async def serve(self, release: int, base: str) -> RemoteModel:
        """See `ReleaseServer.serve`."""
        adapter = adapter_of(self._place.home, release, "vLLM")
        info = adapter.base if adapter else base_info(base)
        wire = self._place.wire(more=thoughtless(info), thoughtful=thoughtful(info))
        bring = partial(self._bring, wire, info, adapter)
        model = RemoteModel(
            self._place.home, wire, self._place.context_length, release=release, base=info, restore_it=bring
        )
        return await opened(model, bring)

    async def forget(self, kept: Collection[int]) -> None:
        """See `ReleaseServer.forget`. Other homes' adapters stay: they are known by the hashes in their names."""
        ours = {each.name: each.release.number for each in adapters_of(self._place.home, "vLLM")}
        held = [str(each.get("id")) for each in await self._wire.models() if each.get("parent")]
        for name in self._unused.due(held, ours, kept):
            await self._wire.order(UNLOAD, {"lora_name": name})
            log.info("vLLM at %s has forgotten %s, which nobody needs.", self._wire.shown, name)

    async def close(self) -> None:
        """See `ReleaseServer.close`."""
        await self._wire.close()

    async def _bring(self, wire: Wire, base: BaseInfo, adapter: Adapter | None) -> None:
        """Has vLLM answer as this model under `wire.model`, or raises a ParleyError that says why it does not."""
        models = await self._wire.models()
        entry = base_entry(models)
        if entry is None:
            raise EngineError(f"The engine at {self._wire.shown} is not a vLLM any more; start the bot again.")
        if problem := base_problem(entry, base):
            raise EngineError(f"vLLM at {self._wire.shown} cannot serve {_named(adapter)}. {problem}")
        # Adapters have the base's tokens, and one that is loaded answers whoever asks: so this comes first. It has a
        # wire of its own, because answers may be asked for on the other one meanwhile.
        asking = self._place.wire(str(entry["id"]), more=thoughtless(base))
        try:
            if problem := await tokens_problem(asking, Counting.VLLM, base):
                raise EngineError(f"{problem} (docs/servers.md has the command.)")
            if problem := await weights_problem(asking, base):
                raise EngineError(f"vLLM at {self._wire.shown} cannot serve {_named(adapter)}. {problem}")
        finally:
            await asking.close()
        if adapter is None:
            wire.model = str(entry["id"])
            return
        await asyncio.to_thread(adapter.check, "adapter/")
        if not any(each.get("id") == adapter.name for each in models):
            await self._load(adapter)
            models = await self._wire.models()
        mine = next((each for each in models if each.get("id") == adapter.name), None)
        if mine is None or mine.get("parent") != entry["id"]:
            raise EngineError(f"vLLM at {self._wire.shown} loaded {adapter.name} and does not list it on its base.")
        wire.model = adapter.name

    async def _load(self, adapter: Adapter) -> None:
        release = adapter.release
        path = seen_from(release.adapter, release.path.parent, self._place.adapters)
        try:
            await self._wire.order(LOAD, {"lora_name": adapter.name, "lora_path": path})
        except (EngineAway, EngineBusy):
            raise
        except EngineError as error:
            if error.refused is None:
                raise
            if LOADED in error.refused.text:  # another bot of this home was faster
                return
            what = f"release {release.number}"
            raise load_refused(self._wire.shown, error.refused.status, error.refused.text, what, path) from error
        log.info("vLLM at %s has loaded release %d.", self._wire.shown, release.number)


def _named(adapter: Adapter | None) -> str:
    return f"release {adapter.release.number}" if adapter else "this home's base model"
