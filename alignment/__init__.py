"""Training: the stages, their evaluation, and how a release is made from them.

The environment is set here, before any module of the training stack is imported, because that stack reads it at
import: no telemetry, nothing is fetched from a hub unless the operator set `HF_HUB_OFFLINE=0` or a command was given
`--allow_download`, and threads that wait for each other fall asleep soon.
"""

import os
import sys

# How often a thread looks whether the others are done before it sleeps, in torch's OpenMP (libgomp, which reads this
# when it is loaded). By default it looks for milliseconds, and where other work wants the cores, such as the engine
# that serves, it takes them from the very threads that it waits for. `python -m tests.bench.waiting` measures it.
SPINS = "3000"

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
if "--allow_download" in sys.argv:
    os.environ.setdefault("HF_HUB_OFFLINE", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Tokenizers use one thread; with several they warn when a process forks later.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TQDM_DISABLE", "1")  # the libraries' bars; stages show their own progress
if "OMP_WAIT_POLICY" not in os.environ:  # GOMP_SPINCOUNT would win over it
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
