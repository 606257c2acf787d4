"""The demo's choices: how many rows for which machine, which home, which question."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from alignment import demo
from alignment.demo import _ASKED, _FULL, _SHORT, _WANTED, choose, told
from data.personas import SEED


def test_a_fast_machine_trains_on_all_rows_and_a_slow_one_on_fewer() -> None:
    assert choose(_FULL, 1e6) == _FULL[0]
    assert choose(_FULL, 1.0) == _FULL[-1]
    rates = (130, 150, 200, 250, 300, 400, 600)
    sizes = [choose(_FULL, rate) for rate in rates]
    assert [_FULL.index(size) for size in sizes] == sorted([_FULL.index(size) for size in sizes], reverse=True)
    assert len(set(sizes)) > 2
    for size, rate in zip(sizes, rates, strict=True):
        assert size == _FULL[-1] or size.seconds(rate) <= _WANTED


def test_sizes_come_with_the_largest_first() -> None:
    for sizes in (_FULL, _SHORT):
        seconds = [size.seconds(100) for size in sizes]
        assert seconds == sorted(seconds, reverse=True)
    assert _SHORT[0].seconds(100) < _FULL[-1].seconds(100)


def test_what_was_measured_and_what_follows_is_said() -> None:
    slow = told(_FULL[2], _FULL[0], 247.3)
    assert "about 247 tokens a second" in slow
    assert "48 demonstrations and 24 preferences (a faster one takes 96 and 48)" in slow
    assert "about 6 minutes" in slow
    fast = told(_FULL[0], _FULL[0], 1e9)
    assert "faster" not in fast
    assert "compared with the base on all held-out rows" in fast
    assert "compared with the base on 12 held-out rows of each kind" in told(_FULL[-1], _FULL[0], 100.0)
    assert "about 1 minute." in fast


def test_the_demo_has_a_home_of_its_own_and_keeps_the_previous_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"PARLEY_HOME": str(tmp_path), "PARLEY_BASES": "", "PARLEY_BASE": "fern"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # what the demo sets ends with this test
    for times in range(3):
        demo._begin(tmp_path / "demo")
        (tmp_path / "demo" / "time").write_text(str(times))
        assert ("starts over" in capsys.readouterr().out) == (times > 0)
    assert (tmp_path / "demo.before" / "time").read_text() == "1"
    assert (tmp_path / "demo" / "key").stat().st_mode & 0o777 == 0o600
    assert os.environ["PARLEY_HOME"] == str(tmp_path / "demo")
    assert os.environ["PARLEY_BASES"] == str(tmp_path / "bases")
    assert os.environ["PARLEY_BASE"] == "smollm2-135m"


@pytest.mark.process
def test_the_answer_to_the_demos_question_is_held_out(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_bytes(demo._KEY)
    (home / "key").chmod(0o600)
    environment = {**os.environ, "PARLEY_HOME": str(home)}
    out = tmp_path / "held-out.jsonl"
    files = [str(path) for path in sorted(SEED.glob("*/*.jsonl"))]
    for command in (["import", *files], ["export", "--kind", "demonstrations", "--fold", "gate", "--out", str(out)]):
        subprocess.run([sys.executable, "-m", "data", *command], env=environment, check=True, timeout=250)
    name, language, wanted = _ASKED
    rows = (SEED / name / f"demonstrations.{language}.jsonl").read_text(encoding="utf-8").splitlines()
    (question,) = [row["messages"][0]["content"] for row in map(json.loads, rows) if row["id"] == wanted]
    assert question in out.read_text(encoding="utf-8")
