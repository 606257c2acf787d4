"""Our own commands in sentences, so that they can be pasted into the shell that shows them.

Sentences say `python -m alignment.round`, whoever prints them; what prints one passes it through `pasted`.
"""

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

_WRITTEN = "python -m "


def pasted(text: str) -> str:
    """The text with its commands as they are typed here: with this Python, and this process's folders."""
    if _WRITTEN not in text:
        return text
    return text.replace(_WRITTEN, " ".join([*_variables(), _python(), "-m "]))


def _variables() -> Iterable[str]:
    """The folders that come from the environment and are not the usual ones; a command reads `.env` itself."""
    home = _folder("PARLEY_HOME")
    usual = {"PARLEY_HOME": Path("var"), "PARLEY_BASES": (home or Path("var")) / "bases"}
    for name, path in {"PARLEY_HOME": home, "PARLEY_BASES": _folder("PARLEY_BASES")}.items():
        if path is not None and path != usual[name].absolute():
            yield f"{name}={shlex.quote(_short(path))}"


def _folder(name: str) -> Path | None:
    value = os.environ.get(name, "").strip()
    return Path(value).absolute() if value else None


def _python() -> str:
    # Not resolved: the link in a virtual environment is what makes Python use that environment.
    return shlex.quote(_short(Path(sys.executable))) if sys.executable else "python"


def _short(path: Path) -> str:
    """A path below the working directory from there, every other one in full."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
