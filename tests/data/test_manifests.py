"""Manifests as data classes: what is read, what is refused with a sentence, and what survives."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from data.manifests import VERSION, Damaged, Entries, Manifest
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.data.old_manifests import lost, write_old


@dataclass(frozen=True, kw_only=True)
class Inner(Entries):
    size: int


@dataclass(frozen=True)
class Point:
    x: float
    y: float | None


@dataclass(frozen=True, kw_only=True)
class Made(Manifest):
    name: str
    steps: list[str] = field(default_factory=list, metadata={"key": "chain"})
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    inner: Inner | None = None
    points: tuple[Point, ...] = ()
    pair: tuple[int, str] | None = None
    free: Any = None
    share: float = 0.0
    on: bool = False


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    inner = Inner(size=3, more={"colour": "red"})
    points = (Point(1.0, None), Point(0.5, 2.0))
    made = Made(name="é", steps=["a"], counts={"a": {"b": 1}}, inner=inner, points=points, pair=(1, "b"), on=True)
    made.save(path)
    assert Made.load(path) == made
    assert path.stat().st_mode & 0o077 == 0
    entries = json.loads(path.read_text())
    assert (entries["version"], entries["chain"]) == (VERSION, ["a"])
    assert "free" not in entries  # None is not written


def test_keys_of_a_newer_parley_survive(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"name": "n", "later": [1], "more": "a key", "inner": {"size": 1, "later": {"a": null}}}')
    replace(Made.load(path), name="other").save(path)
    assert json.loads(path.read_text()) == {
        "version": VERSION,
        "name": "other",
        "chain": [],
        "counts": {},
        "inner": {"size": 1, "later": {"a": None}},
        "points": [],
        "share": 0.0,
        "on": False,
        "later": [1],
        "more": "a key",
    }


def test_null_stands_for_a_key_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"name": "n", "chain": null, "inner": null, "share": 1}')
    assert Made.load(path) == Made(name="n", share=1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it breaks off or is not JSON"),
        ('{"name": "n', "it breaks off or is not JSON"),
        ("\udcff", "it breaks off or is not JSON"),
        ("[" * 100_000, "it breaks off or is not JSON"),
        ("[]", "it should be an object"),
        ("null", "it should be an object"),
        ('"name"', "it should be an object"),
        ("{}", "it has no 'name'"),
        ('{"name": null}', "'name' should be a string"),
        ('{"name": 3}', "'name' should be a string"),
        ('{"name": "n", "chain": "a"}', "'chain' should be a list"),
        ('{"name": "n", "chain": [1]}', "an entry of 'chain' should be a string"),
        ('{"name": "n", "counts": []}', "'counts' should be an object"),
        ('{"name": "n", "counts": {"a": {"b": true}}}', "'counts'.a.b should be a whole number"),
        ('{"name": "n", "inner": []}', "'inner' should be an object"),
        ('{"name": "n", "inner": {}}', "'inner' has no 'size'"),
        ('{"name": "n", "inner": {"size": 1.5}}', "'size' should be a whole number"),
        ('{"name": "n", "points": [{"x": 1}]}', "an entry of 'points' has no 'y'"),
        ('{"name": "n", "pair": [1]}', "'pair' should hold 2 values"),
        ('{"name": "n", "on": 1}', "'on' should be true or false"),
        ('{"name": "n", "share": true}', "'share' should be a number"),
        ('{"name": "n", "version": 2}', "it has version 2, and this Parley reads 1: update Parley"),
    ],
)
def test_anything_but_a_manifest_gives_a_sentence_that_names_the_file(
    tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(Damaged) as refused:
        Made.load(path)
    assert str(refused.value).startswith(f"{path} is damaged: {problem}")
    assert refused.value.problem.startswith(problem)


def test_a_release_of_a_parley_without_versions_is_read(tmp_path: Path) -> None:
    path = tmp_path / "releases" / "0001" / "manifest.json"
    entries = write_old("release", path)
    (release,) = Releases(tmp_path).all()
    assert (release.manifest.version, release.base, release.manifest.round) == (1, "smollm2-135m", 1)
    assert release.manifest.stages == ("sft", "dpo")
    assert release.manifest.canaries == 6
    release.manifest.save(path)
    assert lost(path, entries) == []
    assert ReleaseManifest.load(path) == release.manifest
