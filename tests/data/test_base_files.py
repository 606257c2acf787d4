"""A base whose files are not those of its `base.json` is found, and not used."""

import json
import os
from pathlib import Path

import pytest

from data import base_files
from data.bases import BaseInfo, base_info, base_template, known_bases
from data.chat import template_sha256
from data.errors import BadInput
from tests.alignment.shelf import made


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path))
    return tmp_path


def test_a_whole_base_has_no_problems_and_every_file_of_it_is_pinned(shelf: Path) -> None:
    info = made.base(shelf)
    assert set(info.pinned) == {"hf/config.json", "hf/model.safetensors", "model.gguf"}
    assert list(base_files.base_problems(info)) == []
    base_files.refuse_damaged(info)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", ["hf/config.json", "hf/model.safetensors", "model.gguf"])
def test_a_changed_or_missing_file_is_named(shelf: Path, name: str, quick: bool) -> None:
    info = made.base(shelf)
    base_files.refuse_damaged(info)
    path = shelf / "fern" / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (problem,) = base_files.base_problems(info, quick=quick)
    assert problem == f"{path} was changed or is damaged."
    with pytest.raises(BadInput, match=rf"fern is damaged: .*{path.name}.* alignment\.bases add fern"):
        base_files.refuse_damaged(info)
    path.unlink()
    (problem,) = base_files.base_problems(info, quick=quick)
    assert problem == f"{path} is missing."


def test_files_that_were_not_touched_are_not_read_again(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = made.base(shelf)
    base_files.refuse_damaged(info)
    read: list[str] = []
    monkeypatch.setattr(
        base_files, "file_sha256", lambda path: read.append(path.name) or info.pinned[f"hf/{path.name}"]
    )
    base_files.refuse_damaged(info)
    assert read == []
    os.utime(shelf / "fern" / "hf" / "config.json")
    base_files.refuse_damaged(info)
    assert read == ["config.json"]


@pytest.mark.parametrize("kept", [b"", b"[]", b"{", b'{"hf/config.json": 3}'])
def test_damaged_notes_about_what_was_read_only_cost_time(shelf: Path, kept: bytes) -> None:
    info = made.base(shelf)
    (shelf / "fern" / ".checked.json").write_bytes(kept)
    base_files.refuse_damaged(info)
    assert set(json.loads((shelf / "fern" / ".checked.json").read_bytes())) == set(info.pinned)


def test_a_full_check_writes_nothing(shelf: Path) -> None:
    info = made.base(shelf)
    assert list(base_files.base_problems(info)) == []
    assert not (shelf / "fern" / ".checked.json").exists()


def test_a_template_that_was_changed_is_refused(shelf: Path) -> None:
    template = "{{ messages[0]['content'] }}"
    info = made.base(shelf, template_name="", template_sha256=template_sha256(template))
    path = shelf / "fern" / "template.jinja"
    with pytest.raises(BadInput, match=r"template\.jinja cannot be read"):
        base_template(info)
    path.write_text(template)
    assert base_template(info) == template
    path.write_text(template + " ")
    with pytest.raises(BadInput, match=r"template\.jinja was changed.*alignment\.bases add fern"):
        base_template(info)


def test_an_older_base_json_has_six_keys_and_keeps_working(shelf: Path) -> None:
    (shelf / "old").mkdir()
    six = {"alias": "old", "gguf_sha256": "a", "control": [], "template_name": "chatml"}
    (shelf / "old" / "base.json").write_text(json.dumps({**six, "context_length": 8192, "eos_token": "<|im_end|>"}))
    info = base_info("old")
    assert (info.sha256, info.licence, info.thinks, info.pinned) == ("a", "", False, {"model.gguf": "a"})
    assert base_template(info)


def test_what_a_newer_version_adds_is_kept_and_half_made_folders_are_no_bases(shelf: Path) -> None:
    info = made.base(shelf)
    written = json.loads((shelf / "fern" / "base.json").read_bytes()) | {"smell": "of earth"}
    (shelf / "fern" / "base.json").write_text(json.dumps(written))
    assert base_info("fern").entries()["smell"] == "of earth"
    assert BaseInfo.load(shelf / "fern" / "base.json").files == info.files
    half = shelf / ".moss.x1y2z3a4.unfinished" / "moss"
    half.mkdir(parents=True)
    (half / "base.json").write_bytes((shelf / "fern" / "base.json").read_bytes())
    (shelf / "lichen" / "hf").mkdir(parents=True)
    assert known_bases() == ["fern", "smollm2-135m"]
