"""Where a round comes from: the code's commit, and the releases before it."""

from pathlib import Path

from alignment.rounds.lineage import ancestors, commit
from alignment.training.run_folder import versions
from data.release_manifest import ReleaseManifest
from data.releases import Releases


def test_the_commit_of_a_checkout_is_known_and_that_of_a_mere_folder_is_not(tmp_path: Path) -> None:
    assert commit(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert commit(tmp_path) is None  # not a git checkout
    assert {"python", "torch", "trl"} <= set(versions())


def test_the_ancestors_of_a_release_are_those_that_it_continues(tmp_path: Path) -> None:
    releases = Releases(tmp_path)
    for start in (0, 1, 2, 9):
        releases.create(lambda _, start=start: ReleaseManifest(base="b", parents={"start": start}))
    assert [ancestors(releases, number) for number in (0, 1, 2, 3)] == [[], [], [1], [2, 1]]
