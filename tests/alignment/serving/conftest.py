from pathlib import Path

import pytest

from tests.alignment import tiny


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def base(request, tmp_path_factory) -> Path:
    return tiny.build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))
