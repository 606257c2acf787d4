"""A model under evaluation: likelihoods from its weights, answers from its engine, as the bot would serve them."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from alignment.evaluation.likelihood import Scores, answer_logprobs, completion_logprobs, scores
from alignment.evaluation.subjects import Subject
from alignment.evaluation.suites.suite import Model
from alignment.models import load_model, load_tokenizer
from alignment.rows.tokens import EncodedAnswer, control_strings
from alignment.serving.artefact import to_gguf
from alignment.serving.engine import Completion, PromptRefused, RunningEngine
from alignment.serving.engine import serve as start
from data.chat import Message, harmless
from data.errors import ParleyError
from data.rows import Row

# Most model families put the end of the previous text before a new one.
_SEPARATOR = "<|endoftext|>"
_AT_ONCE = 4  # as many as the engine answers at once


class Judged(Model, Protocol):
    """What an evaluation asks of a model: what suites ask, and answers with one seed each."""

    def draw(
        self, prompts: Sequence[Sequence[Message]], seeds: Sequence[int], *, max_tokens: int | None = None
    ) -> list[Completion | None]:
        """One answer a prompt, as served, drawn with that prompt's seed; None where the engine refuses the prompt."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer and, if it must answer, its engine. `seed` is for a suite's first answer."""

    model: Any
    tokenizer: Any
    engine: RunningEngine | None = None
    seed: int = 0
    batch_tokens: int = 2048

    def answers(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[Completion]:
        """One answer a prompt, as served. Raises `PromptRefused` where the engine refuses one."""
        # With one seed for all, draws would be alike and a suite's items would not be independent.
        drawn = self.draw(prompts, range(self.seed, self.seed + len(prompts)), max_tokens=max_tokens)
        answered = [answer for answer in drawn if answer is not None]
        if len(answered) < len(drawn):
            raise PromptRefused("The engine does not take a prompt; it is longer than its context.")
        return answered

    def draw(
        self, prompts: Sequence[Sequence[Message]], seeds: Sequence[int], *, max_tokens: int | None = None
    ) -> list[Completion | None]:
        """One answer a prompt, as served, drawn with that prompt's seed; None where the engine refuses the prompt."""
        engine = self.engine
        if engine is None:
            raise ParleyError("This model is not served, so it cannot answer; measure likelihoods only.")

        def answer(prompt: Sequence[Message], seed: int) -> Completion | None:
            try:
                return engine.complete(prompt, seed=seed, max_tokens=max_tokens)
            except PromptRefused:
                return None

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(answer, prompts, seeds))

    def logprobs(self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[tuple[float, int]]:
        """For each completion of its prompt: its log-probability in nats, end-of-turn included, and its tokens."""
        return completion_logprobs(self.model, self.tokenizer, prompts, completions, batch_tokens=self.batch_tokens)

    def text_logprobs(self, texts: Sequence[str]) -> list[tuple[float, int]]:
        """For each text outside any conversation: its log-probability in nats, and its tokens.

        The first token counts too: it follows what separates texts in pretraining.
        """
        start = _start(self.tokenizer)
        control = control_strings(self.tokenizer)
        encoded = [
            EncodedAnswer(
                [start], list(self.tokenizer(harmless(text, control), add_special_tokens=False)["input_ids"])
            )
            for text in texts
        ]
        return answer_logprobs(self.model, self.tokenizer.pad_token_id, encoded, batch_tokens=self.batch_tokens)


@contextmanager
def open_model(
    subject: Subject, answered: Callable[[], None] | None = None, *, serve: bool = True
) -> Iterator[LoadedModel]:
    """Load a subject and, with `serve`, start its engine; both are gone after the block.

    `answered` is called after each answer, to show progress.
    """
    tokenizer = load_tokenizer(subject.base)
    model = load_model(subject.base, subject.adapter)
    if not serve:
        yield LoadedModel(model, tokenizer)
        return
    with tempfile.TemporaryDirectory() as scratch:
        gguf = subject.gguf
        if gguf is None and subject.adapter is not None:
            gguf = to_gguf(subject.adapter, subject.base, Path(scratch) / "adapter.gguf")
        with start(subject.base, gguf) as engine:
            yield LoadedModel(model, tokenizer, replace(engine, answered=answered))


def score(subject: Subject, preferences: Sequence[Row], demonstrations: Sequence[Row]) -> Scores:
    """Load a model and measure it on held-out rows."""
    with open_model(subject, serve=False) as model:
        return scores(model, preferences, demonstrations)


def _start(tokenizer: Any) -> int:
    if _SEPARATOR in tokenizer.get_vocab():
        return int(tokenizer.convert_tokens_to_ids(_SEPARATOR))
    # ChatML models name the start of a turn as their beginning of text, a poor start that only they get.
    return int(tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id)
