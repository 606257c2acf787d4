"""The GPU that this process uses, if there is one: how much of it is free, and models that fit onto it."""

from typing import Any

# A model that only judges needs room for itself and for what it computes, which is less than itself.
_ROOM = 2


def free_share() -> float | None:
    """The share of the GPU's memory that nobody uses, from 0 to 1; None without a GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return float(free / total)


def on_gpu(model: Any) -> Any:
    """A model that judges, on the GPU if it fits there beside what others keep on it; else where it is."""
    import torch

    if not torch.cuda.is_available():
        return model
    size = sum(weights.nbytes for weights in model.parameters())
    return model.to("cuda") if _ROOM * size < torch.cuda.mem_get_info()[0] else model
