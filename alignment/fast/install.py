"""Everything that Parley replaces in a library, on one page.

Each entry gives the library's version that was read, what is replaced, why, and which test fails when the library
changes (all of them in `tests/alignment/fast/test_install.py`). Nothing else in Parley replaces parts of a library,
and a test holds that too.

    1  TRL 1.16.0             the head of a model that a trainer makes         `heads`, `fused_head`
    2  transformers 5.23.0    the forward of one model's trunk                 `share_prefixes`
    3  transformers 5.23.0    attention, for calls that bring a tree           `_attend_by_trees`
    4  PEFT 0.21.2            the forward of one model's adapted layers        `fuse`
    5  TRL 1.16.0             the forward of one model, without padding        `leave_out_padding`
    6  PEFT 0.21.2            the class of one model                           `mix_in`
    7  datasets 5.2.0         where one dataset's reference pass is kept       `keep_reference_pass`
    8  glibc                  what malloc does with freed memory               `freed_memory_kept`

Process-wide flags switch none of this. An entry belongs to one model or one dataset (2, 4, 5, 6, 7), to the time in
which a trainer is made or trains (1, 8), or to the models that need it, and is removed after the last of them (3). So
a trainer that shares prefixes and one that does not can run side by side.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import trl.trainer.utils
from peft.tuners.lora.layer import Linear
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.pytorch_utils import Conv1D
from trl.kernels import ChunkedLogProbFunction

from alignment.fast import fused_lora, padding_free, tree_attention
from alignment.fast.head import LogProbs
from alignment.fast.trunk import REFUSED, SharingTrunk, unfit

# ------------------------------------------------------------------------------------------------------------------
# 1. TRL 1.16.0: `add_fused_lm_head` of `trl.trainer.utils`, as the module of a trainer calls it.
#
# What: a copy of TRL's function with other things under two of its names. `_use_triton` is true on every device, so
#       that only labelled positions are scored, and `_ChunkedLogProbFunction` is `LogProbs`.
# Why:  TRL scores every position where there is no Triton, for accelerators that compile for each shape. A CPU does
#       not: with a vocabulary of 49,152 and 40 % of the positions trained, a step takes 0.62 of the time this way,
#       with the same loss to the last digit. `LogProbs` saves the passes over the vocabulary that a frozen head does
#       not need.
# Test: test_trls_head_looks_up_the_two_names_that_are_replaced, test_log_probs_takes_what_trls_function_takes
# ------------------------------------------------------------------------------------------------------------------


def fused_head(*, sharing: bool = True) -> Callable[..., None]:
    """TRL's `add_fused_lm_head`, whose heads score labelled positions only, with `LogProbs` if `sharing`."""
    usual = trl.trainer.utils.add_fused_lm_head
    own = {"_use_triton": _everywhere, "_ChunkedLogProbFunction": LogProbs if sharing else ChunkedLogProbFunction}
    copy = FunctionType(
        usual.__code__, {**vars(trl.trainer.utils), **own}, usual.__name__, usual.__defaults__, usual.__closure__
    )
    copy.__kwdefaults__ = usual.__kwdefaults__
    return copy


def _everywhere(_device: Any) -> bool:
    return True


@contextmanager
def heads(trainer: type, *, sharing: bool) -> Iterator[None]:
    """Inside the block, a trainer of this class gives its models the heads of `fused_head`."""
    modules: list[Any] = [
        sys.modules[each.__module__] for each in trainer.__mro__ if each.__module__.startswith("trl.")
    ]
    changed = [module for module in modules if hasattr(module, "add_fused_lm_head")]
    before = [module.add_fused_lm_head for module in changed]
    for module in changed:
        module.add_fused_lm_head = fused_head(sharing=sharing)
    try:
        yield
    finally:
        for module, usual in zip(changed, before, strict=True):
            module.add_fused_lm_head = usual


# ------------------------------------------------------------------------------------------------------------------
# 2. transformers 5.23.0: `forward` of one model's trunk (`base_model`).
#
# What: `SharingTrunk` computes the shared beginnings of a batch's rows once, and leaves out the padding.
# Why:  half to nine tenths of the tokens in a batch of preferences are the same prompts again.
# Test: test_a_trunk_takes_what_sharing_gives_it; `SharingTrunk.check` compares both ways before the first batch
# ------------------------------------------------------------------------------------------------------------------


def share_prefixes(model: Any, tell: Callable[[str], None] = lambda _: None) -> None:
    """Let a model's trunk compute shared beginnings once. Give the model itself, not PEFT's wrapper.

    Before the first batch a few made-up rows are computed both ways and compared. If they differ, or no mask suits
    this kind of model, `tell` gets a message, and everything is computed row by row as before.
    """
    trunk = model.base_model
    if sharing_of(model) is not None:
        return
    if problem := unfit(model, trunk):
        tell(REFUSED.format(problem=problem))
        return
    _attend_by_trees(trunk)
    trunk._sharing = SharingTrunk(trunk, tell)
    _set_forward(trunk, lambda self, *args, **inputs: self._sharing(*args, **inputs))


def sharing_of(model: Any) -> SharingTrunk | None:
    """The object that computes a model's rows together, if there is one."""
    return getattr(model.base_model, "_sharing", None)


def shares(model: Any) -> bool:
    """Whether a model computes shared beginnings once; tried on made-up rows if nothing was computed yet."""
    sharing = sharing_of(model)
    if sharing is not None and not sharing.checked:
        sharing.check()
    return sharing is not None and sharing.works


def _set_forward(module: Any, forward: Callable[..., Any]) -> None:
    """Give one module another forward, with the signature of its class's forward, which `generate` reads."""

    @functools.wraps(type(module).forward)
    def own(self: Any, *args: Any, **inputs: Any) -> Any:
        return forward(self, *args, **inputs)

    module.forward = MethodType(own, module)


# ------------------------------------------------------------------------------------------------------------------
# 3. transformers 5.23.0: `ALL_ATTENTION_FUNCTIONS["sdpa"]`, while there is a model that shares prefixes.
#
# What: a call whose mask carries a tree is computed by `TreeAttention`; every other call is transformers' own.
# Why:  torch's attention on a CPU computes all pairs of tokens and masks most of them. The function cannot belong to
#       a model: layers find it by the name in their configuration, and some models ask whether that name is "sdpa".
# Test: test_transformers_attention_is_called_as_ours_is, test_attention_is_given_back_after_the_last_model
# ------------------------------------------------------------------------------------------------------------------

_attending: set[int] = set()  # the `id`s of the trunks that need it


def _attend_by_trees(trunk: Any) -> None:
    if not _attending:
        usual = ALL_ATTENTION_FUNCTIONS[tree_attention.NAME]
        ALL_ATTENTION_FUNCTIONS[tree_attention.NAME] = functools.partial(tree_attention.attend, usual)
    _attending.add(id(trunk))
    weakref.finalize(trunk, _attend_as_before, id(trunk)).atexit = False


def _attend_as_before(trunk: int) -> None:
    _attending.discard(trunk)
    if not _attending and tree_attention.installed():
        (usual,) = ALL_ATTENTION_FUNCTIONS[tree_attention.NAME].args
        ALL_ATTENTION_FUNCTIONS[tree_attention.NAME] = usual


# ------------------------------------------------------------------------------------------------------------------
# 4. PEFT 0.21.2: `forward` of one model's LoRA layers, and of transformers' gated blocks that are made of them.
#
# What: base, factors and sum of a layer in one step of autograd; a layer that is not plain is computed by PEFT.
# Why:  PEFT reads and writes a layer's output four times, and autocast rounds frozen weights anew in every pass.
# Test: test_pefts_layer_computes_what_was_read; `fused_lora.is_gated` compares a block both ways
# ------------------------------------------------------------------------------------------------------------------


def fuse(model: Any) -> int:
    """Let a PEFT model's plain LoRA layers be computed in one step; returns how many there are.

    Each call decides anew. Layers that are not plain (several adapters at once, dropout while training, DoRA,
    quantised or trained weights, merged adapters) are computed by PEFT. Not for weights that are split over devices:
    the modules that this skips are the ones that gather them.
    """
    kinds = (nn.Linear, Conv1D)
    layers = [each for each in model.modules() if type(each) is Linear and type(each.get_base_layer()) in kinds]
    for layer in layers:
        _fuse(layer, fused_lora.layer_forward)
    for block in model.modules():
        if not fused_lora.is_fused(block) and fused_lora.is_gated(block):
            _fuse(block, fused_lora.gated_forward)
    return len(layers)


def _fuse(module: Any, forward: Callable[..., Any]) -> None:
    if not fused_lora.is_fused(module):
        module._plain_forward = module.forward
        _set_forward(module, forward)


# ------------------------------------------------------------------------------------------------------------------
# 5. TRL 1.16.0: `forward` of one model with TRL's fused head.
#
# What: the rows of a batch end to end, without padding, where TRL calls the head.
# Why:  TRL's `padding_free` is switched off in DPO and unknown in KTO; this serves both, below TRL's one call.
# Test: test_trls_head_takes_rows_end_to_end
# ------------------------------------------------------------------------------------------------------------------


def leave_out_padding(model: Any) -> None:
    """Let a causal model with TRL's fused head skip padding; its other calls are as before.

    Give the model itself, not one that PEFT or accelerate wrapped.
    """
    padded = model.forward
    _set_forward(model, lambda _self, *args, **inputs: padding_free.end_to_end(padded, *args, **inputs))


# ------------------------------------------------------------------------------------------------------------------
# 6. PEFT 0.21.2: the class of one PEFT model.
#
# What: a class that inherits from the model's own and adds the mixin (PPO's values).
# Why:  the Trainer prepares one module; TRL and PEFT would not recognise a wrapper around a PEFT model.
# Test: test_a_peft_models_class_can_be_extended
# ------------------------------------------------------------------------------------------------------------------


def mix_in(model: Any, mixin: type) -> None:
    """Give one model a class that also has what `mixin` defines."""
    kind: type = type(model)
    model.__class__ = _mixed(mixin, kind)


@functools.cache
def _mixed(mixin: type, kind: type) -> type:
    return type(mixin.__name__, (mixin, kind), {})


# ------------------------------------------------------------------------------------------------------------------
# 7. datasets 5.2.0: `_get_cache_file_path` of one dataset.
#
# What: TRL's pass of the reference is kept in the run folder.
# Why:  for rows in memory, each process would look in a folder of its own, but only the first one writes.
# Test: test_trl_asks_a_dataset_where_to_keep_the_reference
# ------------------------------------------------------------------------------------------------------------------


def keep_reference_pass(dataset: Any, folder: Path, name: str) -> None:
    """Let TRL keep the reference's results for a dataset in a folder, under the dataset's name."""
    dataset._get_cache_file_path = lambda fingerprint: str(folder / f"reference-{name}-{fingerprint}.arrow")


# ------------------------------------------------------------------------------------------------------------------
# 8. glibc 2.36: malloc's settings, while a stage trains. Nothing on other C libraries.
#
# What: freed memory is kept for the next step: it goes back to the kernel above 2 GiB only, the largest limit, and no
#       allocation gets a separate mapping. Afterwards all of it goes back, and the settings are those at which
#       glibc's own adjusting ends after large allocations (malloc.h, and mallopt in the manual).
# Why:  the kernel fills each page with zeros when the next step asks for it: about a microsecond for 4 KiB, up to a
#       tenth of a step.
# Test: test_freed_memory_is_used_again_until_it_is_given_back, in test_memory.py
# ------------------------------------------------------------------------------------------------------------------

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**26, _MMAP_MAX: 0}
_USUAL = {_TRIM_THRESHOLD: 2**26, _TOP_PAD: 2**17, _MMAP_THRESHOLD: 2**25, _MMAP_MAX: 2**16}


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside the block, freed memory is kept for reuse; afterwards it is given back."""
    _allocate(_KEEPING)
    try:
        yield
    finally:
        _allocate(_USUAL)
        if trim := _c_function("malloc_trim"):
            trim(0)


def _allocate(settings: dict[int, int]) -> None:
    if change := _c_function("mallopt"):
        for name, value in settings.items():
            change(name, value)


def _c_function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None
