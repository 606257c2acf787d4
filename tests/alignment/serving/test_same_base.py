"""An adapter is put onto the base that it was trained on, wherever that lies now."""

import json
import shutil
from pathlib import Path

import pytest

from alignment.evaluation.subjects import subject
from alignment.models import base_sha256, locate
from alignment.serving.same_base import check_base
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.serving.adapters import adapter

pytestmark = pytest.mark.tiny


@pytest.fixture
def own(tmp_path) -> Path:
    return tiny.build("llama", tmp_path / "own")


@pytest.fixture
def run(own, tmp_path) -> Path:
    """The folder of an adapter in that of its run."""
    made = adapter(own, tmp_path / "run" / "adapter")
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({"base_sha256": base_sha256(locate(str(own)))}))
    return made


def test_another_base_of_the_same_shape_is_refused(run, tmp_path):
    other = locate(str(tiny.build("llama", tmp_path / "other", seed=1)))
    for _ in range(2):
        with pytest.raises(BadInput, match=r"was trained on the base .*own, and .*other is another one"):
            check_base(run, other)
        (run.parent / "manifest.json").unlink(missing_ok=True)  # then the base that it names is compared
    with pytest.raises(BadInput, match="is another one"):
        subject(str(run), other.name, tmp_path)


def test_a_base_that_moved_is_the_same(run, own, tmp_path):
    moved = locate(str(shutil.move(own, tmp_path / "moved")))
    assert check_base(run, moved) is None
    found = subject(str(run.parent), moved.name, tmp_path)
    assert (found.base, found.adapter) == (moved.name, run)


def test_a_base_that_was_replaced_under_its_name_is_another_one(run, own):
    shutil.rmtree(own)
    tiny.build("llama", own, seed=1)
    with pytest.raises(BadInput, match="is another one"):
        check_base(run, locate(str(own)))


def test_what_cannot_be_checked_is_said(run, own, tmp_path):
    (run.parent / "manifest.json").unlink()
    moved = locate(str(shutil.move(own, tmp_path / "moved")))
    assert "it cannot be checked that" in str(check_base(run, moved))


def test_a_bare_adapter_is_measured_on_the_base_that_it_names(run, own, tmp_path):
    assert subject(str(run), None, tmp_path).base == str(own)
