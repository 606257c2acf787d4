"""The embedded engine as what a candidate is checked and measured on: llama.cpp, with a LoRA GGUF."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alignment.serving.agreement import Agreement, check_served
from alignment.serving.artefact import to_gguf
from alignment.serving.engine import RunningEngine, serve
from data.merged_files import LORA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Embedded:
    """Implements `alignment.serving.server.Server`. `form` is that of `alignment.serving.engine.serve`."""

    loads_gguf = True

    def __init__(self, form: str | None = None) -> None:
        self._form = form
        self.name = "the embedded engine" + (" with adapters" if form == LORA else "")

    @contextmanager
    def serve(self, base: str, adapter: Path | None, gguf: Path | None = None) -> Iterator[RunningEngine]:
        """See `Server.serve`. An adapter without a GGUF gets one for as long as the block runs."""
        with tempfile.TemporaryDirectory() as scratch:
            if gguf is None and adapter is not None:
                gguf = to_gguf(adapter, base, Path(scratch) / "adapter.gguf")
            with serve(base, gguf, form=self._form) as engine:
                yield engine

    def check(self, base: str, adapter: Path, gguf: Path | None = None) -> Agreement:
        """See `Server.check`."""
        assert gguf is not None
        return check_served(adapter, base, gguf)

    @contextmanager
    def resting(self, say: Callable[[str], object]) -> Iterator[None]:  # noqa: ARG002 - only vLLM has to say something
        """See `Server.resting`. Its process runs only while it is asked."""
        yield
