"""A loaded and served model as suites see it: likelihoods from its weights, answers from its engine."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment.evaluation.likelihood import answer_logprobs, completion_logprobs
from alignment.evaluation.suites.suite import AnswerLike
from alignment.rows.tokens import EncodedAnswer, control_strings
from data.chat import Message, harmless
from data.errors import ParleyError

if TYPE_CHECKING:
    from alignment.evaluation.subjects import Subject
    from alignment.serving.engine import Served

# What stands before a text that begins from nothing, in most families: the end of the text before it.
_SEPARATOR = "<|endoftext|>"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model with its tokenizer and, if it is to answer, its engine. `seed` is that of a suite's first answer."""

    model: Any
    tokenizer: Any
    served: "Served | None" = None
    seed: int = 0
    batch_tokens: int = 2048

    def answers(self, prompts: Sequence[Sequence[Message]], *, max_tokens: int) -> list[AnswerLike]:
        """One answer a prompt, as served; four are asked for at once, as many as the engine answers at once."""
        served = self.served
        if served is None:
            raise ParleyError("This model is not served, so it cannot answer; measure likelihoods only.")

        def answer(number: int, prompt: Sequence[Message]) -> AnswerLike:
            # One seed for all would draw alike for all, and a suite's items would not be independent.
            return served.complete(prompt, seed=self.seed + number, max_tokens=max_tokens)

        with ThreadPoolExecutor(max_workers=4) as pool:
            return list(pool.map(answer, range(len(prompts)), prompts))

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
def loaded(subject: "Subject", scratch: Path, *, serve: bool = True) -> Iterator[LoadedModel]:
    """Load a subject and, with `serve`, start its engine; both go with the block. `scratch` is an empty folder."""
    from alignment.models import load_model, load_tokenizer

    tokenizer = load_tokenizer(subject.base)
    model = load_model(subject.base, subject.adapter)
    if not serve:
        yield LoadedModel(model, tokenizer)
        return
    from alignment.export import to_gguf
    from alignment.serving.engine import serve as start

    gguf = subject.gguf
    if gguf is None and subject.adapter is not None:
        gguf = to_gguf(subject.adapter, subject.base, scratch / "adapter.gguf")
    with start(subject.base, gguf) as served:
        yield LoadedModel(model, tokenizer, served)


def _start(tokenizer: Any) -> int:
    if _SEPARATOR in tokenizer.get_vocab():
        return int(tokenizer.convert_tokens_to_ids(_SEPARATOR))
    # Chat models of the ChatML kind call the beginning of a turn their beginning; only then is it a poor start.
    return int(tokenizer.eos_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id)
