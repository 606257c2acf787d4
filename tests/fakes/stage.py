"""Stands for a stage's command: it ends with a code, dies of a signal, or holds a lock until something ends it."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from alignment.training.parent import end_with_parent
from data.errors import BadInput


def main(argv: Sequence[str]) -> int:
    """`exit N`, `die N` (by this signal), `bad SENTENCE`, `say WORD FILE`, `hold LOCK FILE` (made once it holds)."""
    end_with_parent()
    order, *more = argv
    if order == "die":
        os.kill(os.getpid(), int(more[0]))
    if order == "bad":
        raise BadInput(more[0])
    if order == "say":
        with Path(more[1]).open("a", encoding="utf-8") as file:
            file.write(f"{more[0]} {os.getpid()} {os.getppid()}\n")
        print(more[0])
        return 0
    if order == "hold":
        with FileLock(more[0]), Path(more[1]).open("x", encoding="utf-8"):
            time.sleep(60)
    return int(more[0])
