"""vLLM sleeps while a round trains on its GPU, and is woken whatever happens. The GPU is played."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alignment.serving import sleep
from alignment.serving.engine import RunningEngine
from data.errors import BadInput
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


def test_it_is_woken_after_a_kill(fake: FakeVllm, tmp_path: Path) -> None:
    program = tmp_path / "killed.py"
    program.write_text(
        "import sys, time\n"
        "from alignment.serving import sleep\n"
        "from alignment.serving.engine import RunningEngine\n"
        "shares = iter([0.1, 0.9])\n"
        "sleep.free_share = lambda: next(shares)\n"
        "with sleep.asleep(RunningEngine(sys.argv[1], (), {}), print):\n"
        "    print('asleep', flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(program), fake.url], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "asleep\n":
            assert line
        assert fake.sleeping
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 30
    while fake.sleeping:
        assert time.monotonic() < until
        time.sleep(0.05)
