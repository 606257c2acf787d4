"""Are the files of a base still the ones that were added?"""

from collections.abc import Callable
from dataclasses import replace

from data.base_files import base_problems
from data.bases import BUNDLED, base_dir, base_info, get_again, known_bases
from data.errors import BadInput
from data.home import bases_dir


def check(name: str | None, say: Callable[[str], None] = print) -> bool:
    """Compare the files of one base, or of all, with the hashes in `base.json`, and say what to do.

    Returns whether all is well. Raises `BadInput` if there is no base of that name.
    """
    if name is not None:
        base_dir(name)
    names = [name] if name else [each for each in known_bases() if (bases_dir() / each).is_dir()]
    if not names:
        say(f"There are no bases in {bases_dir()} yet. `make setup` fetches the bundled one.")
    return all([_check(each, say) for each in names])  # noqa: C419 - every one is looked at


def _check(name: str, say: Callable[[str], None]) -> bool:
    try:
        info = base_info(name)
        if name in BUNDLED:  # a changed file with a changed base.json is found, too
            info = replace(info, gguf_sha256=BUNDLED[name].sha256)
        problems = list(base_problems(info))
    except BadInput as error:
        say(f"{name}: {error}")
        return False
    if problems:
        for problem in problems:
            say(f"{name}: {problem}")
        say(f"{name} is not used until that is mended. {get_again(name)}")
        return False
    count = f"{len(info.pinned)} file{'s' if len(info.pinned) > 1 else ''}"
    admitted = f" Admitted {info.nats:.4f} nats from transformers." if info.nats is not None else ""
    say(f"{name}: {count}, as {_pinned_by(name)}.{admitted}{_not_yet(name)}")
    return True


def _pinned_by(name: str) -> str:
    return "Parley pins it" if name in BUNDLED else "they were added"


def _not_yet(name: str) -> str:
    """What a base lacks that is made at first use."""
    if name not in BUNDLED or (bases_dir() / name / "hf" / "config.json").is_file():
        return ""
    return f" Its weights for training are made at first use, or by `python -m alignment.models {name}`."
