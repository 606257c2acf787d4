"""Tensors in the dtype of their product, rounded once if several products take the same one."""

import weakref
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor


class Rounded:
    """Rounds a tensor, and returns the same result as long as it is asked for the same tensor."""

    def __init__(self) -> None:
        self.known: tuple[weakref.ref[Tensor], tuple[int, int], Tensor] | None = None

    def __call__(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x in `dtype`, outside of autograd; x itself if it has that dtype already.

        It notices in-place changes and replaced memory, but not in-place writes to `x.data`.
        """
        if x.dtype == dtype:
            return x.detach()
        if x.is_inference():  # it counts no changes
            return x.to(dtype)
        state = x._version, x.data_ptr()
        if self.known is not None:
            seen, before, low = self.known
            if seen() is x and before == state and low.dtype == dtype:
                return low
        low = x.detach().to(dtype)
        self.known = weakref.ref(x), state, low
        return low


def hold(model: Any, rounded: Container[int], dtype: torch.dtype) -> None:
    """Convert the frozen parameters whose `id` is in `rounded` to a dtype, and let none of the others lie in a file.

    A file of weights is mapped into memory as long as one tensor lies in it.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad:
            data = parameter.data
            parameter.data = data.to(dtype) if id(parameter) in rounded else data.clone()
