"""Settings that hold in one place only: the narrowest place that says something wins."""

from collections.abc import Mapping, Sequence
from typing import Any

# A kind of place ("conversation", "channel", "server") and its id: a conversation's number here, the others' on the
# platform. A thread, its channel and the category that this stands in are all channels, each with an id of its own.
Scope = tuple[str, str]


def chain(
    *,
    conversation: int | str | None = None,
    thread: int | str | None = None,
    channel: int | str | None = None,
    category: int | str | None = None,
    server: int | str | None = None,
) -> list[Scope]:
    """The places that something is said in, by their ids, from narrow to wide. Those that there are not are left out.

    Around them all is the installation. It is no place with an id: what it says is the default of `resolve`.
    """
    places = (
        ("conversation", conversation),
        ("channel", thread),
        ("channel", channel),
        ("channel", category),
        ("server", server),
    )
    return [(kind, str(place)) for kind, place in places if place]


def sayer(said: Mapping[Scope, Any], places: Sequence[Scope]) -> Scope | None:
    """Which place decides: of those that `said` something, what stands first in a chain from narrow to wide."""
    return next((place for place in places if place in said), None)


def resolve(said: Mapping[Scope, Any], places: Sequence[Scope], default: Any) -> Any:
    """What holds in a place: what the narrowest place `said`, or where none did, the installation's `default`."""
    decides = sayer(said, places)
    return default if decides is None else said[decides]
