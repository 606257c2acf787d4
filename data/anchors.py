"""What decides a row's fold: the text that opens it, by the name that this text has among the members of groups.

It stands apart from `data.folds`, whose libraries take half a second: the bot names openings, and draws no folds.
"""

import re
import unicodedata
from typing import NamedTuple

from data.home import keyed_hash

_NO_WORD = bytes(at for at in range(128) if not re.match(r"\w", chr(at)))


class Anchor(NamedTuple):
    """What decides a row's group: the conversation that it comes from, if any, and the text that opens it.

    `taught` are the conversations whose corrections its answers were given as lessons, and may repeat.
    """

    text: str
    conversation: str | None = None
    taught: tuple[str, ...] = ()


def normalised(text: str) -> str:
    """The text without differences that do not matter: case, width, punctuation and spacing."""
    if text.isascii():  # the same, in a fifth of the time
        return text.encode().lower().translate(None, _NO_WORD).decode() or text.lower().strip()
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(re.findall(r"\w+", plain)) or plain.strip()


def fingerprint(key: bytes, text: str) -> str:
    """The name of a text among the members of groups."""
    return keyed_hash(key, "text", normalised(text))
