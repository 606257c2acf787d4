"""Ends a process together with the one that started it."""

import os
import threading
import time

from data.variables import PARENT

_TICK = 0.5  # seconds


def end_with_parent() -> None:
    """If the process that started this one asks for it through `PARENT`, end as soon as that process is gone.

    The end is abrupt, as by kill -9: stages resume after that, and a thread has no other reliable way.
    """
    parent = int(os.environ.get(PARENT, "0"))
    if parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_TICK)
    os._exit(1)
