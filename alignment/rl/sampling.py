"""Sampling answers on a CPU: from a plain copy of the model with the policy's adapter added into its weights.

An adapter costs hundreds of small products a token, and mixed precision casts every weight again. A copy
without either samples several times faster. It differs from the policy by rounding only. That does no harm, because
the log-probabilities that PPO works with are the policy's own, taken afterwards. `decoding` has the loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers.initialization import no_init_weights

from alignment.fast.packed import Packed, packable
from alignment.rl.decoding import decode, follows, new_cache
from alignment.training.errors import DIVERGED, Diverged


class PlainCopy:
    """A copy of a PEFT model's base, for sampling. Held in `dtype`; takes as much memory as the base.

    A packed head takes its memory once more where the embedding is the same tensor.
    """

    def __init__(self, model: Any, dtype: torch.dtype) -> None:
        base = model.get_base_model()
        with no_init_weights():  # all weights are copied
            self.model = type(base)._from_config(base.config, dtype=dtype).eval()
        self.model.requires_grad_(False)
        own = {
            name.replace(".base_layer.", "."): tensor
            for name, tensor in base.state_dict().items()
            if "lora_" not in name
        }
        self.model.load_state_dict(own, strict=False)
        self.model.tie_weights()
        head = self.model.get_output_embeddings()
        if packable(head):
            self.model.set_output_embeddings(Packed(head))

    @torch.no_grad()
    def take(self, model: Any, adapter: str = "default") -> None:
        """Copy the policy's current weights."""
        for name, layer in model.get_base_model().named_modules():
            # To the policy, a layer that only the critic adapts is the base's own.
            if isinstance(layer, BaseTunerLayer) and adapter in layer.lora_A:
                weight = layer.get_base_layer().weight + layer.get_delta_weight(adapter)
                own = self.model.get_submodule(name)
                if isinstance(own, Packed):
                    own.pack(weight)
                else:
                    own.weight.copy_(weight)

    @torch.no_grad()
    def sample(
        self, prompts: Sequence[Sequence[int]], config: Any, pad: int, stops: Sequence[int]
    ) -> list[list[int]]:
        """The token ids of one answer to each prompt, up to its first stop token (included) or the length limit.

        A repeated prompt is read once. Raises `Diverged` if the policy's probabilities are not finite.
        """
        ids, mask = padded_left(prompts, pad)
        longest = ids.shape[1]
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "generation_config": config,
            # The Trainer switched the cache off in the configuration that the copy has from the base.
            "use_cache": True,
        }
        if follows(config):
            inputs["past_key_values"] = self._read(prompts, ids, mask)
            uniforms = torch.rand(len(prompts), config.max_new_tokens, dtype=torch.float64)
            found: list[list[int]] = self.model.generate(**inputs, custom_generate=decode, uniforms=uniforms)
        else:
            found = self._by_transformers(inputs)[:, longest:].tolist()
        return [cut(tokens, stops) for tokens in found]

    def _by_transformers(self, inputs: dict[str, Any]) -> torch.Tensor:
        """Prompts and answers, padded, from transformers' own loop: it knows settings that `decode` does not."""
        try:
            found: torch.Tensor = self.model.generate(**inputs)
        except RuntimeError as error:
            if "probability tensor" not in str(error):
                raise
            raise Diverged("The policy's probabilities are no longer finite: " + DIVERGED) from None
        return found

    def _read(self, prompts: Sequence[Sequence[int]], ids: torch.Tensor, mask: torch.Tensor) -> Any:
        """The cache of all but each prompt's last token, every distinct prompt read once; empty if all differ."""
        cache = new_cache(self.model)
        first = {tuple(prompt): row for row, prompt in reversed([*enumerate(prompts)])}
        if len(first) == len(prompts) or ids.shape[1] < 2:
            return cache
        rows = sorted(first.values())
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        self.model(
            input_ids=ids[rows, :-1],
            attention_mask=mask[rows, :-1],
            position_ids=positions[rows, :-1],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.batch_select_indices(torch.tensor([rows.index(first[tuple(prompt)]) for prompt in prompts]))
        return cache


def padded_left(prompts: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask of prompts to go on from: two tensors of shape (prompts, longest)."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    return ids, mask


def cut(tokens: list[int], stops: Sequence[int]) -> list[int]:
    """An answer up to its first stop token, included."""
    end = next((at + 1 for at, token in enumerate(tokens) if token in stops), len(tokens))
    return tokens[:end]
