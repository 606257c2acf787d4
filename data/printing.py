"""Text for a terminal that cannot command it."""

import re

# Terminals obey the control characters (escape sequences begin with one), and two more turn the reading order round.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202d\u202e]")


def printable(text: str) -> str:
    """The text without control characters; line ends and tabs stay."""
    return _CONTROL.sub("", text)
