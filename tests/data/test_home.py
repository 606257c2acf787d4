import hmac
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from data import home as where
from data.errors import BadInput
from data.home import bases_dir, home, installation_key, keyed_hash, private_dir, write_atomic
from tests.data.talk import ROOT


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_and_bases_follow_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PARLEY_HOME", raising=False)
    monkeypatch.delenv("PARLEY_BASES", raising=False)
    assert (home(), bases_dir()) == (tmp_path / "var", tmp_path / "var" / "bases")
    monkeypatch.setenv("PARLEY_HOME", "elsewhere")
    assert (home(), bases_dir()) == (tmp_path / "elsewhere", tmp_path / "elsewhere" / "bases")
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "shared"))
    assert bases_dir() == tmp_path / "shared"
    assert not list(tmp_path.iterdir())  # asking makes nothing


def test_settings_may_stand_in_a_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PARLEY_HOME", "PARLEY_DISCORD_TRAINING_PERMISSION"):
        monkeypatch.delenv(name, raising=False)
    assert where.discord_permission() is None
    (tmp_path / ".env").write_text("PARLEY_HOME=from-file\nPARLEY_DISCORD_TRAINING_PERMISSION= ref-7 \n")
    assert (home(), where.discord_permission()) == (tmp_path / "from-file", "ref-7")
    monkeypatch.setenv("PARLEY_HOME", "from-environment")
    assert home() == tmp_path / "from-environment"


def test_private_folders_are_private_with_their_parents(tmp_path: Path) -> None:
    folder = private_dir(tmp_path / "home" / "releases" / "deep")
    assert [mode(path) for path in (folder, folder.parent, folder.parent.parent)] == [0o700] * 3
    assert private_dir(folder) == folder


def test_a_file_in_the_place_of_a_folder_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    for folder in (tmp_path / "home", tmp_path / "home" / "releases"):
        with pytest.raises(BadInput, match="home is a file, and a folder is needed there"):
            private_dir(folder)


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where_it_fails", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_content_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where_it_fails: str
) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(*((where.os, "fsync") if where_it_fails == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.process
def test_a_kill_before_the_rename_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")
    program = (
        "import os, signal, sys, pathlib\nfrom data.home import write_atomic\n"
        "pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_atomic(pathlib.Path(sys.argv[1]), 'new' * 9999)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, check=False, timeout=240)
    assert result.returncode == -9
    assert path.read_text() == "old"


def test_the_key_is_made_once_private_and_is_secret(tmp_path: Path) -> None:
    key = installation_key(tmp_path / "a")
    assert len(key) == 32
    assert installation_key(tmp_path / "a") == key
    assert installation_key(tmp_path / "b") != key
    assert mode(tmp_path / "a" / "key") == 0o600
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["key"]


@pytest.mark.process
def test_processes_that_ask_at_once_get_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\nfrom data.home import installation_key\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(installation_key(pathlib.Path(sys.argv[1])).hex())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "home")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({process.communicate()[0] for process in processes}) == 1
    assert os.listdir(tmp_path / "home") == ["key"]  # noqa: PTH208 - names, as the system lists them


def test_a_process_that_loses_the_race_for_the_key_takes_the_winners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def late(source: str, target: Path) -> None:
        Path(target).write_bytes(b"w" * 32)  # somebody else was first
        real(source, target)

    monkeypatch.setattr(where.os, "link", late)
    assert installation_key(tmp_path) == b"w" * 32


def test_a_keyed_hash_depends_on_the_key_and_on_every_part() -> None:
    hashes = [
        keyed_hash(b"k" * 32, "a", "bc"),
        keyed_hash(b"k" * 32, "ab", "c"),
        keyed_hash(b"k" * 32, "abc"),
        keyed_hash(b"k" * 32, "a", "bc", ""),
        keyed_hash(b"l" * 32, "a", "bc"),
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("size", [16, 32, 64, 65])
def test_a_keyed_hash_is_an_hmac_as_stored_ones_are(size: int) -> None:
    key, message = bytes(range(size)), b"\0\0\0\0\0\0\0\4text\0\0\0\0\0\0\0\2\xc3\xa4"
    assert keyed_hash(key, "text", "ä") == hmac.new(key, message, "sha256").hexdigest()
