"""The fetched converter in use, and a shelf of tiny bases of all families, made once a file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alignment.conversion import gguf


@pytest.fixture(scope="module")
def convert_here(fetched: Path) -> Iterator[None]:
    """Conversions take the fetched converter, wherever the test's bases are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf, "fetch_converter", lambda _: fetched)
        yield


@pytest.fixture(scope="module")
def shelf(convert_here: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Makes a folder of tiny bases of the given families and quantisations, and sets it as PARLEY_BASES."""
    from tests.fakes import tiny_bases

    with pytest.MonkeyPatch.context() as patch:

        def made(**kinds: str) -> Path:
            folder = tiny_bases.shelf(tmp_path_factory.mktemp("bases"), kinds)
            patch.setenv("PARLEY_BASES", str(folder))
            return folder

        yield made
