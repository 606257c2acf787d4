"""A llama-server and an Ollama that hold releases, as their documentation has it; the chat is the fake engine's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tests.fakes.engine import FakeEngine, render


class FakeLlama(FakeEngine):
    """A llama-server with `--alias`, with one adapter at each of these scales."""

    def __init__(self, folder: Path, alias: str, *scales: float) -> None:
        super().__init__(kind="llama", model=alias)
        self.scales = scales
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | list[Any] | str]:
        """See `FakeEngine.reply`."""
        if path == "/tokenize":
            return 200, {"tokens": self._tokenizer.encode(body["content"], add_special_tokens=False).ids}
        if path == "/lora-adapters":
            return 200, [{"id": at, "path": "x.gguf", "scale": scale} for at, scale in enumerate(self.scales)]
        return super().reply(path, body)


class FakeOllama(FakeEngine):
    """An Ollama: blobs are uploaded by digest, models created from them. It reads tokens as `folder`'s base does."""

    def __init__(self, folder: Path) -> None:
        super().__init__(kind="plain")
        self.blobs: dict[str, bytes] = {}
        self.created: list[dict[str, Any]] = []
        self.names: list[str] = []
        self.extra = 0  # tokens that another template adds
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))

    def refusal(self, body: dict[str, Any]) -> dict[str, Any] | None:
        """Unknown models are answered with 404."""
        return None if body["model"] in self.names else {"error": f"model '{body['model']}' not found"}

    def reply(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | list[Any] | str]:
        """See `FakeEngine.reply`."""
        if path == "/api/tags":
            return 200, {"models": [{"name": name} for name in self.names]}
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": name, "owned_by": "library"} for name in self.names]}
        if path.startswith("/api/blobs/"):
            digest = path.rpartition("/")[2]
            if digest != f"sha256:{hashlib.sha256(self.raw).hexdigest()}":
                return 400, {"error": "digest mismatch"}
            self.blobs[digest] = self.raw
            return 201, ""
        if path == "/api/create":
            needed = [*body.get("files", {}).values(), *body.get("adapters", {}).values()]
            if any(digest not in self.blobs for digest in needed) or body.get("from", body["model"]) not in (
                body["model"],
                *self.names,
            ):
                return 400, {"error": "not found"}
            self.created.append(body)
            self.names.append(body["model"])
            return 200, {"status": "success"}
        if path == "/api/delete":
            self.names.remove(body["model"])
            return 200, ""
        if path == "/api/chat":
            count = len(self._tokenizer.encode(render(body["messages"]), add_special_tokens=False).ids)
            return 200, {"done": True, "prompt_eval_count": count + self.extra}
        if path == "/api/show":
            return 200, {"model_info": {"llama.context_length": 2048}, "parameters": "num_ctx 2048"}
        if path == "/api/ps":
            return 200, {"models": []}
        return super().reply(path, body)
