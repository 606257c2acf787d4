"""Errors that carry the sentence a user reads, and the exit code that a command ends with."""

import difflib
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn


class ParleyError(Exception):
    """Something went wrong that its user can act on; `str(error)` is the sentence to show."""

    exit_code = 2


class BadInput(ParleyError):
    """What the user gave cannot be used. The sentence says what, where and what to do."""


class NothingToDo(ParleyError):
    """There is nothing to do, or the gate refused: no fault of the input."""

    exit_code = 1


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ` Did you mean 'beta'?`, or an empty string when nothing is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run a command's `main` and leave the process with its exit code.

    A `ParleyError` becomes its sentence on standard error, and so does a file that cannot be read or written; an
    interrupt becomes 130.
    """
    try:
        code = main() or 0
    except ParleyError as error:
        print(f"parley: {error}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("parley: interrupted.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # The reader of our output went away (`... | head`): nothing is wrong with the work.
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
