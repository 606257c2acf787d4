"""One forward for all trainers: it lays out the rows of a batch so that shared beginnings are computed once.

TRL's trainers call the model with padded rows and use the results token by token. The trunk below the head gets other
sequences instead (`prefixes.py`), with a mask by which each token sees its own row only, and its results are moved to
their places in the padded rows. So all losses, metrics, reference modes and adapters are unchanged.
This serves every call for the hidden states of whole rows: DPO, KTO, GRPO, RLOO, PPO, the reward model and SFT.
Generation uses a cache and is left alone. `install.share_prefixes` attaches it to a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from alignment.fast.prefixes import Cost, Layout, lay_out, size_of
from alignment.fast.tree_attention import NAME, carrier, installed, looks
from alignment.models import first_line
from alignment.rows.batching import padded

# The cost of attention relative to the products with the weights, for a pair of tokens and a unit of width, where all
# pairs of a sequence are computed: it multiplies small matrices and reads a mask.
ATTENTION = 3.0
# The share of its size by which a token's hidden state may differ between both ways: in float32, and in bf16.
EXACT, ROUNDED = 1e-3, 0.1
# The share of the padded tokens that must be saved to be worth a mask, if attention is computed for all pairs.
WORTH = 0.1
# transformers' names for attention that takes a mask of any shape. FlashAttention takes none.
MASKED = (NAME, "eager", "flex_attention")
# transformers' names for layers that see their whole row, or a window of it.
_ATTENDING = ("full_attention", "sliding_attention")
_WINDOWS = ("sliding_window", "attention_chunk_size", "window_size", "attention_window_size")
# Tokens of the rows on which both ways are compared; no model's window is shorter.
_SHARED, _OWN = 8, 4

REFUSED = "Shared beginnings of rows are computed separately for each row: {problem}."


def unfit(model: Any, trunk: Any) -> str | None:
    """Why a model cannot share prefixes, as far as that is visible without computing anything."""
    config = trunk.config.get_text_config()
    if trunk is model or not getattr(trunk, "_supports_attention_backend", False):
        return f"{type(model).__name__} has its own kind of attention"
    if trunk.config._attn_implementation not in MASKED:
        return f"{trunk.config._attn_implementation} takes no mask (attn_implementation)"
    if other := sorted(set(getattr(config, "layer_types", None) or ()) - set(_ATTENDING)):
        return f"{type(model).__name__} has layers of another kind ({', '.join(other)})"
    try:
        cost_of(trunk.config)
    except (AttributeError, TypeError, ValueError):  # layers of different sizes
        return f"the layers of {type(model).__name__} differ in size"
    return None


@dataclass
class _Next:
    """The rows of a trunk's next call, shape (rows, width), and their outputs once they are computed."""

    ids: torch.Tensor
    kept: torch.Tensor
    grad: bool
    outputs: Any = None


class SharingTrunk:
    """The forward of a trunk that shares prefixes."""

    def __init__(self, trunk: Any, tell: Callable[[str], None]) -> None:
        self.trunk, self.plain, self.cost, self.tell = trunk, trunk.forward, cost_of(trunk.config), tell
        self.checked, self.works = False, True
        self.next: _Next | None = None

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        if not self.checked:  # at the first call of any kind, so that all processes do this together
            self.check()
        following, self.next = self.next, None
        if args or not self.works or not _servable(self.trunk, inputs):
            return self.plain(*args, **inputs)
        if following is not None and following.outputs is not None:
            if _asked(following, inputs):
                return following.outputs
            following = None
        ids, kept = inputs["input_ids"], inputs["attention_mask"].bool()
        rows = _rows(ids, kept)
        if following is not None and self._worth_joining(rows, following):
            layout = self.lay_out([*rows, *_rows(following.ids, following.kept)], ids.device)
            if self._saves(layout, ids.numel() + following.ids.numel(), ids.device):
                return self._with_next(layout, kept, following, inputs)
        layout = self.lay_out(rows, ids.device)
        if not self._saves(layout, ids.numel(), ids.device):
            return self.plain(**inputs)
        outputs = self.together(layout, inputs)
        outputs.last_hidden_state = outputs.last_hidden_state.flatten(0, 1)[places(layout, kept)]
        return outputs

    def _saves(self, layout: Layout, size: int, device: Any) -> bool:
        """Whether a batch is computed faster in this layout than padded, with `size` tokens."""
        return _by_trees(self.trunk, device) or layout.length * len(layout.ids) <= (1 - WORTH) * size

    def _with_next(self, layout: Layout, kept: torch.Tensor, following: _Next, inputs: dict[str, Any]) -> Any:
        """The outputs for these rows, which have no gradients; those for the next call are kept for it."""
        with torch.set_grad_enabled(following.grad):
            outputs = self.together(layout, inputs)
            hidden = outputs.last_hidden_state.flatten(0, 1)
            following.outputs = type(outputs)(last_hidden_state=hidden[places(layout, following.kept, len(kept))])
        self.next = following
        outputs.last_hidden_state = hidden.detach()[places(layout, kept)]
        return outputs

    @contextmanager
    def before(self, ids: torch.Tensor, mask: torch.Tensor) -> Iterator[None]:
        """Announce the rows of the call after the block; the block's own rows may be computed along with them.

        The block computes without gradients. The announced rows have gradients where those are on outside of it.
        """
        self.next = _Next(ids, mask.bool(), torch.is_grad_enabled())
        try:
            yield
        finally:
            if self.next is not None and self.next.outputs is None:  # they were not computed
                self.next = None

    def _worth_joining(self, rows: list[list[int]], following: _Next) -> bool:
        """Whether these rows cost less together with the next ones than alone.

        If the next ones have gradients, these rows then need a backward pass too, for nothing. It costs about as much
        as one or two forward passes.
        """
        if not _within_windows(self.trunk, following.kept):
            return False
        if not following.grad:
            return True
        others = _rows(following.ids, following.kept)
        return 3 * (size_of([*rows, *others]) - size_of(others)) < size_of(rows)

    def lay_out(self, rows: Sequence[Sequence[int]], device: Any) -> Layout:
        """The layout in which rows are computed on a device."""
        return lay_out(rows, None if _by_trees(self.trunk, device) else self.cost, 0)

    def together(self, layout: Layout, inputs: dict[str, Any]) -> Any:
        """The trunk's outputs for rows in a layout."""
        device = inputs["input_ids"].device
        laid_out = {
            "input_ids": torch.tensor(layout.ids, device=device),
            "position_ids": torch.tensor(layout.positions, device=device),
            "attention_mask": attention(layout, self.trunk, device),
            "use_cache": False,
        }
        return self.plain(**{**inputs, **laid_out})

    @torch.no_grad()
    def check(self) -> None:
        """Compute made-up rows both ways, without dropout, and compare: two branch, one is their start, one new."""
        self.checked = True
        device = next(self.trunk.parameters()).device
        words = min(1000, self.trunk.config.get_text_config().vocab_size)
        drawn = torch.randint(0, words, (3 * _OWN + _SHARED,), generator=torch.Generator().manual_seed(0)).tolist()
        own = [drawn[at : at + _OWN] for at in range(0, 3 * _OWN, _OWN)]
        shared = drawn[3 * _OWN :]
        rows = [[*shared, *own[0]], [*shared, *own[1]], shared[: _OWN + 1], own[2]]
        ids, mask = padded(rows, 0)
        ids, kept = ids.to(device), mask.to(device).bool()
        before = {module: module.training for module in self.trunk.modules()}
        self.trunk.eval()
        exact = all(each.dtype in _FULL for each in self.trunk.parameters() if each.is_floating_point())
        # Use float32 if the weights are: autocast would round differently in both ways.
        plain = torch.autocast(device.type, enabled=False) if exact else nullcontext()
        try:
            with plain:
                # Lay them in one sequence, at any cost: otherwise each row might be alone in its own.
                layout = lay_out(rows, None, 0)
                together = self.together(layout, {"input_ids": ids}).last_hidden_state.flatten(0, 1)
                together = together[places(layout, kept)][kept]
                alone = self.plain(input_ids=ids, attention_mask=kept.long(), use_cache=False).last_hidden_state[kept]
            exact = exact and alone.dtype in _FULL  # FSDP computes float32 weights in bf16
            alone, together = alone.float(), together.float()
            apart = float(((alone - together).norm(dim=-1) / alone.norm(dim=-1).clamp(min=1e-6)).max())
            self.works = apart < (EXACT if exact else ROUNDED)
            problem = f"computed together, this model's hidden states differ by up to {apart:.2g} of their size"
        except Exception as error:  # whatever goes wrong, the model still computes row by row
            self.works, problem = False, f"this model cannot compute rows together ({first_line(error)})"
        finally:
            for module, training in before.items():
                module.training = training
        if not self.works:
            self.tell(REFUSED.format(problem=problem))


_FULL = (torch.float32, torch.float64)


def cost_of(config: Any) -> Cost:
    """The cost of a token, and of a pair of tokens, in one layer, in multiplications."""
    text = config.get_text_config()
    hidden = text.hidden_size
    inner = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * hidden
    heads = getattr(text, "num_attention_heads", 1)
    width = (getattr(text, "head_dim", None) or hidden // heads) * heads
    shared = (getattr(text, "num_key_value_heads", None) or heads) / heads
    gated = 3 if hasattr(text, "hidden_act") else 2
    return Cost(token=2 * hidden * width * (1 + shared) + gated * hidden * inner, pair=2 * width * ATTENTION)


def attention(layout: Layout, trunk: Any, device: Any) -> Any:
    """Which tokens each token sees, in the form that the trunk's attention takes.

    The shape is (sequences, 1, length, length), but for attention by trees.
    """
    if trunk.config._attn_implementation == "flex_attention":
        return _block_mask(layout, device)
    if _by_trees(trunk, device):
        return carrier(looks(layout))
    seen = visible(layout, device)
    if trunk.config._attn_implementation == "eager":
        dtype = next(trunk.parameters()).dtype
        return torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill(~seen, torch.finfo(dtype).min)
    return seen


def _by_trees(trunk: Any, device: Any) -> bool:
    return bool(trunk.config._attn_implementation == NAME and torch.device(device).type == "cpu" and installed())


def visible(layout: Layout, device: Any = "cpu") -> torch.Tensor:
    """Whether a token sees another: (sequences, 1, length, length) of booleans.

    It sees the tokens before it and itself, in its own stretch and in the stretches that this one follows. Padding
    sees itself only, because an average needs something to average.
    """
    stretches = torch.tensor(layout.stretches, device=device)
    positions = torch.tensor(layout.positions, device=device)
    seen = _follows(layout).to(device)[stretches[:, :, None], stretches[:, None, :]]
    return (seen & (positions[:, None, :] <= positions[:, :, None]))[:, None]


def _follows(layout: Layout) -> torch.Tensor:
    """Whether a stretch is another one or follows it, shape (stretches + 1, stretches + 1); the last is padding."""
    found = torch.eye(len(layout.above) + 1, dtype=torch.bool)
    for number, above in enumerate(layout.above):  # a stretch has a larger number than the one that it follows
        if above >= 0:
            found[number] |= found[above]
    return found


def _block_mask(layout: Layout, device: Any) -> Any:
    """The same for FlexAttention, which skips blocks in which no token sees another."""
    # This is imported here because it loads a compiler that others do not need.
    from torch.nn.attention.flex_attention import create_block_mask

    follows = _follows(layout).to(device)
    # Padding's stretch is -1, which a kernel does not take as an index.
    stretches = torch.tensor(layout.stretches, device=device) % follows.shape[0]
    positions = torch.tensor(layout.positions, device=device)

    def sees(sequence: Any, _head: Any, query: Any, key: Any) -> Any:
        seen = follows[stretches[sequence, query], stretches[sequence, key]]
        return seen & (positions[sequence, key] <= positions[sequence, query])

    return create_block_mask(sees, len(layout.ids), None, layout.length, layout.length, device=str(device))


def _rows(ids: torch.Tensor, kept: torch.Tensor) -> list[list[int]]:
    """The token ids of padded rows."""
    return [row[seen].tolist() for row, seen in zip(ids.cpu(), kept.cpu(), strict=True)]


def _asked(following: _Next, inputs: dict[str, Any]) -> bool:
    """Whether this is the call whose rows were computed ahead of it."""
    ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
    return (
        isinstance(ids, torch.Tensor)
        and isinstance(mask, torch.Tensor)
        and torch.equal(ids, following.ids)
        and torch.equal(mask.bool(), following.kept)
        and torch.is_grad_enabled() == following.grad
    )


def places(layout: Layout, kept: torch.Tensor, first: int = 0) -> torch.Tensor:
    """For each place in padded rows, shape (rows, width), the number of a layout's token; 0 for padding.

    `first` is the number of the first of these rows in the layout.
    """
    found = torch.zeros(kept.shape, dtype=torch.long)
    where = layout.where[first : first + len(kept)]
    flat = [sequence * layout.length + place for row in where for sequence, place in row]
    found[kept.cpu()] = torch.tensor(flat)
    return found.to(kept.device)


def _servable(trunk: Any, inputs: dict[str, Any]) -> bool:
    """Whether a call is for whole padded rows, without a cache, and for nothing but the last hidden state.

    Other results would come back in the layout, not in the call's rows.
    """
    if inputs.get("use_cache") or inputs.get("past_key_values") is not None or inputs.get("position_ids") is not None:
        return False
    ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
    if ids is None or not isinstance(mask, torch.Tensor) or mask.dim() != 2 or not bool(mask.any()):
        return False
    config = trunk.config.get_text_config()
    for name in ("output_router_logits", "output_hidden_states", "output_attentions"):
        if inputs.get(name) or getattr(config, name, False):
            return False
    return _within_windows(trunk, mask)


def _within_windows(trunk: Any, mask: torch.Tensor) -> bool:
    """Whether all rows are short enough for every layer to see the whole of them."""
    config = trunk.config.get_text_config()
    windows = [window for name in _WINDOWS if (window := getattr(config, name, None))]
    return not windows or int(mask.sum(dim=1).max()) <= min(windows)
