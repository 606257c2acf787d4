"""For every test of alignment."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tiny models gain nothing from threads, and lose much when others use the cores."""
    import torch

    torch.set_num_threads(1)
