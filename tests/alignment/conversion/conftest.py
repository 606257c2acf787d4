"""The fetched converter in use, and shelves of tiny bases, all of which are converted once for all tests."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from alignment.conversion import gguf


@pytest.fixture(scope="session")
def converted(fetched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `tiny_bases.convert_all`, one for all processes of `pytest -n`: copy from it, never change it."""
    from tests.fakes import tiny_bases

    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "converted"
    with FileLock(f"{folder}.lock"), pytest.MonkeyPatch.context() as patch:
        if not folder.is_dir():
            patch.setattr(gguf, "fetch_converter", lambda _: fetched)
            making = folder.with_suffix(".making")
            tiny_bases.convert_all(making)
            making.rename(folder)
    return folder


@pytest.fixture(scope="module")
def convert_here(fetched: Path) -> Iterator[None]:
    """Conversions take the fetched converter, wherever the test's bases are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf, "fetch_converter", lambda _: fetched)
        yield


@pytest.fixture(scope="module")
def shelf(
    convert_here: None, converted: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Path]]:
    """Makes a folder of tiny bases of the given families and quantisations, and sets it as PARLEY_BASES."""
    from tests.fakes import tiny_bases

    with pytest.MonkeyPatch.context() as patch:

        def made(**kinds: str) -> Path:
            folder = tiny_bases.shelf(tmp_path_factory.mktemp("bases"), kinds, converted)
            patch.setenv("PARLEY_BASES", str(folder))
            return folder

        yield made
