"""Where a server that must be told serves a release: what PARLEY_ENGINE_RELEASES says."""

import re
from urllib.parse import urlsplit

OLLAMA = "ollama"  # the other value: releases become models of Ollama
EXAMPLE = "http://127.0.0.1:9{release:03}/v1"


def release_address(pattern: str, release: int) -> str:
    """The address of a release; `{release}` in the pattern, as in Python's formats, stands for its number.

    Raises ValueError, with what to write, if that makes no address.
    """
    try:
        found = pattern.format(release=release)
        urlsplit(found).port  # noqa: B018 - it raises
    except (ValueError, KeyError, IndexError, AttributeError):
        found = ""
    if not re.match(r"https?://[^/\s]+", found):
        raise ValueError(
            f"use {OLLAMA}, or an address such as {EXAMPLE}, in which {{release}} stands for the number of a release"
        )
    return found
