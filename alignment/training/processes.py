"""Several processes that train one model: which one writes, which ones wait, how an error in one ends all.

A launcher (`accelerate launch`, `torchrun`) starts the same command once for each device and numbers the processes by
`RANK`. All read the same rows and settings; process 0 alone writes the run folder and prints. The training arguments
start the process group; before that, and without a launcher, everything here does nothing.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from data.errors import ParleyError


def number() -> int:
    """The number of this process among all that train together; 0 without a launcher."""
    return int(os.environ.get("RANK", "0"))


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes files and prints."""
    return number() == 0


def say(sentence: str) -> None:
    """Print a sentence once, however many processes call this."""
    if is_main():
        print(sentence)


def _group() -> Any:
    """`torch.distributed`, if there are other processes and a group; else None."""
    if count() == 1:
        return None
    import torch.distributed as group  # here, because code that only reads a run folder needs no torch

    return group if group.is_available() and group.is_initialized() else None


def wait() -> None:
    """Return when every process has called this."""
    if (group := _group()) is not None:
        group.barrier()


def from_main(value: Any) -> Any:
    """Process 0's value, on every process. It must be picklable; it never leaves the job."""
    if (group := _group()) is None:
        return value
    box = [value]
    group.broadcast_object_list(box, src=0)
    return box[0]


@contextmanager
def together() -> Iterator[None]:
    """Leave the block with every process or with none: when one fails, all stop, with the first failure's reason.

    Without this the others would wait for the failed one until the group's timeout. The block itself must not wait
    for others after a step that can fail on one process alone.
    """
    error: Exception | None = None
    try:
        yield
    except Exception as caught:
        error = caught
    if (group := _group()) is None:
        if error is not None:
            raise error
        return
    codes: list[int | None] = [None] * count()
    code = None if error is None else error.exit_code if isinstance(error, ParleyError) else 1
    group.all_gather_object(codes, code)
    failed = [each for each, found in enumerate(codes) if found is not None]
    if error is not None and failed[0] == number():
        raise error
    if failed:
        time.sleep(1)  # a launcher ends all processes as soon as one is gone: let the first one print its error
        raise SystemExit(codes[failed[0]])


@contextmanager
def main_first() -> Iterator[None]:
    """Let process 0 through the block before the others: it makes files that the others then find."""
    if not is_main():
        wait()
    try:
        yield
    finally:
        if is_main():
            wait()
