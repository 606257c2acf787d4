"""For every test of alignment: tiny models gain nothing from threads, and lose much when others use the cores."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    import torch

    torch.set_num_threads(1)
