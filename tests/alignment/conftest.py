"""For every test of alignment that uses torch: what one test switches in the process does not reach the next."""

import pytest


def _uses_torch(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("tiny", "base"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tiny models gain nothing from threads, and lose much when others use the cores."""
    if _uses_torch(item):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _head_computed_our_way(request, monkeypatch):
    """Each trainer switches it, for the process: a stage is one."""
    if _uses_torch(request.node):
        from alignment.fast.head import LogProbs

        monkeypatch.setattr(LogProbs, "on", True)
