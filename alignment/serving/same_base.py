"""Is the base that an adapter is put onto the one that it was trained on?"""

import json
from pathlib import Path

from alignment.models import Base, base_hashes, locate, own_base
from data.bases import is_alias
from data.errors import BadInput


def check_base(adapter: Path, base: Base) -> str | None:
    """Check that an adapter is put onto its own base. The base may lie in another place now: weights are compared.

    What the adapter was trained on is recorded in the manifest of its run or release, beside it; without a manifest
    it is the base that the adapter names. Raises `BadInput` if `base` is another one. Returns a sentence if that
    cannot be known, because there is neither; else None.
    """
    name, recorded, here = own_base(adapter), _recorded(adapter), base_hashes(base)
    if recorded in here or (recorded is None and name == base.name):
        return None
    own = _hashes(name)
    if own and (recorded is None or recorded in own):
        if own & here:
            return None
    elif recorded is None or is_alias(name):
        return (
            f"{adapter} names the base {name}, which is not on this machine. So it cannot be checked that "
            f"{base.name} is the same one."
        )
    raise BadInput(
        f"{adapter} was trained on the base {name}, and {base.name} is another one: their weights differ, and the "
        "adapter would compute something else on it. Leave --base out, or name the folder where its own base is now."
    )


def _recorded(adapter: Path) -> str | None:
    """The hash of the base as the manifest beside an adapter has it."""
    for path in (adapter / "reward.json", adapter.parent / "manifest.json"):
        try:
            found = json.loads(path.read_text(encoding="utf-8")).get("base_sha256")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(found, str) and found != "unknown":
            return found
    return None


def _hashes(name: str) -> set[str]:
    """The hashes of the base of a name; none if it is not on this machine."""
    try:
        return base_hashes(locate(name))
    except BadInput:
        return set()
