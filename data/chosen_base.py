"""Which base model a home has: the pinned one; before that, its releases' own, `PARLEY_BASE`, or the bundled one.

Everything that needs to know asks `home_base`: the bot and its engine, rounds, evaluations, exports and recipes. So
none of them can mean another base than the others.
"""

from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from data.bases import BUNDLED, DEFAULT_BASE, base_dir, base_info, is_name
from data.errors import BadInput
from data.home import bases_dir, private_dir, setting
from data.home_base import HomeBase, read_home_base, write_home_base
from data.releases import BASE_RELEASE, Release, Releases

VARIABLE = "PARLEY_BASE"


def home_base(home: Path, wanted: str | None = None, *, pin: bool = False) -> str:
    """The name of a home's base. `pin` writes it down where nothing has yet: from then on the home has no other.

    `wanted` is what a command line says with --base. It and `PARLEY_BASE` choose the base of a new home only; for any
    other home they must name the one that it has. Raises `BadInput`, which says what to do, if they do not, if there
    is no such base, or if the base on this machine is not the one that was pinned.
    """
    said = {"--base": wanted, VARIABLE: setting(VARIABLE)}
    asked = {source: name for source, name in said.items() if name}
    found = read_home_base(home) or _of_releases(home, asked.get(VARIABLE))
    name = found.name if found else next(iter(asked.values()), DEFAULT_BASE)
    for source, other in asked.items():
        if other != name:
            raise BadInput(_another(home, source, other, name))
    sha256 = _sha256_here(name)
    if found and found.sha256 and sha256 not in (None, found.sha256):
        raise BadInput(
            f"The base model {name} in {bases_dir() / name} is not the one that this home ({home}) began with: its "
            f"SHA-256 begins with {str(sha256)[:12]}, and {found.sha256[:12]} is pinned in releases/base.json. Put "
            f"that base back, or begin anew from what is there: `python -m alignment.bases switch {name}`."
        )
    if not found or not found.sha256:
        if sha256 is None:  # neither bundled nor here: this says how to get it
            base_dir(name)
        found = HomeBase(name=name, sha256=str(sha256))
    if pin:
        _pin(home, found)
    return name


def base_before(home: Path) -> HomeBase:
    """The base that a home has had so far, whatever the settings say; its hash is empty where nothing tells it."""
    found = read_home_base(home) or _of_releases(home, None) or HomeBase(name=DEFAULT_BASE, sha256="")
    return found if found.sha256 else replace(found, sha256=_sha256_here(found.name) or "")


def _pin(home: Path, base: HomeBase) -> None:
    folder = Releases(home).folder
    if read_home_base(home) is not None:
        return
    with FileLock(private_dir(folder) / ".lock", mode=0o600):
        if read_home_base(home) is None:  # nobody was faster
            write_home_base(home, base)


def _of_releases(home: Path, said: str | None) -> HomeBase | None:
    """The base of a home from before bases were pinned: its champion's, else the one that all releases belong to."""
    releases = Releases(home)
    every = [release for release in releases.all() if is_name(release.base)]
    if not every:
        return None
    champion = releases.champion()
    serving = [release for release in every if release.number == champion != BASE_RELEASE]
    if serving or len({release.base for release in every}) == 1:
        return _pinned_by(serving or every)
    # Releases of several bases, and the base itself serves: it was the one that the setting said.
    name = said or DEFAULT_BASE
    return _pinned_by([release for release in every if release.base == name]) or HomeBase(name=name, sha256="")


def _pinned_by(releases: list[Release]) -> HomeBase | None:
    """The base of some releases, with the hash that the newest of them has; empty where none says."""
    if not releases:
        return None
    hashes = [release.manifest.base_sha256 for release in releases if release.manifest.base_sha256]
    return HomeBase(name=releases[-1].base, sha256=hashes[-1] if hashes else "")


def _sha256_here(name: str) -> str | None:
    """What pins a base on this machine; None for one that is not here and that no version of Parley brings."""
    if (bases_dir() / name / "base.json").is_file():
        return base_info(name).sha256
    return BUNDLED[name].sha256 if name in BUNDLED else None


def _another(home: Path, source: str, other: str, name: str) -> str:
    drop = f"Unset {source}" if source == VARIABLE else f"Leave {source} out"
    return (
        f"{source} names the base model {other}, and this home ({home}) has {name}: its champion and trial belong to "
        f"that one. {drop} to go on with {name}, or begin anew from {other}, with all feedback kept: "
        f"`python -m alignment.bases switch {other}`."
    )
