"""A model under evaluation: what suites ask of it, and answers to held-out prompts as the bot would serve."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from alignment.evaluation.model import LoadedModel, loaded
from alignment.evaluation.subjects import Subject
from alignment.evaluation.suites.suite import Model
from alignment.serving.engine import Answer, PromptRefused
from data.chat import Message
from data.errors import ParleyError

_AT_ONCE = 4  # as many as the engine answers at once


class Judged(Model, Protocol):
    """What an evaluation asks of a model: what suites do, and answers with a seed each."""

    def draw(
        self, prompts: Sequence[Sequence[Message]], seeds: Sequence[int], *, max_tokens: int | None = None
    ) -> list[Answer | None]:
        """One answer a prompt, as served, drawn with that prompt's seed; None where the engine refuses the prompt."""


@dataclass(frozen=True, slots=True)
class JudgedModel(LoadedModel):
    """A loaded and served model."""

    def draw(
        self, prompts: Sequence[Sequence[Message]], seeds: Sequence[int], *, max_tokens: int | None = None
    ) -> list[Answer | None]:
        """One answer a prompt, as served, drawn with that prompt's seed; None where the engine refuses the prompt."""
        served = self.served
        if served is None:
            raise ParleyError("This model is not served, so it cannot answer.")

        def answer(prompt: Sequence[Message], seed: int) -> Answer | None:
            try:
                return served.complete(prompt, seed=seed, max_tokens=max_tokens)
            except PromptRefused:
                return None

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(answer, prompts, seeds))


@contextmanager
def open_model(subject: Subject, answered: Callable[[], None], *, serve: bool = True) -> Iterator[JudgedModel]:
    """Load a subject and, with `serve`, its engine; `answered` is called after each answer. Gone after the block."""
    with tempfile.TemporaryDirectory() as scratch, loaded(subject, Path(scratch), serve=serve) as found:
        served = replace(found.served, answered=answered) if found.served else None
        yield JudgedModel(found.model, found.tokenizer, served)
