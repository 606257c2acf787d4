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
    where = f"{here.gpus} x {torch.cuda.get_device_name()}" if here.device == "cuda" else processor(here.cores)
    kind = "bf16" if here.bf16 else "float32 (it does not multiply bf16)"
    return f"{where}, {kind}, torch {version('torch')}, transformers {version('transformers')}, TRL {version('trl')}"


def processor(cores: int) -> str:
    """The processor, with the number of cores that may be used."""
    cpu_info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", cpu_info.read_text(), re.MULTILINE) if cpu_info.is_file() else []
    return f"{cores} cores of {(names or [platform.machine()])[0].strip()}"


def dtype() -> str:
    """The name of the dtype that this machine multiplies fastest."""
    from alignment.training.machine import this_machine

    return "bfloat16" if this_machine().bf16 else "float32"
