"""Puts vLLM to sleep while a round trains on the GPU that it serves on, and wakes it again whatever happens.

Asleep (level 1) vLLM keeps its weights in the machine's memory and gives the GPU's back. Questions that are asked
meanwhile wait. So it sleeps only where training would find no room: vLLM takes nine tenths of its GPU's memory.

Nothing of this was ever run on a GPU; on a processor vLLM answers these requests and frees nothing.
"""

import json
import select
import subprocess
import sys
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from alignment.gpu import free_share
from alignment.serving.engine import RunningEngine
from data.errors import BadInput, ParleyError

_ENOUGH = 0.5  # of the GPU's memory; whoever leaves that much free shares it on purpose
SLEEP, WAKE, STATE = "/sleep?level=1&mode=wait", "/wake_up", "/is_sleeping"
_TWO = (
    "Training needs the GPU that vLLM serves on. Start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1, so "
    "that it can sleep meanwhile, or use two GPUs: name the free one in CUDA_VISIBLE_DEVICES for this command."
)
_HELPER = [sys.executable, "-m", "alignment.serving.wake"]
_FALLS = 600.0  # seconds in which running answers may end
_PATIENCE = 660.0  # seconds for the process that wakes it


@contextmanager
def asleep(engine: RunningEngine, say: Callable[[str], object]) -> Iterator[None]:
    """Inside the block, vLLM leaves its memory on this process's GPU; without a GPU, or with room, it goes on.

    Raises `BadInput`, which says what to do, where it cannot sleep.
    """
    free = free_share()
    if free is None or free >= _ENOUGH:
        yield
        return
    at = f"vLLM at {engine.shown}"
    say(f"{free:.0%} of the GPU is free. {at} sleeps while the round trains; questions wait until it wakes up.")
    with _sleeping(engine, say):
        left = free_share() or 0.0
        if left < _ENOUGH:
            raise BadInput(f"{at} is asleep, and still only {left:.0%} of the GPU is free. {_TWO}")
        yield
    say(f"{at} is awake again.")


def refuse_sleeping(engine: RunningEngine) -> None:
    """Raise `BadInput` if vLLM is asleep: it would not answer, and whoever put it to sleep may be at work."""
    try:
        found = engine.get(STATE)
    except urllib.error.HTTPError:  # without VLLM_SERVER_DEV_MODE nobody can put it to sleep
        return
    if isinstance(found, dict) and found.get("is_sleeping"):
        raise BadInput(
            f"vLLM at {engine.shown} is asleep. A round that trains on its GPU wakes it when it is done; if none "
            f"runs, wake it with {_by_hand(engine)}."
        )


@contextmanager
def _sleeping(engine: RunningEngine, say: Callable[[str], object]) -> Iterator[None]:
    """Put vLLM to sleep, and wake it after the block, after Ctrl-C and after a kill -9 too.

    A process of its own does both, so that it wakes vLLM only once vLLM sleeps: if woken earlier, vLLM would answer
    that it is awake, and fall asleep afterwards.
    """
    root = engine.url.removesuffix("/v1")
    process = subprocess.Popen(
        _HELPER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C ends this process and not that one
    )
    assert process.stdin is not None
    told = {"sleep": root + SLEEP, "wake": root + WAKE}
    process.stdin.write(json.dumps({**told, "authorization": engine.authorization or f"Bearer {engine.api_key}"}))
    process.stdin.write("\n")
    process.stdin.flush()
    answered = False
    try:
        report = _report(engine, process)
        answered = True
        _refuse(engine, report)
        yield
    except BaseException:
        if not answered:
            process.stdin.close()
            say(f"vLLM at {engine.shown} was told to sleep and has not answered; it is woken as soon as it does.")
        elif problem := _woken(engine, process):
            say(problem)
        raise
    if problem := _woken(engine, process):
        raise ParleyError(problem)


def _report(engine: RunningEngine, process: subprocess.Popen[str]) -> dict[str, Any]:
    """What became of the order to sleep, as `alignment.serving.wake` tells it."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], _FALLS)[0]:
        raise ParleyError(f"vLLM at {engine.shown} did not fall asleep within {_FALLS:.0f} seconds. {_TWO}")
    line = process.stdout.readline()
    report: dict[str, Any] = json.loads(line) if line else {"broke": "the process that asks it ended"}
    return report


def _refuse(engine: RunningEngine, report: dict[str, Any]) -> None:
    at = f"vLLM at {engine.shown}"
    if status := report.get("status"):
        why = "it has no such route" if status == HTTPStatus.NOT_FOUND else f"it answers with status {status}"
        raise BadInput(f"{at} cannot be put to sleep: {why}. {_TWO}")
    if broke := report.get("broke"):
        raise ParleyError(f"{at} broke off when it was put to sleep: {broke}")


def _woken(engine: RunningEngine, process: subprocess.Popen[str]) -> str | None:
    """Wait until vLLM is awake; a sentence if it could not be woken."""
    try:
        _, problem = process.communicate(timeout=_PATIENCE)  # it closes the other end
    except subprocess.TimeoutExpired:
        problem = f"nothing came back within {_PATIENCE:.0f} seconds"
    if process.returncode == 0:
        return None
    return (
        f"vLLM at {engine.shown} could not be woken up ({problem.strip()}). Wake it with {_by_hand(engine)}, or "
        "start it again; then run the same command again."
    )


def _by_hand(engine: RunningEngine) -> str:
    return f"`curl -X POST {engine.shown.removesuffix('/v1')}{WAKE}`"
