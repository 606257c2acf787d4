"""The variables of a base's template by which a request has it think before it answers, or keeps it from that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from data.bases import BaseInfo

# The variable in the templates that `alignment.templates` makes of bases' own. It is false unless a request sets it.
OURS = "parley_thinks"
# The variable of most templates. It is also used for a server whose model is not known.
USUAL = "enable_thinking"


def thoughtless(base: BaseInfo) -> dict[str, Any]:
    """What requests to somebody else's server hold for a base that thinks: it was trained without thoughts."""
    return {"chat_template_kwargs": {base.thinking_switch or USUAL: False}} if base.thinks else {}


def thoughtful(base: BaseInfo) -> Mapping[str, Any]:
    """The variables that have this base think for once, whether a server has our template or the base's own.

    Empty for a base that does not think.
    """
    return {base.thinking_switch or USUAL: True, OURS: True} if base.thinks else {}
