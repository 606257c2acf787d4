"""What needs a base: this home's releases, and the home itself."""

from pathlib import Path

from data.chosen_base import base_before
from data.errors import ParleyError
from data.home import setting
from data.releases import Releases


def users_of(name: str, home: Path) -> list[str]:
    """What in a home needs a base, in words; empty if nothing does."""
    found = []
    try:
        numbers = [release.number for release in Releases(home).all() if release.base == name]
    except ParleyError:  # a damaged release may be one of this base
        return [f"a release in {home} that cannot be read (`python -m data check` says which)"]
    if name in (base_before(home).name, setting("PARLEY_BASE")) and (home / "parley.db").is_file():
        found.append("this home")
    if numbers:
        found.append(f"release{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}")
    return found
