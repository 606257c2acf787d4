"""Where releases are served, as the settings say it: at an address for each, or nowhere but one fixed model."""

import re
from urllib.parse import urlsplit

from data.home import setting

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


def not_reached() -> str | None:
    """A sentence for whoever changes what serves, if the settings name one model that always answers; else None."""
    if (model := setting("PARLEY_ENGINE_MODEL")) is None:
        return None
    return (
        f"PARLEY_ENGINE_MODEL says that {model} always answers, so a bot with this setting does not change what it "
        "serves. Unset it if its server can serve releases (docs/servers.md)."
    )
