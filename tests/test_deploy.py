"""The services in `deploy/systemd` start what is there, with flags that are there."""

import configparser
import shlex
from pathlib import Path

import pytest

from alignment.watch import main

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def service(path: Path) -> configparser.SectionProxy:
    found = configparser.ConfigParser(interpolation=None)
    found.optionxform = str  # type: ignore[assignment]  # systemd tells upper from lower case
    found.read(path, encoding="utf-8")
    return found["Service"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_service_runs_a_module_of_ours_from_the_checkout(path: Path) -> None:
    found = service(path)
    python, flag, module, *_ = shlex.split(found["ExecStart"])
    assert (python, flag) == (f"{found['WorkingDirectory']}/.venv/bin/python", "-m")
    at = ROOT / module.replace(".", "/")
    assert at.with_suffix(".py").is_file() or (at / "__main__.py").is_file()
    assert found["UMask"] == "0077"


def test_the_watch_takes_its_flags_and_is_told_alone_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = service(ROOT / "deploy" / "systemd" / "parley-watch.service")
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main([*shlex.split(found["ExecStart"])[3:], "--dry_run"]) == 1
    assert found["KillMode"] == "mixed"
