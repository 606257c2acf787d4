"""What is learnt: stages of training, their evaluation, and what makes a release out of them.

The environment is set here, before any module of the training stack is imported, because that stack reads it at
import: no telemetry, and nothing is fetched from a hub unless the operator set `HF_HUB_OFFLINE=0` or a command was
given `--allow_download`.
"""

import os
import sys

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")
if "--allow_download" in sys.argv:
    os.environ.setdefault("HF_HUB_OFFLINE", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# The tokenizer works in one thread before the trainer forks nothing; without this it warns about forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
