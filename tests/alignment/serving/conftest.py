"""Tiny bases to export from. Their builder is imported late, because unit tests of this folder do without torch."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module", params=["gpt2", "llama", "qwen"])
def base(request, tmp_path_factory) -> Path:
    from tests.alignment import tiny

    return tiny.build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Path:
    from tests.alignment import tiny

    return tiny.build("llama", tmp_path_factory.mktemp("llama"))
