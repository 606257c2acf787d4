"""The hashes of what is served, without any model."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bot.engine import intact
from bot.engine.artefact import Artefact, Pinned
from data.bases import BaseInfo
from data.errors import BadInput
from data.home import file_sha256


@pytest.fixture
def served(tmp_path: Path) -> Artefact:
    model, adapter = tmp_path / "bases" / "small" / "model.gguf", tmp_path / "releases" / "0003" / "adapter.gguf"
    for path in (model, adapter):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"GGUF" + path.name.encode())
    base = BaseInfo(
        alias="small",
        gguf_sha256=file_sha256(model),
        control=(),
        template_name="chatml",
        context_length=64,
        eos_token="",
    )
    pinned = Pinned(base.gguf_sha256, file_sha256(adapter))
    return Artefact(3, base, model, adapter, "", pinned)


def refusal(served: Artefact, home: Path) -> str:
    with pytest.raises(BadInput) as caught:
        intact.check(served, home)
    return str(caught.value)


def test_files_as_their_manifests_pin_them_are_served(served: Artefact, tmp_path: Path) -> None:
    intact.check(served, tmp_path)
    intact.check(replace(served, pinned=Pinned()), tmp_path)
    intact.check(replace(served, release=0, adapter=None, pinned=Pinned()), tmp_path)


@pytest.mark.parametrize("content", [b"", b"GGUFadapter.gguF", b"GGUFadapter.ggu", b"GGUFadapter.gguf\0"])
def test_a_changed_adapter_is_refused_with_the_release_the_file_and_the_way_out(
    served: Artefact, tmp_path: Path, content: bytes
) -> None:
    assert served.adapter
    served.adapter.write_bytes(content)
    sentence = refusal(served, tmp_path)
    for part in ("Release 3 is not served", str(served.adapter), "alignment.rollback", "python -m data check"):
        assert part in sentence


def test_a_changed_base_is_refused_also_after_it_was_found_to_be_whole(served: Artefact, tmp_path: Path) -> None:
    intact.check(served, tmp_path)
    was = served.model.stat()
    raw = bytearray(served.model.read_bytes())
    raw[-1] ^= 1
    served.model.write_bytes(raw)
    os.utime(served.model, ns=(was.st_atime_ns, was.st_mtime_ns))  # as whoever wants to hide it would
    sentence = refusal(served, tmp_path)
    assert str(served.model) in sentence
    assert "alignment.bases add" in sentence
    assert refusal(replace(served, release=0, adapter=None, pinned=Pinned()), tmp_path) == sentence


def test_a_release_of_another_version_of_the_base_is_refused(served: Artefact, tmp_path: Path) -> None:
    other = replace(served, pinned=Pinned("0" * 64, served.pinned.adapter_sha256))
    assert "another version of the base model small" in refusal(other, tmp_path)


def test_the_hash_of_an_unchanged_base_is_computed_once(
    served: Artefact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return file_sha256(path)

    monkeypatch.setattr(intact, "file_sha256", counted)
    for _ in range(3):
        intact.check(served, tmp_path)
    assert hashed.count(served.model) == 1
    kept = tmp_path / "engines" / "hashes.json"
    assert kept.stat().st_mode & 0o077 == 0
    for broken in ("", "[]", "null", "{}", json.dumps({str(served.model): 3}), json.dumps({str(served.model): []})):
        kept.write_text(broken)
        intact.check(served, tmp_path)
    assert hashed.count(served.model) == 7
