"""vLLM sleeps while a round trains on its GPU, and is woken whatever happens. The GPU is played."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alignment.serving import sleep
from alignment.serving.engine import RunningEngine
from data.errors import BadInput, ParleyError
from tests.fakes.base import make_base
from tests.fakes.vllm import FakeVllm, in_thread

pytestmark = pytest.mark.process


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVllm]:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    make_base(tmp_path / "bases", "toy")
    with in_thread(FakeVllm(tmp_path / "bases" / "toy" / "hf")) as made:
        made.dev = True
        yield made


def engine(fake: FakeVllm) -> RunningEngine:
    return RunningEngine(fake.url, (), {}, shown=fake.url)


def test_it_sleeps_only_where_training_finds_no_room(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for free in (None, 0.9):  # no GPU, or one of its own
        monkeypatch.setattr(sleep, "free_share", lambda free=free: free)
        with sleep.asleep(engine(fake), said.append):
            assert not fake.sleeping
    assert said == fake.orders == []
    monkeypatch.setattr(sleep, "free_share", lambda: 0.95 if fake.sleeping else 0.1)
    with sleep.asleep(engine(fake), said.append):
        assert fake.sleeping
    assert not fake.sleeping
    assert [order for order, _ in fake.orders] == ["/sleep", "/wake_up"]
    assert said[0].startswith("10% of the GPU is free.")
    assert said[1].endswith("is awake again.")


def test_one_that_cannot_sleep_says_what_to_do_and_stays_awake(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleep, "free_share", lambda: 0.1)
    with (
        pytest.raises(BadInput, match=r"still only 10% of the GPU is free.*--enable-sleep-mode.*two GPUs"),
        sleep.asleep(engine(fake), print),
    ):
        pytest.fail("it trained")
    assert not fake.sleeping
    fake.dev = False
    with (
        pytest.raises(BadInput, match=r"it has no such route.*VLLM_SERVER_DEV_MODE=1"),
        sleep.asleep(engine(fake), print),
    ):
        pytest.fail("it trained")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
@pytest.mark.parametrize("late", [0.0, 1.0])  # the second is interrupted while vLLM still ends running answers
def test_it_is_woken_after_a_kill_but_not_before_it_sleeps(
    fake: FakeVllm, tmp_path: Path, end: signal.Signals, late: float
) -> None:
    fake.late["/sleep"] = late
    program = tmp_path / "killed.py"
    program.write_text(
        "import signal, sys, time\n"
        # A background job of a shell ignores it, and so would this process.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from alignment.serving import sleep\n"
        "from alignment.serving.engine import RunningEngine\n"
        "shares = iter([0.1, 0.9])\n"
        "sleep.free_share = lambda: next(shares)\n"
        "with sleep.asleep(RunningEngine(sys.argv[1], (), {}), print):\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(program), fake.url], env=environment, stderr=subprocess.PIPE
    ) as process:
        until(lambda: "/sleep" in fake.paths if late else fake.sleeping)
        process.send_signal(end)
        process.communicate(timeout=60)
    until(lambda: len(fake.orders) == 2)
    assert [order for order, _ in fake.orders] == ["/sleep", "/wake_up"]
    assert not fake.sleeping


def test_one_that_stays_asleep_is_told_beside_the_error_of_the_round(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = (
        "import sys; sys.stdin.readline(); print('{}', flush=True); sys.stdin.read(); sys.exit('it stays asleep')"
    )
    monkeypatch.setattr(sleep, "_HELPER", [sys.executable, "-c", helper])
    shares = iter([0.1, 0.9] * 2)
    monkeypatch.setattr(sleep, "free_share", lambda: next(shares))
    said: list[str] = []
    with pytest.raises(BadInput, match="no room"), sleep.asleep(engine(fake), said.append):
        raise BadInput("There is no room on the disk.")
    assert "could not be woken up (it stays asleep). Wake it with `curl -X POST http" in said[-1]
    with pytest.raises(ParleyError, match="could not be woken up"), sleep.asleep(engine(fake), said.append):
        pass


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)
