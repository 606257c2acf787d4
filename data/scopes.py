"""Which place's setting wins: the most specific one, from the conversation up to the server."""

from collections.abc import Mapping, Sequence
from typing import Any

# A kind of place ("conversation", "channel", "server") and its id: our number of a conversation, the platform's id of
# the others. A thread, its channel and the channel's category are all of the kind "channel", each with its own id.
Scope = tuple[str, str]


def chain(
    *,
    conversation: int | str | None = None,
    thread: int | str | None = None,
    channel: int | str | None = None,
    category: int | str | None = None,
    server: int | str | None = None,
) -> list[Scope]:
    """The places that a message is in, from the most specific to the widest; places without an id are left out.

    The installation surrounds them all. It has no id: its value is the default of `resolve`.
    """
    places = (
        ("conversation", conversation),
        ("channel", thread),
        ("channel", channel),
        ("channel", category),
        ("server", server),
    )
    return [(kind, str(place)) for kind, place in places if place]


def deciding_place(values: Mapping[Scope, Any], places: Sequence[Scope]) -> Scope | None:
    """The first of `places` (from the most specific to the widest) that has a value; None when none has."""
    return next((place for place in places if place in values), None)


def resolve(values: Mapping[Scope, Any], places: Sequence[Scope], default: Any) -> Any:
    """The value of the most specific place that has one, else the installation's `default`."""
    decides = deciding_place(values, places)
    return default if decides is None else values[decides]
