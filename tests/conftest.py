"""Fixtures that several test folders share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.bases import DEFAULT_BASE

_ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def base_home() -> Iterator[Path]:
    """The folder of the fetched base models, set as PARLEY_BASES. Tests never fetch: without it they fail."""
    folder = Path(os.environ.get("PARLEY_BASES") or _ROOT / "var" / "bases").absolute()
    if not (folder / DEFAULT_BASE / "base.json").is_file():
        pytest.fail(f"The base model {DEFAULT_BASE} is not in {folder}: run `make setup` once.", pytrace=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLEY_BASES", str(folder))
        yield folder


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_loop.py")
