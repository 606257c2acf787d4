"""The base model that a home has, pinned in `releases/base.json`: release 0 is this base and no other.

The file is written when a bot or a round first uses the home, and again by `data.base_switch`. `data.chosen_base`
decides which base a home gets, and whether the one on this machine is still the pinned one.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from data.errors import BadInput
from data.home import private_dir
from data.manifests import Damaged, Manifest

_MARK = re.compile(r"[^@]+@[0-9a-f]{12}")
_SHOWN = 12  # hexadecimal digits of a hash that tell two versions of one base apart


@dataclass(frozen=True, kw_only=True)
class HomeBase(Manifest):
    """A home's base: its name, and the hash that pins it (`BaseInfo.sha256`).

    `begins_anew`: the home has just been switched to this base, and the champion, the trial and the history on disk
    are still those of the base before. They do not count, and whoever writes next removes them.
    """

    name: str
    sha256: str
    begins_anew: bool = False

    @property
    def mark(self) -> str:
        """What answers of release 0 are stored with, so that those of two bases are never taken for each other."""
        return base_mark(self.name, self.sha256)

    def has(self, base: str, sha256: str | None) -> bool:
        """Whether a release that belongs to this base and hash may serve here. A hash that is not known matches."""
        return base == self.name and sha256 in (None, self.sha256)


def base_mark(name: str, sha256: str) -> str:
    """A base's name with the beginning of its hash."""
    return f"{name}@{sha256[:_SHOWN]}"


def other_model(model: str | None) -> bool:
    """Whether an answer that is stored with this is neither a release's nor a base's, but another model's."""
    return model is not None and _MARK.fullmatch(model) is None


def mark_of(home: Path) -> str | None:
    """The mark of the base that a home has now; None before it is pinned."""
    found = read_home_base(home)
    return found.mark if found else None


def base_path(home: Path) -> Path:
    """The file that pins a home's base."""
    return home / "releases" / "base.json"


def read_home_base(home: Path) -> HomeBase | None:
    """The base that a home is pinned to; None before it is. Raises `BadInput` for a damaged file."""
    path = base_path(home)
    try:
        return HomeBase.load(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Damaged as error:
        problem = error.problem
    except OSError as error:
        problem = error.strerror or str(error)
    raise BadInput(
        f"{path} should say which base model this home has, and cannot be read ({problem}). Put it back from a "
        "backup. Without one, remove it: the base is then the one that the home's releases belong to."
    )


def write_home_base(home: Path, base: HomeBase) -> None:
    """Pin a home to a base, in one step. The caller holds the lock of the releases."""
    private_dir(base_path(home).parent)
    base.save(base_path(home))
