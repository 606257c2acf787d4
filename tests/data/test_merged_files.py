"""Merged files of releases: who keeps one, and what a damaged one is called."""

from dataclasses import replace
from pathlib import Path

import pytest

from data.bases import BaseInfo
from data.errors import BadInput
from data.home import file_sha256
from data.merged_files import MergedManifest, keep_merged, merged_of, move_merged, remove_merged
from data.release_files import file_problems
from data.release_manifest import ReleaseManifest
from data.releases import Release, Releases


def merge(release: Release) -> None:
    """Gives a release a merged file, as `alignment` makes it."""
    folder = release.path / "merged"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"merged")
    MergedManifest(
        sha256=file_sha256(folder / "model.gguf"),
        adapter_gguf_sha256=file_sha256(release.adapter_gguf),
        base_sha256="ab" * 32,
        quantisation="q8_0",
    ).save(folder / "manifest.json")


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """Four releases with a merged file each."""
    found = Releases(tmp_path)

    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter.gguf").write_bytes(b"adapter")
        return ReleaseManifest(base="toy")

    for _ in range(4):
        merge(found.create(build))
    return found


def merged(releases: Releases) -> list[int]:
    return [release.number for release in releases.all() if merged_of(release.adapter_gguf)]


def test_only_the_champion_and_the_candidate_keep_it(releases: Releases) -> None:
    assert merged(releases) == [1, 2, 3, 4]
    releases.promote(2)
    assert merged(releases) == [2]
    merge(releases.get(3))
    releases.put_on_trial(3)
    assert merged(releases) == [2, 3]
    releases.promote(3)
    assert merged(releases) == [3]
    releases.rollback()
    assert merged(releases) == []  # made again by whoever rolled back


def test_it_goes_with_the_end_of_a_trial(releases: Releases) -> None:
    releases.put_on_trial(4)
    assert merged(releases) == [4]
    assert releases.end_trial() == 4
    assert merged(releases) == []


def test_a_pointer_that_cannot_be_read_removes_nothing(releases: Releases) -> None:
    releases.champion_path.write_text("two")
    releases.keep_merged()
    assert merged(releases) == [1, 2, 3, 4]


def test_it_moves_with_its_adapter_and_never_replaces_another(releases: Releases) -> None:
    one, two = releases.get(1), releases.get(2)
    move_merged(one.adapter_gguf, two.adapter_gguf)
    assert merged(releases) == [1, 2, 3, 4]
    remove_merged(two.path)
    remove_merged(two.path)
    move_merged(one.adapter_gguf, two.adapter_gguf)
    move_merged(one.adapter_gguf, two.adapter_gguf)
    assert merged(releases) == [2, 3, 4]
    assert [path.name for path in releases.folder.iterdir() if path.name.endswith(".unfinished")] == []


def test_it_moves_to_another_file_system_and_appears_there_whole(
    releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, rename = releases.get(1), releases.get(2), Path.rename
    remove_merged(two.path)

    def within_one(self: Path, target: Path) -> Path:
        if self.relative_to(releases.folder).parts[0] != target.relative_to(releases.folder).parts[0]:
            raise OSError(18, "Invalid cross-device link")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", within_one)
    move_merged(one.adapter_gguf, two.adapter_gguf)
    assert merged(releases) == [2, 3, 4]
    assert (two.path / "merged" / "model.gguf").read_bytes() == b"merged"
    assert not list(releases.folder.rglob("*.unfinished"))


def test_what_a_kill_left_of_one_goes_and_a_folder_that_is_no_release_stays(releases: Releases) -> None:
    left = releases.get(1).path / ".merged.a.unfinished"
    left.mkdir()
    remove_merged(left.parent)
    assert not left.exists()
    copied = releases.folder / "0002 (copy)" / "merged"
    copied.mkdir(parents=True)
    keep_merged(releases.folder, {3})
    assert copied.exists()
    assert merged(releases) == [3]


def test_what_lies_in_the_place_of_its_folder_or_manifest_is_told_or_left_alone(releases: Releases) -> None:
    release = releases.get(1)
    (release.path / "merged" / "manifest.json").unlink()
    (release.path / "merged" / "manifest.json").mkdir()
    with pytest.raises(BadInput, match=r"manifest.json cannot be used \(Is a directory\)"):
        merged_of(release.adapter_gguf)
    remove_merged(release.path)
    (release.path / "merged").write_bytes(b"")
    assert merged_of(release.adapter_gguf) is None


def test_the_check_of_a_home_names_a_changed_one(releases: Releases) -> None:
    release = releases.get(1)
    assert list(file_problems(release)) == []
    (release.path / "merged" / "model.gguf").write_bytes(b"changed")
    (problem,) = file_problems(release)
    assert "Release 1" in problem
    assert "was changed or is damaged. Remove the folder" in problem
    (release.path / "merged" / "manifest.json").write_text("{")
    (problem,) = file_problems(release)
    assert "manifest.json cannot be used" in problem
    with pytest.raises(BadInput, match=r"alignment\.promote N` makes"):
        merged_of(release.adapter_gguf)


def test_bases_of_earlier_versions_are_served_with_adapters() -> None:
    base = BaseInfo(alias="toy", control=(), context_length=64, eos_token="", gguf_sha256="ab" * 32)
    assert (base.served, base.merges) == ("lora", False)
    assert replace(base, served="merged").merges
    assert not replace(base, served="merged", gguf_sha256="").merges
