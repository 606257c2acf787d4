"""Finds what is damaged, missing, changed or dangling in a home, and says for each what to do. It changes nothing."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from data import bases
from data.base_files import base_problems
from data.check_database import database_findings
from data.chosen_base import home_base
from data.database import NAME
from data.error_budget import would_be
from data.errors import BadInput, ParleyError
from data.finding import Finding, damage, note
from data.home import KEY, KEY_BYTES, bases_dir
from data.home_base import read_home_base
from data.keys import fits
from data.manifests import Damaged
from data.release_files import file_problems
from data.releases import BASE_RELEASE, Release, Releases
from data.rounds import DecidedRound
from data.tidy import FILES, FOLDERS

_BACKUP = "put the home back from a backup (`python -m data restore`)"
_SERVE = "Serve another release (`python -m alignment.promote N`; 0 is the base model)"


@dataclass(frozen=True, slots=True)
class _Known:
    """The releases that can be read, and the numbers of all folders."""

    releases: dict[int, Release]
    numbers: frozenset[int]


def check_home(home: Path) -> list[Finding]:
    """What is wrong in a home, the worst first. Raises `BadInput` when there is no home."""
    if not home.is_dir() or (not (home / NAME).exists() and not (home / "releases").exists()):
        raise BadInput(f"There is no home in {home} (PARLEY_HOME). Nothing was checked.")
    found = [*_key(home), *database_findings(home)]
    known, problems = _releases(home)
    found += problems
    found += [*_pointers(home, known), *_budget(home), *_rounds(home, known), *_home_base(home), *_bases(known)]
    found += _modes(home)
    return sorted(found, key=lambda finding: not finding.damage)


def _key(home: Path) -> Iterator[Finding]:
    path = home / KEY
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        yield damage(
            f"{path} is missing. Without it people and erased texts are not recognised, and rows change their fold. "
            f"Copy it from a backup, or {_BACKUP}."
        )
    except OSError as error:
        yield damage(f"{path} cannot be read ({error.strerror}). Give it to the user that runs Parley.")
    else:
        if len(key) not in KEY_BYTES:
            yield damage(f"{path} holds {len(key)} bytes, and a key has 32. Copy it from a backup, or {_BACKUP}.")
        elif not fits(home / NAME, key):
            yield damage(
                f"{path} is another key than the one that {home / NAME} was made with. Copy the right one from a "
                "backup; if there is none, `python -m data key` says what another one costs."
            )


def _releases(home: Path) -> tuple[_Known, list[Finding]]:
    releases = Releases(home)
    folder = releases.folder
    numbers = sorted(int(path.name) for path in folder.glob("*") if path.name.isdecimal()) if folder.is_dir() else []
    known, found = {}, []
    for number in numbers:
        try:
            known[number] = releases.get(number)
        except ParleyError as error:
            found.append(
                damage(f"{error} Copy {folder / f'{number:04d}'} from a backup, or move it away if it never serves.")
            )
    for release in known.values():
        found += [damage(problem) for problem in file_problems(release)]
        found += map(damage, _missing(release))
    return _Known(known, frozenset(numbers)), found


def _missing(release: Release) -> Iterator[str]:
    """What a release of before files were pinned must have at least."""
    if release.manifest.kind != "adapter" or release.manifest.files:
        return
    wanted = [release.adapter / "adapter_config.json", release.adapter / "adapter_model.safetensors"]
    if release.manifest.adapter_gguf_sha256 is None:
        wanted.append(release.adapter_gguf)
    for path in wanted:
        if release.adapter.exists() and not (path.is_file() and path.stat().st_size):
            yield f"Release {release.number}: {path} is missing or empty. Copy it from a backup. {_SERVE}."


def _pointers(home: Path, known: _Known) -> Iterator[Finding]:
    releases = Releases(home)
    try:
        champion = releases.champion()
    except BadInput as error:
        yield damage(str(error))
    else:
        if champion != BASE_RELEASE and champion not in known.numbers:
            yield damage(
                f"{releases.champion_path} names release {champion}, which is not there. {_SERVE}, or {_BACKUP}."
            )
    try:
        candidate = releases.candidate()
    except BadInput as error:
        if str(releases.candidate_path) in str(error):
            yield damage(str(error))
    else:
        if candidate not in (None, BASE_RELEASE) and candidate not in known.numbers:
            yield damage(
                f"{releases.candidate_path} names release {candidate}, which is not there. End the trial with "
                "`python -m alignment.rollback --trial`."
            )
    yield from _history(releases.folder / "history", known)


def _history(path: Path, known: _Known) -> Iterator[Finding]:
    lines = path.read_bytes().split() if path.is_file() else []
    odd = [line for line in lines if not line.isdigit()]
    if odd:
        yield note(f"{path} has {len(odd)} lines that are not numbers; a rollback leaves them out. Remove them.")
    gone = sorted({int(line) for line in lines if line.isdigit()} - known.numbers - {BASE_RELEASE})
    if gone:
        numbers = ", ".join(map(str, gone))
        yield note(
            f"{path} names releases that are gone ({numbers}): a rollback cannot lead there. Remove the lines."
        )


def _budget(home: Path) -> Iterator[Finding]:
    try:
        would_be(home)
    except BadInput as error:
        yield damage(str(error))
    except OSError as error:
        yield damage(f"{error.filename} cannot be read ({error.strerror}). Copy it from a backup.")


def _rounds(home: Path, known: _Known) -> Iterator[Finding]:
    for folder in sorted((home / "rounds").glob("*")):
        if not folder.name.isdecimal():
            continue
        try:
            round_ = DecidedRound.load(folder / "manifest.json")
        except FileNotFoundError:
            yield note(f"{folder} has no manifest.json: a round died at its start. The next one uses it.")
        except Damaged as error:
            yield damage(f"{error} Copy it from a backup, or move {folder} away.")
        except OSError as error:
            yield damage(f"{folder / 'manifest.json'} cannot be read ({error.strerror}).")
        else:
            made = round_.decision.release if round_.decision else None
            if made is not None and made not in known.numbers:
                yield note(
                    f"{folder} made release {made}, which is gone. If nobody removed it, copy it from a backup."
                )


def _home_base(home: Path) -> Iterator[Finding]:
    """Whether the base that the home is pinned to is the one that is here, and the one that the setting names."""
    try:
        if read_home_base(home) is not None:
            home_base(home)
    except BadInput as error:
        yield damage(str(error))


def _bases(known: _Known) -> Iterator[Finding]:
    """The base models that releases need, as far as they are ours to fetch."""
    wanted = {release.base for release in known.releases.values() if bases.is_name(release.base)}
    for alias in sorted(wanted | {alias for alias in bases.known_bases() if (bases_dir() / alias).is_dir()}):
        try:
            info = bases.base_info(alias)
            if alias in bases.BUNDLED:  # a changed file with a changed base.json is found, too
                info = replace(info, gguf_sha256=bases.BUNDLED[alias].sha256)
            problems = list(base_problems(info))
        except BadInput as error:
            yield (note if not (bases_dir() / alias).is_dir() else damage)(str(error))
        else:
            yield from (damage(f"The base model {alias}: {each} {bases.get_again(alias)}") for each in problems)


def _modes(home: Path) -> Iterator[Finding]:
    """Files that others may read, and files that we may not."""
    opened, closed = [], []
    for path in _own(home):
        status = path.stat()
        if status.st_mode & 0o077 and (path.is_dir() or status.st_size):
            opened.append(path)
        if not os.access(path, os.R_OK | os.W_OK):
            closed.append(path)
    if opened:
        more = f" and {len(opened) - 1} more" if len(opened) > 1 else ""
        yield note(f"{opened[0]}{more} can be read by others. Make them private: `chmod -R go= '{home}'`.")
    for path in closed[:5]:
        yield damage(f"{path} cannot be read and written by this user. Give it to the user that runs Parley.")


def _own(home: Path) -> Iterator[Path]:
    yield home
    for pattern in FILES:
        yield from home.glob(pattern)
    for name in FOLDERS:
        if (home / name).is_dir():
            yield home / name
            yield from (path for path in (home / name).rglob("*") if not path.is_symlink())
