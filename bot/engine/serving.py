"""What a server must do for the loop to close on it: answer as any release of this home, checked before it does.

Five kinds of servers are known, each in the file of its name:

    embedded    a release is a process that we start
    vllm        a release is an adapter with a name, loaded by the server's own route and taken out after a while
    llama       a release is an address, or a name of a router, that the operator starts (`PARLEY_ENGINE_RELEASES`)
    ollama      a release is a model with a name, which we upload and create (`PARLEY_ENGINE_RELEASES=ollama`)
    fixed       one model answers always: promote, trial and rollback do not reach it, and `external` says so
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bot.engine.session import Backend

if TYPE_CHECKING:
    from collections.abc import Collection


class Served(Backend, Protocol):
    """One release that answers now, and how many sessions use it."""

    users: int

    async def ready(self) -> None:
        """Asks again what the server did not say so far. Raises EngineError."""

    def outdated(self) -> bool:
        """Whether this very release should be served anew, because it has other files by now."""

    async def drop(self) -> None:
        """Lets the release go: nobody is answered by it any more. Idempotent."""


class ReleaseServer(Protocol):
    """A server, or this machine, that can answer as any release of one home."""

    def cannot_serve(self, release: int) -> str | None:
        """Why a release can never answer here, as far as that is known without asking; None if nothing forbids it."""

    async def serve(self, release: int, base: str) -> Served:
        """Makes the server answer as a release, once it is shown that it computes what was trained.

        `base` is the home's base, which release 0 is.

        Raises EngineAway or EngineBusy when the server does not answer now, another ParleyError when it cannot serve
        the release.
        """

    async def forget(self, kept: Collection[int]) -> None:
        """Takes out of the server what has not answered for a while; never the releases `kept`."""

    async def close(self) -> None:
        """Closes what the server itself holds; releases are dropped by those who were given them. Idempotent."""
