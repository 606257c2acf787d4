import json
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from data import releases as module
from data.errors import BadInput
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.data.talk import script


def build(folder: Path) -> ReleaseManifest:
    (folder / "adapter").mkdir()
    (folder / "adapter" / "weights").write_text("w")
    (folder / "adapter.gguf").write_text("g")
    return ReleaseManifest(base="smollm2-135m")


def kept(releases: Releases) -> list[str]:
    return sorted(
        path.name for path in releases.folder.iterdir() if path.name not in (".lock", "champion", "history")
    )


@pytest.fixture
def releases(house: Path) -> Releases:
    return Releases(house)


def test_before_the_first_release_the_base_serves(releases: Releases) -> None:
    assert releases.all() == []
    assert releases.champion() == 0
    with pytest.raises(BadInput, match=r"no release 1 .*none yet"):
        releases.get(1)
    with pytest.raises(BadInput, match="no earlier champion"):
        releases.rollback()


def test_releases_are_numbered_and_whole(releases: Releases) -> None:
    first, second = releases.create(build), releases.create(build)
    assert [first.number, second.number] == [1, 2]
    assert releases.all() == [first, second]
    assert releases.get(2) == second
    assert first.path == releases.folder / "0001"
    assert (first.adapter / "weights").read_text() == "w"
    assert first.adapter_gguf.read_text() == "g"
    assert first.base == "smollm2-135m"
    assert json.loads((first.path / "manifest.json").read_text()) == first.manifest.entries()
    assert (first.manifest.number, second.manifest.number) == (1, 2)
    assert kept(releases) == ["0001", "0002"]
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o700
    assert releases.champion() == 0  # a release does not serve before it is promoted


def test_a_builder_cannot_choose_the_number(releases: Releases) -> None:
    release = releases.create(lambda folder: replace(build(folder), number=99, created_at="never"))
    assert release.manifest.number == 1
    assert release.manifest.created_at != "never"


def test_numbers_go_on_beyond_four_digits(releases: Releases) -> None:
    releases.create(build).path.rename(releases.folder / "9999")
    assert releases.create(build).number == 10000
    assert releases.create(build).number == 10001
    assert [release.number for release in releases.all()] == [9999, 10000, 10001]


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_build_that_fails_leaves_nothing(releases: Releases, error: BaseException) -> None:
    def fail(folder: Path) -> ReleaseManifest:
        build(folder)
        raise error

    with pytest.raises(type(error)):
        releases.create(fail)
    assert kept(releases) == []
    assert releases.create(build).number == 1


@pytest.mark.process
@pytest.mark.parametrize("moment", ["build", "rename"])
def test_a_kill_while_building_leaves_no_release(releases: Releases, house: Path, moment: str) -> None:
    program = f"""
import os, pathlib, sys, time
from data.release_manifest import ReleaseManifest
from data.releases import Releases
def hang(*_):
    print("half way", flush=True)
    time.sleep(60)
def build(folder):
    (folder / "adapter.gguf").write_text("half")
    return hang() if "{moment}" == "build" else ReleaseManifest(base="x")
if "{moment}" == "rename":
    pathlib.Path.rename = hang
Releases(pathlib.Path(sys.argv[1])).create(build)
"""
    process = script(house, "-c", program, str(house))
    assert process.stdout.readline() == "half way\n", process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert releases.all() == []
    assert len(kept(releases)) == 1
    assert releases.create(build).number == 1
    assert kept(releases) == ["0001"]


def test_promotion_and_rollback_follow_history(releases: Releases) -> None:
    for _ in range(3):
        releases.create(build)
    for number in (1, 2, 3, 3):
        releases.promote(number)
        assert releases.champion() == number
    assert [releases.rollback() for _ in range(3)] == [2, 1, 0]
    assert releases.champion() == 0
    with pytest.raises(BadInput, match="no earlier champion"):
        releases.rollback()
    releases.promote(2)
    releases.promote(0)
    assert releases.champion() == 0
    assert releases.rollback() == 2
    assert stat.S_IMODE(releases.champion_path.stat().st_mode) == 0o600


def test_a_missing_release_is_not_promoted(releases: Releases) -> None:
    releases.create(build)
    for number in (2, -1):
        with pytest.raises(BadInput, match=r"no release .*there are 1\."):
            releases.promote(number)
    assert releases.champion() == 0


@pytest.mark.parametrize("content", [b"", b"one", b"1 2", b"-1", b"\xff\xfe\x00", "³".encode()])
def test_a_damaged_pointer_gives_a_sentence(releases: Releases, content: bytes) -> None:
    releases.create(build)
    releases.champion_path.write_bytes(content)
    for call in (releases.champion, releases.rollback, lambda: releases.promote(1)):
        with pytest.raises(BadInput, match=r"champion should hold the number .*remove the file"):
            call()
    releases.champion_path.unlink()  # what the sentence says helps
    releases.promote(1)
    assert releases.champion() == 1


def test_a_damaged_history_does_not_stop_a_promotion(releases: Releases) -> None:
    releases.create(build)
    releases.promote(1)
    (releases.folder / "history").write_bytes(b"\xff\nzero\n")
    releases.promote(0)
    assert releases.champion() == 0
    assert releases.rollback() == 1


@pytest.mark.parametrize(
    "content", ["{", "[]", "null", "\xff", '{"number": 1}', '{"base": 3}', '{"base": "b", "version": 9}']
)
def test_a_release_without_a_readable_manifest_gives_a_sentence(releases: Releases, content: str) -> None:
    (releases.create(build).path / "manifest.json").write_text(content)
    with pytest.raises(BadInput, match=r"Release 1 in .* no readable manifest\.json"):
        releases.get(1)


@pytest.mark.parametrize("step", ["promote", "rollback"])
def test_a_death_between_history_and_pointer_changes_nothing(
    releases: Releases, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for number in (1, 2, 3):
        assert releases.create(build).number == number
    releases.promote(1)
    releases.promote(2)
    real = module.write_atomic

    def die(path: Path, content: str) -> None:
        if path == releases.champion_path:
            raise SystemExit
        real(path, content)

    monkeypatch.setattr(module, "write_atomic", die)
    with pytest.raises(SystemExit):
        releases.promote(3) if step == "promote" else releases.rollback()
    monkeypatch.setattr(module, "write_atomic", real)
    assert releases.champion() == 2
    releases.promote(3)
    assert releases.champion() == 3
    assert [releases.rollback() for _ in range(3)] == [2, 1, 0]  # the history says what really served


@pytest.mark.process
def test_readers_see_whole_numbers_while_others_promote(releases: Releases, house: Path) -> None:
    for _ in range(3):
        releases.create(build)
    program = """
import pathlib, sys
from data.release_manifest import ReleaseManifest
from data.releases import Releases
releases = Releases(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for turn in range(60):
    releases.promote(turn % 4)
    if turn % 5 == 4:
        releases.rollback()
"""
    processes = [script(house, "-c", program, str(house)) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n", process.communicate()
    seen = set()
    while any(process.poll() is None for process in processes):
        seen.add(releases.champion())
    for process in processes:
        assert process.communicate()[1] == ""
        assert process.returncode == 0
    assert len(seen) > 1
    assert seen <= {0, 1, 2, 3}
    assert sorted(path.name for path in releases.folder.glob(".*")) == [".lock"]


def test_a_trial_lasts_until_another_release_serves_or_it_is_ended(releases: Releases) -> None:
    releases.create(build)
    releases.create(build)
    assert releases.candidate() is None
    releases.put_on_trial(2)
    assert releases.candidate() == 2
    with pytest.raises(BadInput, match="There is no release 7"):
        releases.put_on_trial(7)
    with pytest.raises(BadInput, match="serves already"):
        releases.put_on_trial(0)
    assert releases.candidate() == 2
    releases.promote(1)  # it was compared with another champion
    assert releases.candidate() is None
    releases.put_on_trial(2)
    assert releases.end_trial() == 2
    assert releases.end_trial() is None
    releases.put_on_trial(2)
    releases.rollback()
    assert releases.candidate() is None
    releases.candidate_path.write_text("two")
    with pytest.raises(BadInput, match="release on trial"):
        releases.candidate()
    assert releases.end_trial() is None
    assert not releases.candidate_path.exists()
