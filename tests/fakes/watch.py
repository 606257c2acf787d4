"""`python -m tests.fakes.watch`: the watch, with looks that follow quickly and a round that trains nothing.

`python -m tests.fakes.watch round FLAGS` is that round: with `--suites none` it runs until something ends it, with
others it refuses its candidate. It prints a secret, as a stage might.
"""

import json
import os
import sys
import time
from functools import partial

from filelock import FileLock

import alignment.watch
from alignment.watching import loop
from data.errors import run
from data.home import home, private_dir

SECRET = "what somebody said"


def one_round() -> int:
    print(SECRET, os.getpid(), os.nice(0), flush=True)
    folder = private_dir(home() / "rounds" / "0001")
    decided = {"status": "refused", "decision": {"release": 1, "reasons": ["It is no better."]}}
    with FileLock(home() / "rounds" / ".lock", timeout=0, mode=0o600):
        (folder / "manifest.json").write_text('{"number": 1, "status": "running"}')
        while "none" in sys.argv:
            time.sleep(0.05)
        (folder / "manifest.json").write_text(json.dumps({"number": 1, **decided}))
    return 1


def main() -> int:
    if sys.argv[1:2] == ["round"]:
        return one_round()
    loop.LOOK = loop.TICK = 0.05
    alignment.watch.Round = partial(alignment.watch.Round, program=("-m", "tests.fakes.watch", "round"))
    return alignment.watch.main()


if __name__ == "__main__":
    run(main)
