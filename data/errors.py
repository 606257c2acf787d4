"""Errors that carry the sentence shown to the user, and the exit code of the command."""

import difflib
import errno
import os
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn

from data.pasted import pasted
from data.printing import printable
from data.variables import PARENT, set_here, unknown


class ParleyError(Exception):
    """An error that the user can act on; `str(error)` is the sentence to show."""

    exit_code = 2


class BadInput(ParleyError):
    """The input cannot be used. The sentence says what is wrong, where, and what to do."""


class NothingToDo(ParleyError):
    """There is nothing to do, or the gate refused. The input is fine."""

    exit_code = 1


# What the system's short messages mean for the reader, where there is something to do about it.
_FULL = "the disk is full. Make room and try again; everything that was stored before is still there"
_OF_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: f"{_FULL} (the quota of this user is used up)",
    errno.EFBIG: "the file has reached the size that the system allows (see `ulimit -f`)",
    errno.EROFS: "the disk can only be read. Mount it so that it can be written to, or name another folder",
    errno.EACCES: "permission denied. Make it readable and writable for the user that runs this command",
    errno.EIO: "the disk does not work properly (input/output error)",
}


def in_words(error: OSError) -> str | None:
    """A file system's error as a sentence; None for one that concerns no file and is not known."""
    reason = _OF_SYSTEM.get(error.errno or 0)
    if error.filename is None and error.filename2 is None:
        return None if reason is None else f"{reason[:1].upper()}{reason[1:]}."
    return f"{error.filename2 or error.filename}: {reason or (error.strerror or str(error)).lower()}."


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint such as ` Did you mean 'beta'?`; empty when no known name is near."""
    matches = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {matches[0]!r}?" if matches else ""


def run(main: Callable[[], int | None], *, tell_unknown: bool = True) -> NoReturn:
    """Run a command's `main` and exit with its code.

    With `tell_unknown`, misspelt settings are reported first; a command that another one starts leaves that to it.

    A `ParleyError`, and a file that cannot be read or written, become one sentence on standard error. An interrupt
    exits with 130. Files that a command makes, and those of libraries, are private to its owner.
    """
    os.umask(0o077)
    if tell_unknown and PARENT not in os.environ:
        for sentence in unknown(set_here()):
            print(f"parley: {printable(sentence)}", file=sys.stderr)
    try:
        code = main() or 0
    except ParleyError as error:
        print(f"parley: {printable(pasted(str(error)))}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("parley: interrupted.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # The reader of our output is gone (`... | head`). That is not an error.
        sys.stderr.close()
        code = 0
    except OSError as error:
        known = in_words(error)
        if known is None:
            raise
        print(f"parley: {printable(known)}", file=sys.stderr)
        code = BadInput.exit_code
    sys.exit(code)
