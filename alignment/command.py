"""What the commands of the five stages begin with: `--help` and `--search`, then the training itself.

Help and refusals of flags answer in under a second, because torch and TRL are loaded only where a stage begins to
train: at the top of the function that its command gives here, and nowhere else.
"""

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from alignment.training.errors import AlreadyDone
from alignment.training.recipe import help_text, wants_help, wants_search


def command(stage: str, train: Callable[[list[str]], None], argv: Sequence[str] | None = None) -> int:
    """Run a stage's command, with `train` for what it does; `argv` are its flags, else those of this process.

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
