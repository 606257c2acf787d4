"""Settings that hold in one place only: the narrowest place that says something wins."""

from collections.abc import Mapping, Sequence
from typing import Any

# A kind of place ("server", "channel") and its id on the platform. A thread, its channel and the category that this
# stands in are all channels, each with an id of its own.
Scope = tuple[str, str]


def resolve(said: Mapping[Scope, Any], chain: Sequence[Scope], default: Any) -> Any:
    """What holds in a place: of what was `said`, what stands first in the chain of places from narrow to wide."""
    return next((said[scope] for scope in chain if scope in said), default)
