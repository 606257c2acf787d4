"""For the tests of alignment: torch uses one thread, and no pictures are drawn unless a test looks at them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from alignment.conversion.converter import FOLDER
from tests.alignment.pictures import drawn, seldom_drawn


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tiny models gain nothing from threads, and lose much when other processes use the cores."""
    if any(item.get_closest_marker(name) for name in ("tiny", "base")):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="package")
def _seldom_drawn() -> Iterator[None]:
    with seldom_drawn():
        yield


@pytest.fixture
def pictures() -> Iterator[None]:
    """Draw the pictures of a test that looks at them; a fixture of a module uses `drawn` where it trains."""
    with drawn():
        yield


@pytest.fixture(scope="session")
def fetched(bases_folder: Path) -> Path:
    """The folder of llama.cpp's converter. Tests never fetch: without it they fail."""
    folder = bases_folder / FOLDER
    if not folder.is_dir():
        pytest.fail(f"llama.cpp's converter is not in {bases_folder}: run `make converter` once.", pytrace=False)
    return folder
