"""A model under evaluation: answers from its server, as the bot would serve them, and likelihoods.

Likelihoods come from the weights beside the embedded engine, and from the server itself where it is vLLM.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from alignment.evaluation.likelihood import Scores, answer_logprobs, scores
from alignment.evaluation.subjects import Subject
from alignment.evaluation.suites.suite import Model
from alignment.gpu import on_gpu
from alignment.models import load_model, load_tokenizer
from alignment.rows.tokens import EncodedAnswer, control_strings, encode_answer
from alignment.serving.embedded import Embedded
from alignment.serving.engine import Completion, PromptRefused, RunningEngine
from alignment.serving.prompt_log_probs import answer_log_probs
from alignment.serving.server import Server
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
    """A model with its tokenizer and, if it must answer, its engine. `seed` is for a suite's first answer.

    `model` is None where the engine scores texts too.
    """

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
        control = control_strings(self.tokenizer)
        return self._scored(
            [
                encode_answer(self.tokenizer, prompt, completion, control)
                for prompt, completion in zip(prompts, completions, strict=True)
            ]
        )

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
        return self._scored(encoded)

    def _scored(self, encoded: Sequence[EncodedAnswer]) -> list[tuple[float, int]]:
        if self.model is None:
            assert self.engine is not None
            return answer_log_probs(self.engine, encoded)
        return answer_logprobs(self.model, self.tokenizer.pad_token_id, encoded, batch_tokens=self.batch_tokens)


@contextmanager
def open_model(
    subject: Subject, answered: Callable[[], None] | None = None, *, serve: bool = True, server: Server | None = None
) -> Iterator[LoadedModel]:
    """Load a subject and, with `serve`, have `server` (None: the embedded engine) answer as it, inside the block.

    `answered` is called after each answer, to show progress.
    """
    server = server or Embedded()
    tokenizer = load_tokenizer(subject.base)
    model = on_gpu(load_model(subject.base, subject.adapter)) if server.loads_gguf else None
    if model is not None and not serve:
        yield LoadedModel(model, tokenizer)
        return
    with server.serve(subject.base, subject.adapter, subject.gguf) as engine:
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
