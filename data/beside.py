"""What takes long for a large home, beside an event loop: a module of ours in a process of its own.

For a small home a thread is enough. For a large one a thread would hold up the event loop by its garbage collection
alone, and the memory of a million rows is given back only when a process ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.database import NAME
from data.errors import BadInput, ParleyError

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 2_000  # ratings, answers and imported rows together, up to which a thread is enough
_ROOT = Path(__file__).parents[1]


def is_small(home: Path) -> bool:
    """Whether a home holds so little that all of it is read in a blink."""
    newest = """
        SELECT ifnull((SELECT max(id) FROM ratings), 0) + ifnull((SELECT max(id) FROM generations), 0)
        + ifnull((SELECT max(id) FROM imported_rows), 0)
    """
    with contextlib.closing(sqlite3.connect(home / NAME)) as connection:
        (stored,) = connection.execute(newest).fetchone()
    return bool(stored <= SMALL)


async def in_process(module: str, asked: dict[str, Any], what: str) -> str:
    """What a module prints for a question, in a process with a low priority. It answers by `answer_parent`.

    Raises a `ParleyError` that says `what` could not be done when that process fails.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    child = await asyncio.create_subprocess_exec(
        # -P and PYTHONPATH make sure that our package is imported, not a data.py in the current folder.
        *(sys.executable, "-P", "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        out, errors = await child.communicate(json.dumps(asked).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    if child.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise ParleyError(f"{what} could not be computed: {lines[-1] if lines else 'no reason given'}")
    return out.decode()


def answer_parent(answer: Callable[[dict[str, Any]], str]) -> int:
    """Answer the question on the standard input; the exit status. What is wrong with the input is told in words."""
    asked = json.loads(sys.stdin.read())
    with contextlib.suppress(OSError):
        os.nice(10)  # people are answered meanwhile
    try:
        print(answer(asked))
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0
