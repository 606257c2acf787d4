"""The form in which the embedded engine serves a release: with its adapter, or merged."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.engine import intact
from bot.engine.artefact import Artefact, find
from bot.engine.room import UNITS
from data.bases import BaseInfo
from data.errors import BadInput
from data.home import file_sha256
from data.merged_files import MergedManifest
from data.releases import Release, Releases
from tests.fakes.base import make_base, make_release_of


@pytest.fixture
def base(elsewhere: None, tmp_path: Path) -> BaseInfo:
    """A base with a GGUF that is served merged."""
    info = make_base(tmp_path / "bases")
    gguf = tmp_path / "bases" / "toy" / "model.gguf"
    gguf.write_bytes(b"GGUF of the base")
    info = replace(info, gguf_sha256=file_sha256(gguf), served="merged")
    info.save(gguf.parent / "base.json")
    return info


@pytest.fixture
def release(home: Path, base: BaseInfo) -> Release:
    return make_release_of(home, base)


def merge(release: Release, base: BaseInfo, **other: str) -> Path:
    folder = release.path / "merged"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF of both")
    facts = {
        "sha256": file_sha256(folder / "model.gguf"),
        "adapter_gguf_sha256": file_sha256(release.adapter_gguf),
        "base_sha256": base.sha256,
    }
    MergedManifest(**facts | other, quantisation="q8_0").save(folder / "manifest.json")
    return folder / "model.gguf"


def forms(found: Artefact) -> tuple[str, str, Path, Path | None]:
    return found.form, found.key, found.model, found.adapter


def test_the_merged_file_serves_where_it_is_there_and_the_base_says_so(
    home: Path, base: BaseInfo, release: Release, tmp_path: Path
) -> None:
    own = tmp_path / "bases" / "toy" / "model.gguf"
    adapted = ("lora", f"0001-of{UNITS}", own, release.adapter_gguf)
    assert forms(find(home, 1)) == adapted
    model = merge(release, base)
    whole = ("merged", f"0001-merged-of{UNITS}", model, None)
    assert forms(find(home, 1)) == whole
    assert forms(find(home, adapter=release.adapter_gguf))[2:] == (model, None)  # as an evaluation asks for it
    assert forms(find(home, 1, form="lora")) == adapted
    assert forms(find(home, 0))[0] == "lora"
    for each in (find(home, 1), find(home, adapter=release.adapter_gguf), find(home, 1, form="lora")):
        intact.check(each, home)
    replace(base, served="lora").save(own.parent / "base.json")
    assert forms(find(home, 1)) == adapted
    assert forms(find(home, 1, form="merged")) == whole
    Releases(home).keep_merged()  # the release neither serves nor is on trial
    with pytest.raises(BadInput, match="There is no merged file in"):
        find(home, 1, form="merged")


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"adapter_gguf_sha256": "00" * 32}, "was made of another adapter or base"),
        ({"base_sha256": "00" * 32}, "was made of another adapter or base"),
        ({"sha256": "00" * 32}, "was changed or is damaged"),
    ],
)
def test_a_merged_file_of_something_else_is_refused_with_the_way_out(
    home: Path, base: BaseInfo, release: Release, facts: dict[str, str], problem: str
) -> None:
    path = merge(release, base, **facts)
    with pytest.raises(BadInput, match=rf"Release 1 is not served: .* {problem}\. Remove the folder"):
        intact.check(find(home, 1), home)
    path.unlink()
    if "sha256" in facts:
        with pytest.raises(BadInput, match="is missing"):
            intact.check(find(home, 1), home)
