"""Tensors in the dtype that they are multiplied in, rounded once where several products take the same one."""

import weakref
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor


class Rounded:
    """Rounds a tensor, and gives the same result again as long as it is the same tensor that is asked for."""

    def __init__(self) -> None:
        self.known: tuple[weakref.ref[Tensor], tuple[int, int], Tensor] | None = None

    def __call__(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x in `dtype`, outside of autograd; x itself where it is in it already.

        Changes in place and exchanges of its memory are seen; what is written into `x.data` in place is not.
        """
        if x.dtype == dtype:
            return x.detach()
        if x.is_inference():  # counts no changes
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
    """Hold those frozen parameters whose `id` is in `rounded` in a dtype, and let none of the others lie in a file.

    A file of weights is mapped into memory as long as one tensor lies in it.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad:
            data = parameter.data
            parameter.data = data.to(dtype) if id(parameter) in rounded else data.clone()
