"""A round as a process of its own, at the lowest priority, with its output in a file."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from data.home import private_dir, private_file

ROUND = ("-m", "alignment.round")
_GRACE = 30.0  # seconds in which an interrupted round must end
_ROOT = Path(__file__).parents[2]
_LOWEST = 19
_EXPENDABLE = "500"  # of 1000: when memory runs out, the kernel ends a round before a bot
# With these a file is taken for a terminal, and stages show people's texts on terminals.
_LIKE_A_TERMINAL = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


class Child(Protocol):
    """A running round."""

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""

    def interrupt(self) -> None:
        """End it, so that it can go on later; it has ended when this returns."""


class Round:
    """`python -m alignment.round` with these flags. Its output replaces that of the round before in `log`."""

    def __init__(self, arguments: Sequence[str], log: Path, program: Sequence[str] = ROUND) -> None:
        private_dir(log.parent)
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        inherited = {name: value for name, value in os.environ.items() if name not in _LIKE_A_TERMINAL}
        with private_file(log).open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**inherited, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # Ctrl-C reaches the watch alone, which ends its round in order
            )

    def poll(self) -> int | None:
        """See `Child.poll`."""
        return self._process.poll()

    def interrupt(self) -> None:
        """See `Child.interrupt`. A round that does not end in time is killed with all that it started."""
        # The round alone: a stage that ended before it would look like one that failed.
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def step_aside() -> None:
    """Give this process, and all that it starts, the lowest priority for processor and disk, and for memory."""
    with suppress(OSError):
        os.nice(_LOWEST)
    if shutil.which("ionice"):
        idle = ["ionice", "-c", "3", "-p", str(os.getpid())]
        subprocess.run(idle, capture_output=True, check=False, timeout=10)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_EXPENDABLE)
