"""Models that are compared are served in one form."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from alignment.conversion import merged_release
from alignment.evaluation.subjects import Subject
from alignment.rounds.alike import alike
from alignment.serving.embedded import Embedded
from data.bases import BaseInfo
from data.errors import BadInput
from data.merged_files import MergedManifest
from data.releases import Releases
from tests.fakes.base import make_base, make_release_of

ENGINE = Embedded()


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BaseInfo:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    for name in ("PARLEY_ENGINE_URL", "PARLEY_ENGINE_RELEASES"):
        monkeypatch.delenv(name, raising=False)
    return make_base(tmp_path / "bases", served="merged", gguf_sha256="ab" * 32)


@pytest.fixture
def releases(base: BaseInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    """Two releases, of which the champion is merged; the merging is played."""

    def make(_adapter: Path, _base: str, gguf: Path, **_: object) -> None:
        (gguf.parent / "merged").mkdir(exist_ok=True)
        manifest = MergedManifest(sha256="cd" * 32, adapter_gguf_sha256="", base_sha256="", quantisation="q8_0")
        manifest.save(gguf.parent / "merged" / "manifest.json")

    monkeypatch.setattr(merged_release, "make_merged", make)
    for weights in ("one", "two"):
        make_release_of(tmp_path / "home", base, weights=weights)
    found = Releases(tmp_path / "home")
    found.promote(1)
    merged_release.prepare(found, 1, say=lambda _: None)
    return found


def compared(releases: Releases, *numbers: int) -> tuple[Subject, ...]:
    found = [releases.get(number) for number in numbers]
    return tuple(Subject("x", "toy", each.adapter, each.adapter_gguf, release=each.number) for each in found)


def merged(releases: Releases) -> list[int]:
    return [each.number for each in releases.all() if (each.path / "merged").exists()]


def test_both_releases_are_merged_for_as_long_as_they_are_compared(releases: Releases) -> None:
    with alike(releases, ENGINE, compared(releases, 1, 2), lambda _: None) as server:
        assert (server, merged(releases)) == (ENGINE, [1, 2])
    assert merged(releases) == [1]


def test_where_one_cannot_be_merged_both_are_served_with_their_adapters(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise BadInput("The disk is full.")

    folder = Subject("x", "toy", releases.get(2).adapter)
    with alike(releases, ENGINE, (*compared(releases, 1), folder), lambda _: None) as server:
        assert (server.name, merged(releases)) == ("the embedded engine with adapters", [1])
    said: list[str] = []
    monkeypatch.setattr(merged_release, "make_merged", full)
    with alike(releases, ENGINE, compared(releases, 1, 2), said.append) as server:
        assert server.name == "the embedded engine with adapters"
    assert said[-1].endswith("The disk is full.")


def test_another_server_or_a_base_that_is_not_merged_changes_nothing(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = SimpleNamespace(loads_gguf=False)
    for server, models in ((other, compared(releases, 1, 2)), (ENGINE, (Subject("base model", "toy"),))):
        with alike(releases, server, models, lambda _: None) as served:
            assert served is server
    monkeypatch.setenv("PARLEY_ENGINE_URL", "http://localhost:1/v1")
    with alike(releases, ENGINE, compared(releases, 1, 2), lambda _: None) as served:
        assert (served.name, merged(releases)) == ("the embedded engine with adapters", [1])
