"""What a candidate is checked and measured on: the server that serves this home's releases.

That is the vLLM at PARLEY_ENGINE_URL, if one is there that serves the home's base; else the embedded engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from alignment.serving.embedded import Embedded
from alignment.serving.vllm import found_vllm
from data.bases import BUNDLED, base_info, is_alias
from data.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from alignment.serving.agreement import Agreement
    from alignment.serving.engine import RunningEngine


class Server(Protocol):
    """One of two kinds. `name` is what sentences call it; `loads_gguf`: it takes an adapter as a GGUF, made before.

    One that takes no GGUF also scores texts itself (`alignment.serving.prompt_log_probs`).
    """

    @property
    def name(self) -> str: ...
    @property
    def loads_gguf(self) -> bool: ...

    def serve(
        self, base: str, adapter: Path | None, gguf: Path | None = None
    ) -> AbstractContextManager[RunningEngine]:
        """Have it answer as a base with an adapter, or without one, inside the block. `gguf` is the same adapter."""

    def check(self, base: str, adapter: Path, gguf: Path | None = None) -> Agreement:
        """Compare an adapter as served with PEFT's arithmetic. Raises `NotServable` with the figures if they differ.

        `gguf` is needed where `loads_gguf`.
        """

    def resting(self, say: Callable[[str], object]) -> AbstractContextManager[None]:
        """Have it leave the GPU to training inside the block, if both use the same one. Raises `BadInput` if it
        cannot."""


def server_for(base: str, say: Callable[[str], object]) -> Server:
    """The server on which releases of a base are measured; `say` gets a sentence where that is not obvious.

    Raises `BadInput`, which says what to do, if nothing here can serve the base.
    """
    vllm, problem = found_vllm(base)
    if vllm is not None:
        say(f"{vllm.name} serves {base}: candidates are checked and measured there.")
        return vllm
    if not is_alias(base) or base in BUNDLED or base_info(base).gguf_sha256:
        if problem:
            say(f"{problem} So candidates are checked and measured on the embedded engine.")
        return Embedded()
    raise BadInput(
        f"{problem + ' And the' if problem else 'The'} base model {base} has no GGUF file, so the embedded engine "
        "cannot serve it. Let vLLM serve it and set PARLEY_ENGINE_URL to its address (docs/servers.md), or give it "
        f"a GGUF: `python -m alignment.bases remove {base}`, then `add` it again with --quantise q8_0 or --gguf FILE."
    )
