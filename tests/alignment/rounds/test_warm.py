"""Stages that are copies of one process: they end as stages of their own do, and leave nothing running."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alignment.rounds import warm
from alignment.rounds.steps import launch
from alignment.rounds.warm import WarmStart
from tests.alignment.rounds.test_steps import free, until

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each stage is a new process"),
]
STAGE = "tests.fakes.stage"
LIGHT = ("json",)  # in place of torch


def test_each_stage_is_a_copy_of_one_process_and_its_exit_code_comes_back(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with WarmStart(LIGHT) as start:
        assert start.run(STAGE, ["say", "one", str(said)]) == 0
        assert start.run(STAGE, ["exit", "3"]) == 3
        assert start.run(STAGE, ["die", str(int(signal.SIGKILL))]) not in (0, None)
        assert start.run(STAGE, ["say", "two", str(said)]) == 0
    (one, first, server), (two, second, same) = (line.split() for line in said.read_text().splitlines())
    assert (one, two, server) == ("one", "two", same)
    assert first != second
    assert not Path(f"/proc/{server}").exists()


def test_what_a_stage_prints_and_refuses_is_seen_as_before(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with WarmStart(LIGHT) as start:
        assert start.run(STAGE, ["bad", "There are no rows."]) == 2
        assert start.run(STAGE, ["say", "trained", str(tmp_path / "said")]) == 0
    assert tuple(capfd.readouterr()) == ("trained\n", "parley: There are no rows.\n")


def test_a_round_that_is_killed_leaves_no_stage_and_no_server(tmp_path: Path) -> None:
    lock, began = tmp_path / "lock", tmp_path / "began"
    code = (
        "from alignment.rounds.warm import WarmStart\n"
        f"with WarmStart({LIGHT!r}) as start:\n    start.run({STAGE!r}, ['hold', {str(lock)!r}, {str(began)!r}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    until(began.exists)
    (server,) = children(process.pid)
    (stage,) = children(server)
    assert not free(lock)
    process.kill()
    process.wait()
    until(lambda: free(lock))
    until(lambda: not alive(server) and not alive(stage))


def test_a_server_that_is_killed_takes_its_stage_along_and_the_next_one_starts_as_usual(tmp_path: Path) -> None:
    lock, began = tmp_path / "lock", tmp_path / "began"
    code = (
        "import os, signal, threading\nfrom alignment.rounds.warm import WarmStart\n"
        f"with WarmStart({LIGHT!r}) as start:\n"
        f"    print(start.run({STAGE!r}, ['hold', {str(lock)!r}, {str(began)!r}]))\n"
        f"    print(start.run({STAGE!r}, ['exit', '0']))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    until(began.exists)
    (server,) = children(process.pid)
    os.kill(server, signal.SIGKILL)
    assert process.communicate(timeout=20)[0].split() == ["1", "None"]
    until(lambda: free(lock))


@pytest.mark.parametrize("why", ["a GPU", "imports fail"])
def test_where_a_warm_start_is_not_possible_the_stage_is_a_new_process(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if why == "a GPU":
        monkeypatch.setattr(warm, "_DEVICES", ("null",))
    with WarmStart(("tests.fakes.nothing_of_that_name",)) as start:
        assert start.run(STAGE, ["exit", "0"]) is None
        assert launch("sft", ["--help"], start) == 0
    assert "python -m alignment.sft" in capfd.readouterr().out


def children(parent: int) -> list[int]:
    """The processes that a process started and that still run."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in found.split()]


def alive(number: int) -> bool:
    """Whether a process still runs; one that nobody has waited for yet has ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
