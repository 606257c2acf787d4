"""What `alignment` sets in the environment before torch is loaded."""

import importlib
import os
import subprocess
import sys

import pytest

import alignment


def test_waiting_threads_soon_sleep_unless_the_operator_says_otherwise(monkeypatch):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    for given, expected in ((None, alignment.SPINS), ("7", "7")):
        monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
        if given:
            monkeypatch.setenv("GOMP_SPINCOUNT", given)
        importlib.reload(alignment)
        assert os.environ["GOMP_SPINCOUNT"] == expected
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    importlib.reload(alignment)
    assert "GOMP_SPINCOUNT" not in os.environ


@pytest.mark.process
def test_torchs_threads_read_it():
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    code = "import alignment, torch; torch.ones(2)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("this torch has another OpenMP than libgomp")
    assert f"GOMP_SPINCOUNT = '{alignment.SPINS}'" in done.stderr
