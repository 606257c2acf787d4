"""Who sits at this machine: the same person at the terminal and in the audit log."""

import getpass
import os


def user_here() -> str:
    """The operating system's user name, or the number where there is no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "user"
