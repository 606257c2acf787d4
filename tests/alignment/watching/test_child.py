"""The process of a round that a watch started."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from alignment.watching.child import Round

pytestmark = pytest.mark.process

LOOKS = "from data.console import PlainConsole; print(PlainConsole().is_terminal)"
# A round that ignores Ctrl-C, and a stage of it that holds a lock until it ends.
STAGE = """
import sys, time
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held")
    time.sleep(30)
"""
DEAF = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", {STAGE!r}, sys.argv[1]])
time.sleep(30)
"""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_no_variable_makes_its_log_a_terminal_where_stages_show_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    log = tmp_path / "logs" / "round.log"
    child = Round((), log, program=("-c", LOOKS))
    child._process.wait(60)
    assert (child.poll(), log.read_text()) == (0, "False\n")


def test_a_round_that_does_not_end_in_time_is_killed_with_its_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alignment.watching.child._GRACE", 0.1)
    log, lock = tmp_path / "logs" / "round.log", tmp_path / "lock"
    child = Round((str(lock),), log, program=("-c", DEAF))
    until(lambda: log.read_text() == "held\n")
    child.interrupt()
    assert child.poll() == -signal.SIGKILL
    FileLock(lock, timeout=5).acquire()


def test_its_log_is_for_its_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "round.log"
    Round((), log, program=("-c", "")).interrupt()
    assert [path.stat().st_mode & 0o777 for path in (log, log.parent)] == [0o600, 0o700]
