"""What makes a played Discord quicker, in the tests alone; see `tests.quick` for what such a patch may do."""

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import simcord.backend.serializers
import simcord.gateway
import simcord.http.router
import simcord.results

_ATOMS = (str, int, float, bool, type(None))


def copy_payloads_quickly(patch: pytest.MonkeyPatch) -> None:
    """Simcord copies each payload deeply, several times; nearly all are JSON, which needs no memo."""
    for module in (simcord.gateway, simcord.http.router):
        patch.setattr(module, "copy", SimpleNamespace(deepcopy=copied))
    for module in (simcord.results, simcord.backend.serializers):
        patch.setattr(module, "deepcopy", copied)


def copied(value: Any) -> Any:
    """A deep copy."""
    kind = type(value)
    if kind is dict:
        return {key: each if type(each) is str else copied(each) for key, each in value.items()}
    if kind is list:
        return [copied(each) for each in value]
    return value if kind in _ATOMS else copy.deepcopy(value)
