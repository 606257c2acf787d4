"""No library's progress bar reaches the screen: stages show their own."""

import os
import subprocess
import sys

import pytest

SHOW = (
    "import alignment\n"
    "from tqdm.auto import tqdm, trange\n"
    "list(tqdm([1, 2], desc='Computing reference log probs')); list(trange(2))\n"
)


@pytest.mark.process
def test_bars_of_the_libraries_stay_off_the_screen() -> None:
    env = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, env=env, check=True, timeout=240)
    assert (done.stdout, done.stderr) == (b"", b"")
