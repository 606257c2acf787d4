"""The models of the API: names for the releases that serve, and which engine answers under a name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.engine.api import EngineError
from bot.web.api.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bot.engine.api import Engine
    from bot.web.site import Site

USUAL, CHAMPION, CANDIDATE = "parley", "champion", "candidate"
_RELEASE = "release-"


@dataclass(frozen=True, slots=True)
class Serving:
    """The releases that serve: the champion's number, None while it cannot be asked, and the candidate's."""

    champion: int | None
    candidate: int | None

    def names(self) -> list[str]:
        """The models that there are."""
        numbers = [number for number in (self.champion, self.candidate) if number is not None]
        named = [CHAMPION, *([CANDIDATE] if self.candidate is not None else [])]
        return [USUAL, *named, *map(release_name, dict.fromkeys(numbers))]


def release_name(release: int) -> str:
    """The model that is always this release."""
    return f"{_RELEASE}{release}"


async def serving(site: Site) -> Serving:
    """What serves now."""
    try:
        async with site.chat.engine.session() as session:
            champion: int | None = session.release
    except EngineError:
        champion = None
    return Serving(champion, site.trial.candidate())


@asynccontextmanager
async def engine_for(site: Site, model: str, person: int, *, beside: int | None) -> AsyncIterator[Engine | None]:
    """The engine that answers a person under a model's name, held open for the block; None for the champion's.

    Under the usual name, during a trial, the candidate answers its share of people, always the same ones. Where the
    question has an answer already, by the release `beside`, the other release answers, so that people can compare.
    Raises `ApiError` for an unknown model.
    """
    if model == USUAL:
        candidate = site.trial.candidate()
        wanted = candidate is not None and (
            beside != candidate if beside is not None else site.trial.gets_candidate(person)
        )
    elif model == CHAMPION:
        wanted = False
    else:
        found = await serving(site)
        if model not in found.names():
            raise unknown(model, found)
        wanted = found.candidate is not None and model in (CANDIDATE, release_name(found.candidate))
    if not wanted:
        yield None
        return
    async with site.trial.engine() as engine:
        yield engine


def unknown(model: str, found: Serving) -> ApiError:
    """There is no such model now."""
    there = ", ".join(found.names())
    said = f"The model '{model[:80]}' does not exist here now. There are: {there}."
    return ApiError(404, said, "model_not_found", param="model")
