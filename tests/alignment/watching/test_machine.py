"""Whether the machine is needed: played batteries, load, GPUs, rooms of engines, and servers' figures."""

import fcntl
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import alignment.watching.machine as machine_file
from alignment.watching.machine import Machine, asked, embedded_answers, gpu_used, on_battery
from bot.engine.room import Room
from bot.engine.sharing import Board
from data.home import private_dir


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that nobody needs, of two cores."""
    monkeypatch.setattr(machine_file, "on_battery", lambda: None)
    monkeypatch.setattr(machine_file, "gpu_used", lambda: None)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 9.0, 9.0))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    return Machine(tmp_path, 0.5)


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir()
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("kind", "status", "scope", "needed"),
    [
        ("Battery", "Discharging", None, True),
        ("Battery", "Discharging", "System", True),
        ("UPS", "Discharging", None, True),
        ("Battery", "Charging", None, False),
        ("Battery", "Not charging", None, False),
        ("Battery", "Full", None, False),
        ("Battery", "Discharging", "Device", False),  # a mouse
    ],
)
def test_a_battery_that_discharges_needs_the_machine(
    tmp_path: Path, kind: str, status: str, scope: str | None, needed: bool
) -> None:
    supply(tmp_path, "AC", type="Mains", online="1")
    supply(tmp_path, "BAT0", type=kind, status=status, **({"scope": scope} if scope else {}))
    assert (on_battery(tmp_path, "linux") is not None) is needed


def test_a_machine_without_supplies_has_no_battery(tmp_path: Path) -> None:
    assert on_battery(tmp_path / "none", "linux") is None


@pytest.mark.parametrize(("first", "needed"), [("Battery", True), ("AC", False)])
def test_a_mac_tells_what_it_draws_from(monkeypatch: pytest.MonkeyPatch, first: str, needed: bool) -> None:
    told = f"Now drawing from '{first} Power'\n -InternalBattery-0 (id=1)\t80%; discharging\n"
    monkeypatch.setattr(machine_file, "_printed", lambda *_: told)
    assert (on_battery(platform="darwin") is not None) is needed


@pytest.mark.parametrize(
    ("printed", "needed"), [("", False), ("0\n", False), ("10\n", False), ("3\n87\n", True), ("[N/A]\n", False)]
)
def test_a_gpu_in_use_needs_the_machine(monkeypatch: pytest.MonkeyPatch, printed: str, needed: bool) -> None:
    monkeypatch.setattr(machine_file, "_printed", lambda *_: printed)
    assert (gpu_used() is not None) is needed


def test_a_command_that_is_not_there_or_fails_prints_nothing() -> None:
    assert machine_file._printed("parley-has-no-such-command") == ""
    assert machine_file._printed("false") == ""


def test_where_the_system_tells_no_load_it_stops_no_round(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[float, float, float]:
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr(os, "getloadavg", none)
    assert machine.needed() is None


def test_load_is_counted_by_core(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.needed() is None
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 0.0, 0.0))
    assert machine.needed() is None
    monkeypatch.setattr(os, "getloadavg", lambda: (1.1, 0.0, 0.0))
    found = machine.needed()
    assert found is not None
    assert (found.kind, found.sentence) == ("load", "the machine is busy (load 1.1; at most 1 on 2 cores)")
    assert machine.must_stop() is None  # a running round yields by its priority


def test_a_battery_stops_a_running_round(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    found = machine_file.Need("battery", "the machine runs on its battery")
    monkeypatch.setattr(machine_file, "on_battery", lambda: found)
    assert machine.needed() == machine.must_stop() == found


def test_an_engine_answers_while_somebody_holds_its_room(machine: Machine) -> None:
    assert not embedded_answers(machine.home)
    room = machine.home / "engines" / "release-0001.room"
    room.mkdir(parents=True)
    for name in ("00", "01"):
        (room / name).touch()
    assert not embedded_answers(machine.home)
    with (room / "01").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = machine.needed()
        assert found is not None
        assert found.kind == "engine"
    assert machine.needed() is None
    with (room / "00").open("r+") as file:  # looking left no lock behind
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_the_room_of_the_real_client_is_seen(machine: Machine) -> None:
    room = Board(machine.home).room("release-0001")
    private_dir(room)
    async with Room(room, 4096).take(100):
        assert embedded_answers(machine.home)
    assert not embedded_answers(machine.home)


@contextmanager
def served(text: str) -> Iterator[tuple[str, list[str | None]]]:
    """A server with these figures: its address, and the keys that it was asked with."""
    keys: list[str | None] = []

    class Figures(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["Authorization"])
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Figures)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keys
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


IDLE = """# HELP vllm:num_requests_running how many
vllm:num_requests_running{engine="0",model_name="base"} 0.0
vllm:num_requests_waiting{engine="0",model_name="base"} 0.0
parley_answers_running 0.0
parley_questions_total{platform="discord"} 812.0
"""


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("", False),
        ('vllm:num_requests_running{engine="0"} 2.0', True),
        ('vllm:num_requests_waiting{engine="1"} 1.0', True),
        ("llamacpp:requests_processing 1", True),
        ("parley_answers_running 1.0", True),
        ("parley_questions_waiting 3.0", True),
        ("parley_answers_running 1.0.0", False),
    ],
)
def test_a_server_that_answers_somebody_needs_the_machine(line: str, needed: bool) -> None:
    with served(f"{IDLE}{line}\n") as (url, _):
        assert asked(f"{url}/metrics", {}) is needed


def test_the_operators_engine_and_bot_are_asked(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    with served("vllm:num_requests_running 1.0\n") as (url, keys):
        monkeypatch.setenv("PARLEY_ENGINE_URL", f"{url}/v1")
        monkeypatch.setenv("PARLEY_ENGINE_API_KEY", "key")
        found = machine.needed()
        assert found is not None
        assert found.sentence == f"the engine at {url}/v1 is answering somebody"
        assert keys == ["Bearer key"]
    monkeypatch.delenv("PARLEY_ENGINE_URL")
    with served("parley_answers_running 1.0\n") as (url, _):
        monkeypatch.setenv("PARLEY_METRICS_HOST", "0.0.0.0")
        monkeypatch.setenv("PARLEY_METRICS_PORT", url.rpartition(":")[2])
        found = machine.needed()
        assert found is not None
        assert found.sentence == "the bot is answering somebody"


def test_a_server_that_is_away_needs_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ENGINE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("PARLEY_METRICS_PORT", "0")
    assert machine.needed() is None
