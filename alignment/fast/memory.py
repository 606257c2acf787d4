"""What the C library does with memory that was freed: nothing elsewhere than on Linux with glibc.

A training step frees what it needed, and glibc gives it back to the kernel, which fills each page with zeros when the
next step asks for it: about a microsecond for 4 KiB, up to a tenth of a step.
"""

import ctypes
from typing import Any

# Of malloc.h: memory is given back above 2 GiB only, the largest limit, and nothing has a mapping of its own.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_SETTINGS = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**26, _MMAP_MAX: 0}


def keep_freed() -> None:
    """Keep freed memory for the next step."""
    if change := _function("mallopt"):
        for name, value in _SETTINGS.items():
            change(name, value)


def give_back() -> None:
    """Give all freed memory back to the system."""
    if trim := _function("malloc_trim"):
        trim(0)


def _function(name: str) -> Any:
    try:
        return getattr(ctypes.CDLL(None), name, None)
    except (OSError, TypeError):  # Windows
        return None
