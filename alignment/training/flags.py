"""The words of a command line: names of flags, flags that are given twice, settings as flags."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from data.errors import BadInput

_FLAG = re.compile(r"--([A-Za-z][\w-]*)(?:=(.*))?", re.DOTALL)


def flag_names(words: Iterable[str]) -> list[str]:
    """The names of the flags among the words of a command line."""
    return [match[1].replace("-", "_") for word in words if (match := _FLAG.match(word))]


def once(words: Sequence[str], lists: Collection[str]) -> list[str]:
    """The words with each flag once: a flag that takes a list gets the values of all its places.

    `lists` names the flags that take a list. Raises `BadInput` for another flag with two different values: argparse
    would use the last one and ignore the first.
    """
    groups: list[tuple[str, list[str]]] = [("", [])]  # a flag's name and all its words; first the words before any
    for word in words:
        if match := _FLAG.match(word):
            groups.append((match[1].replace("-", "_"), [word]))
        else:
            groups[-1][1].append(word)
    merged: dict[str, list[str]] = {}
    for name, group in groups:
        if name not in merged:
            merged[name] = group
        elif name in lists:
            merged[name] = [f"--{name}", *_values(merged[name]), *_values(group)]
        elif _values(merged[name]) != _values(group):
            one, other = (" ".join(_values(each)) or "no value" for each in (merged[name], group))
            raise BadInput(f"--{name} is given twice, with {one} and with {other}. Give it once.")
    return [word for group in merged.values() for word in group]


def _values(group: Sequence[str]) -> list[str]:
    """The values in a flag's words, `--name=value` among them."""
    first, *rest = group
    match = _FLAG.fullmatch(first)
    return [*([match[2]] if match and match[2] is not None else []), *rest]


def without(words: Sequence[str], names: Collection[str]) -> list[str]:
    """The words without these flags and their values."""
    kept: list[str] = []
    dropping = False
    for word in words:
        if match := _FLAG.fullmatch(word):
            dropping = match[1].replace("-", "_") in names
        if not dropping:
            kept.append(word)
    return kept


def as_flag(name: str, value: Any) -> list[str]:
    """A setting as the words of a command line."""
    if isinstance(value, bool):
        return [f"--{name}", str(value).lower()]
    if isinstance(value, dict):
        return [f"--{name}", json.dumps(value)]
    if isinstance(value, list):
        return [f"--{name}", *map(str, value)]
    return [f"--{name}={value}"]
