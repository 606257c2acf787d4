"""The loop that samples: `transformers.generate` prepares everything, and `decode` stands in for its own loop.

It differs from transformers' loop in three ways. A token is found by inverting the cumulative distribution: one
pass over the scores and a search, where `torch.multinomial` draws a number for every word. An answer that has ended
leaves the batch. And the cache of keys and values has room to grow, so that a step does not copy all of it.

Each answer's random numbers are drawn beforehand, so that none of this depends on when other answers end. Written for
transformers 5.23.0.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, GenerationConfig
from transformers.cache_utils import DynamicLayer
from transformers.generation import GenerationMode

from alignment.training.errors import DIVERGED, Diverged

ROOM = 64  # tokens by which a cache grows

# Settings that `decode` follows; `transformers.generate` applies those that change the scores.
_FOLLOWED = {
    "bos_token_id",
    "disable_compile",
    "do_sample",
    "eos_token_id",
    "max_length",
    "max_new_tokens",
    "min_new_tokens",
    "min_p",
    "pad_token_id",
    "repetition_penalty",
    "temperature",
    "top_k",
    "top_p",
    "transformers_version",
}


def follows(config: GenerationConfig) -> bool:
    """Whether `decode` can do what the settings say; for any other setting transformers' own loop runs."""
    named = {name for name, value in config.to_diff_dict().items() if value is not None}
    return config.get_generation_mode() == GenerationMode.SAMPLE and named <= _FOLLOWED


def draw(scores: Tensor, uniform: Tensor) -> Tensor:
    """A token for each row, shape (rows,), with the probabilities softmax(scores).

    `scores`: shape (rows, vocabulary), -inf for a token that must not come. `uniform`: shape (rows,), float64, each
    at least 0 and below 1. A token whose probability is 0 is never drawn. Raises `Diverged` if scores are not finite.
    """
    odds = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    # In float32 the sum over a large vocabulary would swallow the rare tokens at its end.
    reached = odds.cumsum(dim=-1, dtype=torch.float64)
    total = reached[:, -1:]
    if not bool(total.isfinite().all()):
        raise Diverged("The policy's probabilities are no longer finite: " + DIVERGED)
    # Below the total, after rounding too, since each number is below 1.
    mark = uniform[:, None] * total
    # The first token that exceeds the mark. One that adds nothing to the sum exceeds no mark before another does.
    return torch.searchsorted(reached, mark, right=True)[:, 0]


def decode(
    model: Any,
    input_ids: Tensor,
    logits_processor: Any,
    stopping_criteria: Any,
    generation_config: GenerationConfig,  # noqa: ARG001 - `generate` passes it
    uniforms: Tensor,
    **inputs: Any,
) -> list[list[int]]:
    """The token ids of each row's answer, its stop token included: pass it to `generate` as `custom_generate`.

    `uniforms`: a random number for each token of each answer, shape (rows, longest answer), float64.
    """
    answers: list[list[int]] = [[] for _ in input_ids]
    growing = torch.arange(len(input_ids))  # the numbers of the rows whose answers have not ended
    fresh = input_ids.shape[1] - inputs["past_key_values"].get_seq_length()
    first = True
    while True:
        given = model.prepare_inputs_for_generation(
            input_ids, next_sequence_length=fresh, is_first_iteration=first, **inputs
        )
        outputs = model(**given, return_dict=True)
        inputs = model._update_model_kwargs_for_generation(outputs, inputs)
        scores = logits_processor(input_ids, outputs.logits[:, -1].float())
        tokens = draw(scores, uniforms[growing, len(answers[int(growing[0])])])
        for row, token in zip(growing.tolist(), tokens.tolist(), strict=True):
            answers[row].append(token)
        input_ids = torch.cat([input_ids, tokens[:, None]], dim=1)
        goes_on = (~stopping_criteria(input_ids, None)).nonzero()[:, 0]
        if not len(goes_on):
            return answers
        if len(goes_on) < len(growing):
            growing, input_ids = growing[goes_on], input_ids[goes_on]
            inputs = {name: _rows(value, goes_on) for name, value in inputs.items()}
        fresh, first = 1, False


def _rows(value: Any, kept: Tensor) -> Any:
    """What `generate` passes to each step, for some of the rows."""
    if isinstance(value, DynamicCache):
        value.batch_select_indices(kept)
        return value
    return value[kept] if isinstance(value, Tensor) and value.dim() else value


def new_cache(model: Any) -> DynamicCache:
    """An empty cache for a model, with room to grow in the layers that keep every token."""
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    cache.layers = [Roomy() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class Roomy(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """A cache's layer whose tensors are the beginnings of larger ones, into which the next tokens are written."""

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Begin with nothing, in the shape of the first keys and values."""
        super().lazy_initialization(key_states, value_states)
        self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        self.room: list[Tensor | None] = [None, None]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Add keys and values, shape (rows, heads, new tokens, size); returns all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self._grown(0, self.keys, key_states)
        self.values = self._grown(1, self.values, value_states)
        return self.keys, self.values

    def _grown(self, which: int, held: Tensor, more: Tensor) -> Tensor:
        room, start, end = self.room[which], held.shape[2], held.shape[2] + more.shape[2]
        # After a selection of rows, what is held lies elsewhere.
        if room is None or room.data_ptr() != held.data_ptr() or room.shape[2] < end:
            rows, heads, _, size = more.shape
            room = more.new_empty(rows, heads, end + ROOM, size)
            room[:, :, :start] = held
            self.room[which] = room
        room[:, :, start:end] = more
        return room[:, :, :end]
