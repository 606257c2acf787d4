"""The shared beginning of the five stages' commands: `--help` and `--search`, then the training itself.

`--help` answers in under a second: torch and TRL are imported only when a stage begins to train, with its page in
`alignment/stages/`.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from alignment.training.errors import AlreadyDone
from alignment.training.recipe import help_text, wants_help, wants_search


def command(stage: str, train: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> int:
    """Run a stage's command: `train` does the training, `argv` are the flags (default: this process's).

    Returns the exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if wants_help(arguments):
        print(help_text(stage))
        return 0
    if wants_search(arguments):
        from alignment.search.trials import search  # loads torch

        return search(stage, lambda flags: command(stage, train, flags), arguments)
    with suppress(AlreadyDone):
        train(arguments)
    return 0
