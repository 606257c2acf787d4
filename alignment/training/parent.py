"""A process that ends with the one that started it."""

import os
import threading
import time

PARENT = "PARLEY_PARENT"  # the number of the process to end with
_TICK = 0.5  # seconds


def end_with_parent() -> None:
    """If whoever started this process asked for it by `PARENT`, end at once when they are gone.

    At once, as by kill -9: stages are made to go on from that, and nothing else can be relied on in a thread.
    """
    parent = int(os.environ.get(PARENT, "0"))
    if parent:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_TICK)
    os._exit(1)
