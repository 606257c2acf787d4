"""Manifests: the JSON files that say what a round, a release or a run holds, as data classes with a version.

A class names its keys, their types, and what stands for a key that is missing. Keys that it does not name are kept
in `more` and written again, so that an older Parley does not lose what a newer one wrote. None is not written.
"""

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

from data.errors import BadInput
from data.home import write_atomic

# It grows when an older Parley would misread what a newer one writes, not when keys are added.
VERSION = 1

# JSON has no such numbers: they are written as texts, which Python's `float` reads.
_NOT_FINITE = ("nan", "inf", "-inf")
_NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", dict: "an object"}


class Damaged(BadInput):
    """A file is not a manifest. `problem` says why, without the file's name."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is damaged: {problem}.")
        self.problem = problem


@dataclass(frozen=True, kw_only=True)
class Entries:
    """A JSON object as a data class. A field's metadata may give its `key` on disk; `more` holds unknown keys."""

    more: dict[str, Any] = field(default_factory=dict, repr=False)

    def entries(self) -> dict[str, Any]:
        """The object as JSON takes it."""
        made: dict[str, Any] = plain(self)
        return made


@dataclass(frozen=True, kw_only=True)
class Manifest(Entries):
    """What all manifests have. A file without a version is older than versions, and is read as version 1."""

    version: int = VERSION

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a manifest. Raises `Damaged` for anything else, `OSError` where the file cannot be read."""
        return cls.read(path.read_bytes(), path)

    @classmethod
    def read(cls, raw: bytes, path: Path) -> Self:
        """Read a manifest's bytes; `path` is what errors call it. Raises `Damaged` for anything else."""
        try:
            found: Any = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Damaged(path, f"it breaks off or is not JSON ({error})") from None
        try:
            made: Self = typed(found, cls)
        except TypeError as error:
            raise Damaged(path, str(error)) from None
        if made.version > VERSION:
            raise Damaged(path, f"it has version {made.version}, and this Parley reads {VERSION}: update Parley")
        return made

    def save(self, path: Path) -> None:
        """Write the manifest in one step; it is on disk when this returns."""
        write_atomic(path, self.text())

    def text(self) -> str:
        """The manifest as it is written."""
        return json.dumps(self.entries(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def typed(value: Any, kind: Any, name: str = "it") -> Any:
    """JSON's `value` as a `kind`: a plain type, a container of such, a data class, or a union with None.

    Raises `TypeError` with a sentence for what does not fit; `name` is what the sentence calls the value.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        kind = next(each for each in arguments if each is not type(None))
        return typed(value, kind, name)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _object(value, kind, name)
    plain_kind = origin or kind
    if plain_kind in (list, tuple):
        if not isinstance(value, list):
            raise TypeError(f"{name} should be a list")
        # tuple[int, ...] holds any number of one type, tuple[int, str] one value of each.
        several = plain_kind is list or arguments[1:] == (...,)
        if not several and len(value) != len(arguments):
            raise TypeError(f"{name} should hold {len(arguments)} values")
        kinds = [arguments[0]] * len(value) if several else arguments
        return plain_kind(typed(each, of, f"an entry of {name}") for each, of in zip(value, kinds, strict=True))
    if plain_kind is float and value in _NOT_FINITE:
        return float(value)
    fits = isinstance(value, (int, float) if plain_kind is float else plain_kind)
    if not fits or (isinstance(value, bool) and plain_kind is not bool):
        raise TypeError(f"{name} should be {_NAMES[plain_kind]}")
    if plain_kind is dict and arguments:
        return {key: typed(each, arguments[1], f"{name}.{key}") for key, each in value.items()}
    return value


# Python evaluates the annotations anew each time, which takes most of the time that reading a manifest takes.
_hints = cache(typing.get_type_hints)


def _object(value: Any, kind: Any, name: str) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"{name} should be an object")
    hints = _hints(kind)
    given: dict[str, Any] = {}
    known = set()
    for each in dataclasses.fields(kind):
        if each.name == "more" and issubclass(kind, Entries):
            continue
        key = each.metadata.get("key", each.name)
        known.add(key)
        if key in value:
            # null stands for a key that is missing, where one may be missing.
            optional = each.default is not dataclasses.MISSING or each.default_factory is not dataclasses.MISSING
            if value[key] is not None or not optional:
                given[each.name] = typed(value[key], hints[each.name], f"{key!r}")
        elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
            raise TypeError(f"it has no {key!r}" if name == "it" else f"{name} has no {key!r}")
    if issubclass(kind, Entries):
        given["more"] = {key: each for key, each in value.items() if key not in known}
    return kind(**given)


def plain(value: Any) -> Any:
    """A value as JSON takes it: what `typed` reads back."""
    if isinstance(value, Entries):
        parts = {each.metadata.get("key", each.name): getattr(value, each.name) for each in dataclasses.fields(value)}
        del parts["more"]
        return {key: plain(part) for key, part in parts.items() if part is not None} | plain(value.more)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
