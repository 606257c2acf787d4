"""The rings of the tests, and fixtures that several folders share.

A test is in one of five rings, by default in `unit`. A file chooses another ring with a mark of these names, as in
`pytestmark = pytest.mark.tiny`, a single test with the same mark as a decorator:

    unit    imports no torch and starts no program of ours
    played  the same, but plays a whole Discord server, a whole round whose stages train nothing, or a long story of
            a home: a sixth of a second and more
    tiny    imports torch, trains a tiny random model, or draws pictures
    whole   takes long: `pytest.mark.process` starts the bot, an engine, a command or a training in several processes,
            `pytest.mark.simulation` plays chance many times, `pytest.mark.long` trains several times, for seconds
    base    needs the fetched base model

Of several marks the one that is lowest in this list counts.

`pytest --ring unit` runs one ring; the option may be repeated, and without it all rings run.
"""

import functools
import gc
import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from data.bases import DEFAULT_BASE

# Imports leave little garbage, and looking for it among all that they make takes a fifth of their time.
gc.disable()

_ROOT = Path(__file__).parents[1]
_BASES = Path(os.environ.get("PARLEY_BASES") or _ROOT / "var" / "bases").absolute()  # before `_no_settings`
_RINGS = ("unit", "played", "tiny", "whole", "base")
_WHOLE = ("process", "simulation", "long")
_RING = pytest.StashKey[str]()
_MARKS = {name: name for name in ("played", "tiny", "base")} | dict.fromkeys(_WHOLE, "whole")
_WITHOUT_TORCH = {"unit", "played"}
# Fixtures that start a bot on a played Discord server, or play a whole round.
_PLAYED = {"env", "reading", "played"}
# These files take longest, so they start first; otherwise one process would still run them after all others ended.
_LONGEST = [
    _ROOT / "tests" / name
    for name in (
        "test_loop.py",
        "alignment/training/test_distributed.py",
        "alignment/conversion/test_whole_loop.py",
        "alignment/shelf/test_added.py",
    )
]
# How many examples a property is tried on without torch, where its test does not say; other runs try 100.
_EXAMPLES = 30


class _NoTorch(MetaPathFinder, Loader):
    """Refuses torch in the rings without it: a test that imports torch must be marked for another ring."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name == "torch" else None

    def exec_module(self, module: ModuleType) -> None:
        pytest.fail(
            "This test's ring has no torch: mark the file or the test with pytest.mark.tiny (see tests/conftest.py)."
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--ring", action="append", choices=_RINGS, help="run only this ring (may be repeated)")


def _without_torch(config: pytest.Config) -> bool:
    """Whether only rings run that import no torch."""
    chosen = config.getoption("ring")
    return bool(chosen) and _WITHOUT_TORCH.issuperset(chosen)


def _runs_tests(config: pytest.Config) -> bool:
    """Whether this process runs tests: with `-n`, the first one hands them to others, which wait for its start."""
    return hasattr(config, "workerinput") or not config.getoption("numprocesses", None)


def pytest_configure(config: pytest.Config) -> None:
    if _without_torch(config):
        assert "torch" not in sys.modules
        sys.meta_path.insert(0, _NoTorch())
    if _runs_tests(config):
        import hypothesis

        # No example has a time limit: on a busy machine each may take long.
        examples = _EXAMPLES if _without_torch(config) else 100
        hypothesis.settings.register_profile("parley", max_examples=examples, deadline=None)
        hypothesis.settings.load_profile("parley")


def _last(marks: Iterable[str]) -> str:
    """The ring of a test that has these marks."""
    return max((_MARKS[mark] for mark in marks), key=_RINGS.index, default="unit")


def rings(source: str) -> set[str]:
    """The rings of the tests of a file, read from its source: importing it to know would import torch."""
    mark = rf"\bpytest\.mark\.({'|'.join(_MARKS)})\b"
    of_all = re.findall(mark, "".join(re.findall(r"^pytestmark = (?:\[[^]]*\]|.*)", source, re.MULTILINE)))
    return {_last(of_all), *(_last([*of_all, of_some]) for of_some in re.findall(mark, source))}


@functools.cache
def _rings_in(path: Path) -> set[str]:
    return rings(path.read_text(encoding="utf-8"))


def ring(item: pytest.Item) -> str:
    """The ring of one test."""
    if _RING not in item.stash:
        item.stash[_RING] = _last(mark.name for mark in item.iter_markers() if mark.name in _MARKS)
    return item.stash[_RING]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    chosen = config.getoption("ring")
    if not chosen or not collection_path.match("test_*.py"):
        return None
    return _rings_in(collection_path).isdisjoint(chosen) or None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("ring") or _RINGS
    for item in items:
        if ring(item) not in _rings_in(item.path):  # then its own ring would not even look into the file
            raise pytest.UsageError(f"Write the mark of {item.nodeid} in full, as in `pytest.mark.tiny`.")
    config.hook.pytest_deselected(items=[item for item in items if ring(item) not in chosen])
    items[:] = [item for item in items if ring(item) in chosen]
    items.sort(key=lambda item: item.path not in _LONGEST)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if "base_home" in getattr(item, "fixturenames", ()) and ring(item) != "base":
        pytest.fail("This test needs the base model: mark it with pytest.mark.base (tests/conftest.py).")
    if _PLAYED.intersection(getattr(item, "fixturenames", ())) and ring(item) == "unit":
        pytest.fail("This test plays a server or a round: mark it with pytest.mark.played (tests/conftest.py).")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What the imports made stays until the end, so the collector of garbage need not look at it again and again."""
    try:
        return (yield)
    finally:
        gc.freeze()
        if _without_torch(session.config):  # the other rings hold models in their garbage
            gc.set_threshold(50_000)
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _no_settings() -> Iterator[None]:
    """Whoever runs the tests may have settings of their own, and none of them counts; see `bases_folder`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("PARLEY_", "DISCORD_"))]:
            patch.delenv(name)
        yield


@pytest.fixture(autouse=True, scope="session")
def _quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    from tests.quick import make_quick  # takes two seconds, which the process that hands out the tests need not spend

    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch, tmp_path_factory.mktemp("migrated"))
        yield


@pytest.fixture(scope="session")
def bases_folder() -> Path:
    """The folder of the fetched base models and of the fetched converter; no test finds it by itself."""
    return _BASES


@pytest.fixture(scope="session")
def base_home(bases_folder: Path) -> Iterator[Path]:
    """That folder, set as PARLEY_BASES. Tests never fetch: without the base they fail."""
    if not (bases_folder / DEFAULT_BASE / "base.json").is_file():
        pytest.fail(f"The base model {DEFAULT_BASE} is not in {bases_folder}: run `make setup` once.", pytrace=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLEY_BASES", str(bases_folder))
        yield bases_folder
