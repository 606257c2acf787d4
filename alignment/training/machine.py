"""What this machine can do: its device, whether it has bf16, and how much memory a run took."""

import os
import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Machine:
    """Where training runs. `bf16`: whether the hardware itself multiplies bfloat16."""

    device: str
    gpus: int
    bf16: bool
    cores: int

    def defaults(self) -> dict[str, Any]:
        """Defaults for names of TRL's configuration that neither recipe nor flags set.

        TRL's defaults are bf16 everywhere, which a processor without it only emulates, and activation checkpointing,
        which costs a fifth of the speed where memory is plentiful.
        """
        return {
            "use_cpu": self.device == "cpu",
            "bf16": self.bf16,
            "activation_checkpointing": False,
            "dataloader_pin_memory": self.device == "cuda",
        }

    def facts(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self)


def this_machine() -> Machine:
    """Look at the hardware that torch sees."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if torch.cuda.is_available():
        return Machine("cuda", torch.cuda.device_count(), torch.cuda.is_bf16_supported(), cores)
    if torch.backends.mps.is_available():
        return Machine("mps", 1, False, cores)
    return Machine("cpu", 0, cpu_has_bf16(), cores)


def cpu_has_bf16() -> bool:
    """Whether the processor has bfloat16 instructions (AVX512-BF16 or AMX).

    Measured on an EPYC with AVX512-BF16: a training step under bf16 autocast takes 0.47 of its float32 time.
    """
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def choose_gpu(visible: int, environment: dict[str, str] | os._Environ[str]) -> str | None:
    """The sentence to show when several GPUs are visible and no launcher started this process, else None.

    TRL refuses that (it would replicate the model in threads); one GPU is used, so that the same command runs.
    """
    if visible < 2 or "LOCAL_RANK" in environment:
        return None
    environment["CUDA_VISIBLE_DEVICES"] = environment.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    return (
        f"{visible} GPUs are visible and this process was not started by a launcher: using the first. "
        "For all of them: `accelerate launch --module alignment.<stage> ...`."
    )


def peak_memory() -> int:
    """The most memory this process has held so far, in bytes: the GPU's where there is one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
