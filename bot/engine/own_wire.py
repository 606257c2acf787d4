"""The connection to an engine of this home, which knows its key: a refused key means that another server is there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import openai

from bot.engine.api import EngineAway, EngineError
from bot.engine.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engine.sharing import Entry


class OwnWire(Wire):
    """A `Wire` to the engine of an entry in `engine.json`."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.url, model=f"release-{entry.release:04d}", api_key=entry.api_key)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            with super()._failures():
                yield
        except EngineError as error:
            # Every engine has a key of its own: ours has ended, and another one listens on its port.
            if isinstance(error.__cause__, openai.AuthenticationError):
                raise EngineAway("The engine was replaced in the meantime. Ask again.") from error
            raise
