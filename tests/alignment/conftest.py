"""For every test of alignment: what one test switches in the whole process does not reach the next."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Tiny models gain nothing from threads, and lose much when others use the cores."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _head_computed_our_way(monkeypatch):
    """Each trainer switches it, for the process: a stage is one."""
    from alignment.fast.head import LogProbs

    monkeypatch.setattr(LogProbs, "on", True)
