"""The converter that was fetched before the tests, and a shelf of tiny bases of all families, made once a file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alignment.conversion import converter, gguf

_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def fetched() -> Path:
    """The folder of llama.cpp's converter. Tests never fetch: without it they fail."""
    bases = Path(os.environ.get("PARLEY_BASES") or _ROOT / "var" / "bases").absolute()
    folder = bases / converter.FOLDER
    if not folder.is_dir():
        pytest.fail(f"llama.cpp's converter is not in {bases}: run `make converter` once.", pytrace=False)
    return folder


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
