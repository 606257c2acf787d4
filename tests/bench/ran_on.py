"""Describes the machine of a benchmark: its figures mean little without it."""

import platform
import re
from importlib.metadata import version
from pathlib import Path


def ran_on() -> str:
    """The processor or GPU, its dtype, and the versions of the compared libraries."""
    import torch

    from alignment.training.machine import this_machine

    here = this_machine()
    if here.device == "cuda":
        place = f"{here.gpus} x {torch.cuda.get_device_name()}"
    else:
        cpu_info = Path("/proc/cpuinfo")
        names = re.findall(r"^model name\s*: (.+)$", cpu_info.read_text(), re.MULTILINE) if cpu_info.is_file() else []
        place = f"{here.cores} cores of {(names or [platform.machine()])[0].strip()}"
    kind = "bf16" if here.bf16 else "float32 (it does not multiply bf16)"
    return f"{place}, {kind}, torch {version('torch')}, transformers {version('transformers')}, TRL {version('trl')}"


def dtype() -> str:
    """The name of the dtype that this machine multiplies fastest."""
    from alignment.training.machine import this_machine

    return "bfloat16" if this_machine().bf16 else "float32"
