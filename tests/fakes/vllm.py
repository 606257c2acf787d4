"""A fake vLLM: its routes for adapters and tokens with the exact replies of vLLM 0.32.0, and the fake engine's chat.

async with FakeVllm(folder / "hf") as fake:
    fake.adapters                               # name -> folder, as loaded by now
    fake.forget()                               # as after a restart
    fake.loads = False                          # started without --enable-lora
    fake.orders                                 # what was loaded and unloaded, in order
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tests.fakes.engine import FakeEngine, render


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
        self.probed: Any = None  # what it gives as the log-probabilities of a prompt; None: it has no such field
        self.tail = ""  # text that another template would add
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
        if path == "/v1/completions" and self.probed is not None and body.get("prompt_logprobs"):
            return 200, {"choices": [{"text": "a", "prompt_logprobs": self.probed}]}
        if path == "/v1/load_lora_adapter" and self.loads:
            return self._load(body["lora_name"], body["lora_path"])
        if path == "/v1/unload_lora_adapter" and self.loads:
            return self._unload(body["lora_name"])
        return 404, {"detail": "Not Found"}

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
