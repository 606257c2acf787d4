"""`python -m alignment.watch` as a process: how it ends, what it leaves, and that there is one for each home."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from alignment.watch import main
from data.errors import BadInput, NothingToDo
from data.home import private_dir
from tests.fakes.watch import SECRET

ROOT = Path(__file__).parents[2]
BUSY = ("--enough", "40", "--load", "1000000")  # no load of the machine counts


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose first round was interrupted, so that it is due."""
    made = private_dir(tmp_path / "home")
    monkeypatch.setenv("PARLEY_HOME", str(made))
    (private_dir(made / "rounds" / "0001") / "manifest.json").write_text('{"number": 1, "status": "running"}')
    return made


def begin(home: Path, *flags: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PARLEY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.watch", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@contextmanager
def watching(home: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A watch whose round runs; both have ended after the block."""
    process = begin(home, *BUSY, *flags)
    try:
        until(lambda: SECRET in output(home) or process.poll() is not None)
        yield process
    finally:
        process.kill()
        process.communicate()
        if found := re.search(rf"{SECRET} (\d+)", output(home)):
            with suppress(ProcessLookupError):
                os.kill(int(found[1]), signal.SIGKILL)


def output(home: Path) -> str:
    log = home / "logs" / "round.log"
    return log.read_text() if log.exists() else ""


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_the_next_watch_goes_on_with_the_round(home: Path, how: int) -> None:
    with watching(home, "--", "--suites", "none") as watch:
        (_, number, nice) = output(home).rsplit(maxsplit=2)
        assert nice == "19"
        watch.send_signal(how)
        out, err = watch.communicate(timeout=60)
        assert (watch.returncode, err) == (0, "")
    assert not alive(int(number))
    assert "The round was interrupted, because the watch ends; it goes on later." in out
    following = begin(home, *BUSY, "--once", "--", "--suites", "quick")
    out, err = following.communicate(timeout=60)
    assert (following.returncode, err) == (1, "")
    assert "A round begins: round 1 was interrupted and goes on." in out
    assert "Round 1 is over after 1 min: release 1 does not serve. It is no better." in out
    assert SECRET in output(home)
    assert SECRET not in out + (home / "watch.json").read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*home.glob("watch.*"), *(home / "logs").rglob("*")))


@pytest.mark.process
def test_a_killed_watch_blocks_nobody_and_its_round_is_waited_for(home: Path) -> None:
    with watching(home, "--", "--suites", "none") as watch:
        watch.kill()
        watch.wait(timeout=60)
        following = begin(home, *BUSY, "--once", "--", "--suites", "quick")
        assert following.stdout is not None
        assert "Another round runs; the next one waits for its end." in following.stdout.readline()
        os.kill(int(output(home).split()[-2]), signal.SIGKILL)
        out, _ = following.communicate(timeout=60)
    assert following.returncode == 1
    assert "Round 1 is over" in out


@pytest.mark.process
def test_a_second_watch_is_refused_and_status_tells_of_the_first(home: Path) -> None:
    with watching(home, "--", "--suites", "none") as watch:
        second = begin(home, *BUSY)
        out, err = second.communicate(timeout=60)
        assert (second.returncode, out) == (2, "")
        assert err.startswith(f"parley: Another watch runs with {home}: process {watch.pid}. Stop it first")
        status = begin(home, "--status")
        out, _ = status.communicate(timeout=60)
        assert (status.returncode, out.splitlines()[0]) == (0, f"A watch runs with {home}: process {watch.pid}.")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d A round begins: .*", out.splitlines()[-1])
    status = begin(home, "--status")
    assert status.communicate(timeout=60)[0].splitlines()[0] == f"No watch runs with {home} now."


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Say when"),
        (["--enough", "0"], "--enough must be"),
        (["--enough", "5", "--load", "0"], "--load must be"),
        (["--enough", "5", "--load", "nan"], "--load must be"),
        (["--at", "03:00", "--", "--eval_prompts", "0"], "--eval_prompts must be"),
        (["--at", "03:00", "--", "--sft_config", "no.yaml"], "--sft_config"),
        (["--at", "03:00", "--", "--suites", "quikc"], "--suites quikc: expected .*'quick'"),
    ],
)
def test_bad_flags_are_told_at_once(home: Path, flags: list[str], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        main(flags)


def test_a_misspelt_setting_of_rounds_is_told_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TEMPERATURE", "warm")
    with pytest.raises(BadInput, match="PARLEY_TEMPERATURE"):
        main([*BUSY, "--dry_run"])


@pytest.mark.parametrize("held", ["{}", '{"handled": ""}', '{"handled": "yesterday"}', "{"])
def test_a_damaged_journal_is_told_with_what_to_do(home: Path, held: str) -> None:
    (home / "watch.json").write_text(held)
    for flags in ([*BUSY, "--dry_run"], ["--status"]):
        with pytest.raises(BadInput, match=r"watch\.json is damaged: .* Remove it"):
            main(flags)


@pytest.mark.parametrize("flags", [["--at", "25:00"], ["--at", "3am"], ["--enough", "5", "--", "--quikc"]])
def test_flags_that_are_none_end_with_code_2(home: Path, flags: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2


def test_a_dry_run_says_what_would_be_and_leaves_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("alignment.watching.machine.on_battery", lambda: None)
    before = sorted(home.rglob("*"))
    assert main([*BUSY, "--dry_run"]) == 0
    assert capsys.readouterr().out[17:] == "A round would begin: round 1 was interrupted and goes on.\n"
    (home / "rounds" / "0001" / "manifest.json").write_text(json.dumps({"number": 1, "status": "refused"}))
    assert main([*BUSY, "--dry_run"]) == 1
    assert capsys.readouterr().out[17:] == "Waits for 40 new ratings or rows (0 so far).\n"
    assert [path for path in sorted(home.rglob("*")) if path.name != ".lock"] == before


def test_a_home_without_a_watch_says_so(home: Path) -> None:
    with pytest.raises(NothingToDo, match="No watch has run"):
        main(["--status"])
