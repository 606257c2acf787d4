"""Locks, leases and engine.json without any model."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bot.engine import server
from bot.engine.sharing import Board, Entry, FileLock, loose

ENTRY = Entry(
    url="http://127.0.0.1:1/v1",
    pid=1,
    release=3,
    base="smollm2-135m",
    context_length=64,
    nonce="n",
    started="2026-01-01T00:00:00+00:00",
    api_key="k",
)


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def test_clients_share_a_lease_and_the_engine_gets_it_only_after_the_last(board):
    first, second, engine = board.lease("0001"), board.lease("0001"), board.lease("0001")
    assert first.shared()
    assert second.shared()
    assert not engine.exclusive()
    first.close()
    assert not engine.exclusive()
    second.close()
    assert engine.exclusive()
    assert not board.lease("0001").shared()
    assert board.lease("0002").shared()


def test_a_passed_on_lock_outlives_the_giver_and_ends_with_the_taker(board):
    lock = board.process("0001")
    assert lock.exclusive()
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    taker = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(lock.fileno(),))
    lock.close()
    other = board.process("0001")
    assert not other.exclusive()
    taker.kill()
    taker.wait()
    assert taker.stdin
    taker.stdin.close()
    assert other.exclusive()


def test_an_inherited_descriptor_is_the_same_lock(board):
    lock = board.process("0001")
    assert lock.exclusive()
    again = FileLock.inherited(lock.fileno())
    assert again.exclusive()
    again.close()
    assert board.process("0001").exclusive()


def test_entries_are_written_replaced_and_removed(board):
    board.put("0003", ENTRY)
    board.put("0001", ENTRY)
    board.put("0003", Entry(**{**_plain(ENTRY), "pid": 2}))
    assert {key: entry.pid for key, entry in board.read().items()} == {"0001": 1, "0003": 2}
    board.remove("0003")
    board.remove("0003")
    assert list(board.read()) == ["0001"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"0001": 3}', '{"0001": {"url": "x"}}', "\udcff"])
def test_an_unreadable_board_counts_as_empty_and_is_replaced(board, content):
    board.path.write_bytes(content.encode(errors="surrogateescape"))
    assert board.read() == {}
    board.put("0003", ENTRY)
    assert board.read() == {"0003": ENTRY}


def test_entries_of_earlier_and_later_versions_are_read(board):
    plain = _plain(ENTRY)
    del plain["api_key"]
    board.path.write_text(json.dumps({"0003": plain, "0004": {**plain, "invented_later": 1}}))
    assert {key: entry.api_key for key, entry in board.read().items()} == {"0003": "", "0004": ""}


def test_the_entry_of_a_killed_engine_goes_if_nobody_shared_it(board):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    board.put("0003", replace(ENTRY, pid=dead.pid))  # its lock says whether it lives
    board.put(loose("0003", dead.pid), replace(ENTRY, pid=dead.pid))
    board.put(loose("0003", os.getpid()), replace(ENTRY, pid=os.getpid()))
    assert set(board.read()) == {"0003", loose("0003", os.getpid())}


def test_no_secret_is_in_what_an_entry_shows(board):
    assert "n0nce" not in repr(replace(ENTRY, nonce="n0nce", api_key="k3y"))
    assert "k3y" not in repr(replace(ENTRY, nonce="n0nce", api_key="k3y"))


def test_the_file_with_the_keys_becomes_private_when_it_was_not(board):
    board.path.write_text("{}")
    board.path.chmod(0o644)
    board.put("0003", ENTRY)
    assert board.path.stat().st_mode & 0o077 == 0


def test_many_writers_lose_nothing(board):
    threads = [threading.Thread(target=board.put, args=(f"{n:04d}", ENTRY)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(board.read()) == 12


def test_the_files_are_private(board):
    board.put("0003", ENTRY)
    board.lease("0003").close()
    folder = board.path.parent / "engines"
    assert folder.stat().st_mode & 0o077 == 0
    assert board.path.stat().st_mode & 0o077 == 0


def test_the_engine_waits_out_the_grace_time_and_keeps_the_lease(board, monkeypatch):
    monkeypatch.setattr(server, "TICK", 0.01)
    monkeypatch.setattr(server, "GRACE", 0.05)
    client = board.lease("0001")
    assert client.shared()
    held: list[FileLock] = []
    engine = threading.Thread(target=lambda: held.append(server.until_deserted(board, "0001", threading.Event())))
    engine.start()
    engine.join(0.3)
    assert engine.is_alive()
    client.close()
    engine.join(30)
    assert not engine.is_alive()
    assert not board.lease("0001").shared()
    held[0].close()


def test_a_signal_ends_the_wait_at_once(board):
    client = board.lease("0001")
    assert client.shared()
    stop = threading.Event()
    stop.set()
    server.until_deserted(board, "0001", stop)


def test_only_the_server_process_imports_llama_cpp():
    root = Path(server.__file__).parents[1]
    users = [path.name for path in root.rglob("*.py") if "import xllamacpp" in path.read_text(encoding="utf-8")]
    assert users == ["server.py"]


def _plain(entry):
    return {name: getattr(entry, name) for name in Entry.__slots__}
