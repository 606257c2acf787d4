"""One forward for all trainers: a batch's rows packed into sequences in which what they share is computed once.

TRL's trainers call the model with padded rows and use what comes back token by token; the trunk below it is given
packed sequences instead (`alignment.prefixes`), with a mask by which each token sees its own row only, and what it
computes is put back where the padded rows have it. So all losses, metrics, reference modes and adapters stay what
they are. It serves every call that wants hidden states of whole rows: DPO, KTO, GRPO, RLOO and PPO, the reward model,
SFT; generation, which wants a cache, is left alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch

from alignment.prefixes import Cost, Packed, pack
from alignment.tree_attention import NAME, carrier, looks, take_over

# How dear attention is beside the products with the weights, a pair of tokens and unit of width: it multiplies small
# matrices and reads a mask. Measured on a CPU; see `tests/bench/training.py`.
ATTENTION = 3.0
# By how much of its size a token's hidden state may differ between both ways: float32, and bf16.
EXACT, ROUNDED = 1e-3, 0.2


def share_prefixes(model: Any, tell: Callable[[str], None] = lambda _: None) -> None:
    """Let a model's trunk compute what rows of a batch share once. Give the model itself, not one that PEFT wrapped.

    The first batch is computed both ways and compared. Where they differ, as for an attention that no mask expresses,
    `tell` gets a sentence, and everything is computed row by row as before.
    """
    trunk = model.base_model
    if getattr(trunk, "_shared", None) is not None:
        return
    take_over()
    trunk._shared = _Shared(trunk, cost_of(model.config), tell)

    @functools.wraps(type(trunk).forward)
    def forward(self: Any, *args: Any, **inputs: Any) -> Any:
        return self._shared(*args, **inputs)

    trunk.forward = MethodType(forward, trunk)


class _Shared:
    """The forward of a trunk that shares prefixes."""

    def __init__(self, trunk: Any, cost: Cost, tell: Callable[[str], None]) -> None:
        self.trunk, self.plain, self.cost, self.tell = trunk, trunk.forward, cost, tell
        self.checked, self.works = False, True

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        if args or not self.works or not _servable(self.trunk, inputs):
            return self.plain(*args, **inputs)
        if not self.checked:
            self.check(inputs)
            if not self.works:
                return self.plain(**inputs)
        return self.packed(inputs)

    def packed(self, inputs: dict[str, Any]) -> Any:
        """The trunk's outputs for padded rows, computed on packed sequences."""
        ids, kept = inputs["input_ids"], inputs["attention_mask"].bool()
        rows = [row[seen].tolist() for row, seen in zip(ids.cpu(), kept.cpu(), strict=True)]
        packed = pack(rows, None if _by_trees(self.trunk, ids.device) else self.cost, 0)
        outputs = self.plain(
            **{
                **inputs,
                "input_ids": torch.tensor(packed.ids, device=ids.device),
                "position_ids": torch.tensor(packed.positions, device=ids.device),
                "attention_mask": attention(packed, self.trunk, ids.device),
                "use_cache": False,
            }
        )
        outputs.last_hidden_state = outputs.last_hidden_state.flatten(0, 1)[places(packed, kept)]
        return outputs

    @torch.no_grad()
    def check(self, inputs: dict[str, Any]) -> None:
        """Compute a batch both ways, without dropout and in the weights' own arithmetic."""
        training, self.checked = self.trunk.training, True
        self.trunk.eval()
        kept = inputs["attention_mask"].bool()
        try:
            with torch.autocast(kept.device.type, enabled=False):
                together = self.packed(inputs).last_hidden_state[kept].float()
                # Each row by itself and without padding, which some attention turns into no number at all.
                rows = [row[seen] for row, seen in zip(inputs["input_ids"], kept, strict=True)]
                alone = torch.cat([self.alone(inputs, row) for row in rows])
            apart = float(((alone - together).norm(dim=-1) / alone.norm(dim=-1).clamp(min=1e-6)).max())
            self.works = apart < (EXACT if _in_float32(self.trunk) else ROUNDED)
            problem = f"hidden states differ by up to {apart:.2g} of their size"
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            self.works, problem = False, str(error).splitlines()[0]
        finally:
            self.trunk.train(training)
        if not self.works:
            self.tell(f"What rows share is computed for each of them: this model cannot be packed ({problem}).")

    def alone(self, inputs: dict[str, Any], row: torch.Tensor) -> torch.Tensor:
        """The hidden states of one row, (tokens, width) in float32."""
        if not len(row):
            return torch.zeros(0, self.trunk.config.get_text_config().hidden_size, device=row.device)
        one = {**inputs, "input_ids": row[None], "attention_mask": torch.ones_like(row)[None], "use_cache": False}
        found: torch.Tensor = self.plain(**one).last_hidden_state[0].float()
        return found


def cost_of(config: Any) -> Cost:
    """What a token and a pair of tokens cost in one layer, in multiplications."""
    text = config.get_text_config()
    hidden = text.hidden_size
    inner = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * hidden
    heads = getattr(text, "num_attention_heads", 1)
    width = (getattr(text, "head_dim", None) or hidden // heads) * heads
    shared = (getattr(text, "num_key_value_heads", None) or heads) / heads
    gated = 3 if hasattr(text, "hidden_act") else 2
    return Cost(token=2 * hidden * width * (1 + shared) + gated * hidden * inner, pair=2 * width * ATTENTION)


def attention(packed: Packed, trunk: Any, device: Any) -> Any:
    """Which tokens each token sees, shape (sequences, 1, length, length), as the trunk's attention takes it."""
    if trunk.config._attn_implementation == "flex_attention":
        return _block_mask(packed, device)
    if _by_trees(trunk, device):
        return carrier(looks(packed))
    seen = visible(packed).to(device)
    if trunk.config._attn_implementation == "eager":
        dtype = next(trunk.parameters()).dtype
        return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)
    return seen


def _by_trees(trunk: Any, device: Any) -> bool:
    return bool(trunk.config._attn_implementation == NAME and torch.device(device).type == "cpu")


def visible(packed: Packed) -> torch.Tensor:
    """Whether a token sees another: (sequences, 1, length, length) of booleans.

    It sees those of its own stretch and of the stretches that this one follows, as far as they are not behind it.
    Padding sees itself only, for a token that saw nothing would have no average.
    """
    stretches, positions = torch.tensor(packed.stretches), torch.tensor(packed.positions)
    seen = _follows(packed)[stretches[:, :, None], stretches[:, None, :]]
    return (seen & (positions[:, None, :] <= positions[:, :, None]))[:, None]


def _follows(packed: Packed) -> torch.Tensor:
    """Whether a stretch is another one or follows it: (stretches + 1) squared, the last being padding."""
    found = torch.eye(len(packed.above) + 1, dtype=torch.bool)
    for number, above in enumerate(packed.above):  # what is followed has the smaller number
        if above >= 0:
            found[number] |= found[above]
    return found


def _block_mask(packed: Packed, device: Any) -> Any:
    """The same for FlexAttention, which leaves out the blocks in which nothing is seen."""
    from torch.nn.attention.flex_attention import create_block_mask

    follows = _follows(packed).to(device)
    # Padding's stretch is counted from behind, which is no index for a kernel.
    stretches = torch.tensor(packed.stretches, device=device) % follows.shape[0]
    positions = torch.tensor(packed.positions, device=device)

    def sees(sequence: Any, _head: Any, query: Any, key: Any) -> Any:
        seen = follows[stretches[sequence, query], stretches[sequence, key]]
        return seen & (positions[sequence, key] <= positions[sequence, query])

    return create_block_mask(sees, len(packed.ids), None, packed.length, packed.length, device=str(device))


def _in_float32(trunk: Any) -> bool:
    exact = (torch.float32, torch.float64)
    return all(each.dtype in exact for each in trunk.parameters() if each.is_floating_point())


def places(packed: Packed, kept: torch.Tensor) -> torch.Tensor:
    """For each place of the padded rows, shape (rows, width): which of all packed tokens is there; 0 for padding."""
    found = torch.zeros(kept.shape, dtype=torch.long)
    flat = [sequence * packed.length + place for row in packed.where for sequence, place in row]
    found[kept.cpu()] = torch.tensor(flat)
    return found.to(kept.device)


def _servable(trunk: Any, inputs: dict[str, Any]) -> bool:
    """Whether a call is one of whole rows that this can pack, and not one that is packed or cached already."""
    ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
    if ids is None or mask is None or mask.dim() != 2 or inputs.get("position_ids") is not None:
        return False
    if inputs.get("use_cache") or inputs.get("past_key_values") is not None or not bool(mask.any()):
        return False
    window = getattr(trunk.config.get_text_config(), "sliding_window", None)
    return window is None or int(mask.sum(dim=1).max()) <= window
