"""A fake vLLM: its routes for adapters and tokens with the exact replies of vLLM 0.32.0, and the fake engine's chat.

async with FakeVllm(folder / "hf") as fake:
    fake.adapters                               # name -> folder, as loaded by now
    fake.forget()                               # as after a restart
    fake.loads = False                          # started without --enable-lora
    fake.orders                                 # what was loaded and unloaded, in order
    fake.computes = function                    # log-probabilities of ids, for the folder of an adapter or None
    fake.dev = True                             # started with VLLM_SERVER_DEV_MODE=1, so that it can sleep

with in_thread(FakeVllm(folder / "hf")) as fake:    # for a test that asks without a loop
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tests.fakes.engine import FakeEngine, render

# Log-probabilities of the next token after each of some ids, for the base or with the adapter of a folder: shape
# (ids, vocabulary).
Computes = Callable[[Path | None, list[int]], NDArray[np.float32]]


def _even(_: Path | None, ids: list[int]) -> NDArray[np.float32]:
    return np.full((len(ids), max(ids) + 1), -6.0, dtype=np.float32)


@contextmanager
def in_thread(fake: FakeVllm) -> Iterator[FakeVllm]:
    """The fake on a loop of its own, for code that waits for its answers."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(fake.start(), loop).result(30)
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


class FakeVllm(FakeEngine):
    """A vLLM that serves the base in a folder. Answers name the model that gave them if no others are queued."""

    def __init__(self, folder: Path, *, root: str | None = None, context: int = 2048) -> None:
        super().__init__(kind="vllm", model=root or str(folder), context=context)
        self.root = root or str(folder)
        self.adapters: dict[str, str] = {}
        self.seen_as: dict[str, Path] = {}  # folders that this server sees under another path
        self.orders: list[tuple[str, str]] = []
        self.loads = True
        self.rank = 16
        self.tail = ""  # text that another template would add
        self.dev = False
        self.sleeping = False
        self.computes: Computes = _even
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def forget(self) -> None:
        """What a restart does."""
        self.adapters.clear()

    def refusal(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """An unknown model is answered with 404."""
        if body.get("model") in (self.root, *self.adapters):
            return None
        self.requests.append(body)
        return _error(f"The model `{body.get('model')}` does not exist.", "NotFoundError", 404, "model")

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | str]:
        """See `FakeEngine.reply`."""
        if path == "/v1/models":
            return 200, {"object": "list", "data": [self._entry(self.root), *map(self._entry, self.adapters)]}
        if path == "/tokenize" and "messages" in body:
            if (refusal := self.refusal(body)) is not None:
                return 404, refusal
            ids = self._tokenizer.encode(render(body["messages"]) + self.tail, add_special_tokens=False).ids
            return 200, {"count": len(ids), "max_model_len": self.context, "tokens": ids, "token_strs": None}
        if path == "/v1/load_lora_adapter" and self.loads:
            return self._load(body["lora_name"], body["lora_path"])
        if path == "/v1/unload_lora_adapter" and self.loads:
            return self._unload(body["lora_name"])
        if path == "/v1/completions":
            return self._complete(body)
        if path in ("/sleep", "/wake_up", "/is_sleeping") and self.dev:
            return self._sleep(path)
        return 404, {"detail": "Not Found"}

    def _complete(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if (refusal := self.refusal(body)) is not None:
            return 404, refusal
        ids, count = body["prompt"], body["prompt_logprobs"]
        if len(ids) >= self.context:
            return 400, _error("max_tokens must be at least 1, got 0.", "BadRequestError", 400, "max_tokens")
        if count > 20:
            said = f"Requested prompt logprobs of {count}, which is greater than max allowed: 20"
            return 400, _error(said, "BadRequestError", 400, "prompt_logprobs")
        folder = self.adapters.get(body["model"])
        listed: list[dict[str, Any] | None] = [None]
        for token, row in zip(ids[1:], self.computes(Path(folder) if folder else None, ids), strict=False):
            likeliest = np.argsort(-row)[:count].tolist() if count else []
            ranks = {token: 1 + int((row > row[token]).sum())}
            ranks |= {each: place for place, each in enumerate(likeliest, 1)}
            listed.append({str(each): {"logprob": float(row[each]), "rank": rank} for each, rank in ranks.items()})
        choice = {"index": 0, "text": "", "finish_reason": "length", "prompt_logprobs": listed}
        return 200, {"id": "cmpl-fake", "object": "text_completion", "model": body["model"], "choices": [choice]}

    def _sleep(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/is_sleeping":
            return 200, {"is_sleeping": self.sleeping}
        self.orders.append((path, ""))
        self.sleeping = path == "/sleep"
        return 200, {"status": "sleeping", "level": 1} if self.sleeping else {"status": "awake", "tags": None}

    def _load(self, name: str, place: str) -> tuple[int, dict[str, Any] | str]:
        self.orders.append(("load", name))
        if name in self.adapters:
            said = (
                f"The lora adapter '{name}' has already been loaded. If you want to load the adapter in place, set "
                "'load_inplace' to True."
            )
            return 400, _error(said, "InvalidUserInput", 400)
        folder = self.seen_as.get(place) or Path(place)
        if not os.path.isfile(folder / "adapter_config.json"):  # noqa: PTH113 - this loop may not wait long
            return 404, _error(f"Loading lora {name} failed: No adapter found for <path>", "NotFoundError", 404)
        if self.rank > 16:
            said = f"LoRA rank {self.rank} is greater than max_lora_rank 16."
            return 400, _error(said, "BadRequestError", 400)
        self.adapters[name] = place
        return 200, f"Success: LoRA adapter '{name}' added successfully."

    def _unload(self, name: str) -> tuple[int, dict[str, Any] | str]:
        self.orders.append(("unload", name))
        if self.adapters.pop(name, None) is None:
            return 404, _error(f"The lora adapter '{name}' cannot be found.", "NotFoundError", 404)
        return 200, f"Success: LoRA adapter '{name}' removed successfully."

    def _entry(self, name: str) -> dict[str, Any]:
        base = name == self.root
        return {
            "id": name,
            "object": "model",
            "created": 1796046674,
            "owned_by": "vllm",
            "root": self.root if base else self.adapters[name],
            "parent": None if base else self.root,
            "max_model_len": self.context if base else None,
            "permission": [],
        }


def _error(message: str, kind: str, code: int, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
