"""The figures that are computed beside an event loop: the same in a thread and in a process."""

from pathlib import Path

import pytest

import data.beside
from data.bases import DEFAULT_BASE
from data.errors import ParleyError
from data.figures import Figures, figures, figures_beside
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from data.store import Store
from data.trials import TrialSoFar
from tests.data.talk import Talk


@pytest.fixture
async def tried(store: Store, house: Path) -> Path:
    """A home with a release on trial that one of two people prefers."""
    releases = Releases(house)
    releases.create(lambda _: ReleaseManifest(base=DEFAULT_BASE))
    releases.put_on_trial(1)
    talk = await Talk.begin(store)
    for name, value in (("ada", "a"), ("bea", "b")):
        person = await talk.person(name)
        said = await talk.say(person, f"a question by {name}")
        first, second = await talk.answer(said, "old"), await talk.answer(said, "new", release=1)
        await talk.rate(person, "comparison", first, other=second, value=value)
    return house


async def test_a_thread_finds_what_this_process_finds(tried: Path) -> None:
    found = await figures_beside(tried, None)
    assert found == await figures(tried, None)
    assert found.trial == TrialSoFar(2, 2, 0.5)
    assert Figures.from_json(found.to_json()) == found
    trial = await figures_beside(tried, None, whole=False)
    assert trial == Figures(None, 0, 1, TrialSoFar(2, 2, 0.5))
    assert Figures.from_json(trial.to_json()) == trial


@pytest.mark.process
async def test_so_does_a_process(tried: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.beside, "SMALL", 0)
    assert await figures_beside(tried, None) == await figures(tried, None)


@pytest.mark.process
async def test_a_process_that_fails_says_why(tried: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data.beside, "SMALL", 0)
    Releases(tried).candidate_path.write_text("none")
    with pytest.raises(ParleyError, match="should hold the number of the release on trial"):
        await figures_beside(tried, None)
