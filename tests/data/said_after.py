"""Follow-up messages in short names, and the rows that they become."""

from typing import Any

import pytest

from data import candidates
from data.collected import Collected
from data.store import StoredGeneration
from tests.data.talk import Talk


def in_fold(monkeypatch: pytest.MonkeyPatch, fold: str) -> None:
    monkeypatch.setattr("data.folds.Anchors.folds", lambda _, kept, **__: [fold] * len(kept))


async def followed(talk: Talk, person: int, said: str, question: str = "q", text: str = "a") -> StoredGeneration:
    (answer,) = await talk.ask(person, question, text)
    await talk.say(person, said, parent=answer.message)
    return answer


def weak(collected: Collected) -> list[dict[str, Any]]:
    return [row.data for row in collected.of("labelled") if row.extra["source"] == candidates.FOLLOWUP]
