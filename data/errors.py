"""Errors that carry the sentence shown to the user, and the exit code of the command."""

import difflib
import os
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn


class ParleyError(Exception):
    """An error that the user can act on; `str(error)` is the sentence to show."""

    exit_code = 2


class BadInput(ParleyError):
    """The input cannot be used. The sentence says what is wrong, where, and what to do."""


class NothingToDo(ParleyError):
    """There is nothing to do, or the gate refused. The input is fine."""

    exit_code = 1


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ` Did you mean 'beta'?`; empty when no known name is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and exit with its code.

    A `ParleyError`, and a file that cannot be read or written, become one sentence on standard error. An interrupt
    exits with 130. Files that a command makes, and those of libraries, are private to its owner.
    """
    os.umask(0o077)
    try:
        code = main() or 0
    except ParleyError as error:
        print(f"parley: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("parley: interrupted.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # The reader of our output is gone (`... | head`). That is not an error.
        sys.stderr.close()
        code = 0
    except OSError as error:
        if error.filename is None:
            raise
        print(
            f"parley: {error.filename2 or error.filename}: {(error.strerror or str(error)).lower()}.", file=sys.stderr
        )
        code = BadInput.exit_code
    sys.exit(code)
