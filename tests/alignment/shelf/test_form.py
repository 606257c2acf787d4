"""How a base is served: measured, or as somebody says; and the adapter that is made up for the measurement."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter

from alignment.conversion import merged_release
from alignment.conversion.merged_release import merged_kind
from alignment.shelf import form
from alignment.shelf.form import choose, decide
from alignment.shelf.speed import Forms, made_up_adapter
from data.bases import base_info
from data.errors import BadInput, ParleyError
from data.release_manifest import ReleaseManifest
from data.releases import Releases
from tests.alignment.shelf.made import base


@pytest.fixture
def bases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    return tmp_path / "bases"


@pytest.mark.parametrize(
    ("lora", "chosen"), [(3.0, "merged"), (2.0 * form.WORTH, "merged"), (2.1, "lora"), (1.0, "lora")]
)
def test_what_is_clearly_faster_here_is_chosen_and_said(
    bases: Path, monkeypatch: pytest.MonkeyPatch, lora: float, chosen: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(form, "compare_forms", lambda _: Forms(lora=lora, merged=2.0))
    assert decide(base(bases), None, said.append).served == chosen == base_info("fern").served
    assert f"Four answers at once took {lora:.2f} s with an adapter and 2.00 s merged" in said[-1]


@pytest.mark.parametrize("kind", ["q4_0", "q4_k_m", "q5_1", "q6_k", ""])
def test_a_base_of_fewer_than_eight_bits_keeps_its_adapters_unless_told(
    bases: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(form, "compare_forms", lambda _: pytest.fail("there is nothing to measure"))
    assert decide(base(bases, quantisation=kind), None, lambda _: None).served == "lora"
    assert merged_kind(kind) == "q8_0"
    choose("fern", "merged", lambda _: None)
    assert base_info("fern").merges


def test_an_engine_that_breaks_off_leaves_the_adapters(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> Forms:
        raise ParleyError("It went out.")

    said: list[str] = []
    monkeypatch.setattr(form, "compare_forms", fails)
    assert decide(base(bases), None, said.append).served == "lora"
    assert said[-1] == "That could not be measured, so releases are served with their adapters. It went out."


def test_a_base_without_gguf_has_nothing_to_merge_into(bases: Path) -> None:
    assert decide(base(bases, gguf=False), None, lambda _: None).served == "lora"
    with pytest.raises(BadInput, match="has no GGUF"):
        choose("fern", "merged")


@pytest.fixture
def merging(bases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """A home whose champion is release 1 of the base fern; the merging is played, and may fail."""
    base(bases)
    releases = Releases(tmp_path / "home")

    def build(folder: Path) -> ReleaseManifest:
        (folder / "adapter.gguf").write_bytes(b"adapter")
        return ReleaseManifest(base="fern", base_sha256=base_info("fern").sha256)

    releases.create(build)
    releases.promote(1)

    def chosen(wanted: str, error: Exception | None = None) -> list[str]:
        def merge(adapter: Path, name: str, out: Path, kind: str, **_: object) -> None:
            if error:
                raise error
            out.write_bytes(f"{name} {kind} {adapter.name}".encode())

        said: list[str] = []
        monkeypatch.setattr(merged_release, "merge_to_gguf", merge)
        choose("fern", wanted, said.append)
        return said

    return chosen


def test_the_champion_gets_its_merged_file_at_once_and_loses_it_again(
    merging: Callable[..., list[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "releases" / "0001" / "merged"
    assert "Releases of fern are served merged in q8_0." in merging("merged")
    assert (folder / "model.gguf").read_text() == "fern q8_0 adapter"
    before = (folder / "model.gguf").stat()
    merging("merged")
    assert (folder / "model.gguf").stat() == before  # it is whole, so it is not made again
    (folder / "model.gguf").write_text("damaged")
    merging("merged")
    assert (folder / "model.gguf").read_text() == "fern q8_0 adapter"
    assert "Running bots switch over by themselves." in merging("lora")
    assert not folder.exists()


@pytest.mark.parametrize("error", [BadInput("No room."), OSError("No room.")])
def test_a_file_that_cannot_be_made_is_a_sentence_and_leaves_nothing(
    merging: Callable[..., list[str]], tmp_path: Path, error: Exception
) -> None:
    said = merging("merged", error)
    assert "There is no merged file, so the release is served with its adapter, more slowly. No room." in said
    assert sorted(path.name for path in (tmp_path / "home" / "releases" / "0001").iterdir()) == [
        "adapter.gguf",
        "manifest.json",
    ]


def test_a_full_disk_is_said_before_the_work(
    merging: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1_000

    monkeypatch.setattr(merged_release.shutil, "disk_usage", lambda _: Usage)
    (sentence,) = (line for line in merging("merged", AssertionError("not reached")) if "no merged file" in line)
    assert "Merging takes about 0.1 GB in" in sentence
    assert "`python -m alignment.bases served fern lora`" in sentence


def test_another_engine_needs_no_merged_files(
    merging: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ENGINE_URL", "http://127.0.0.1:8000/v1")
    merging("merged", AssertionError("not reached"))
    assert not (tmp_path / "home" / "releases" / "0001" / "merged").exists()


def test_the_made_up_adapter_fits_every_linear_layer_of_the_blocks(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "base.gguf", "llama")
    for name, shape in {
        "token_embd.weight": (32, 8),
        "blk.0.attn_q.weight": (8, 8),
        "blk.0.attn_norm.weight": (8,),
        "blk.0.ffn_down.weight": (8, 24),
        "blk.11.attn_qkv.weight": (24, 8),
    }.items():
        writer.add_tensor(name, np.zeros(shape, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    made = GGUFReader(made_up_adapter(tmp_path / "base.gguf", tmp_path / "adapter.gguf", rank=4))
    assert {tensor.name: tuple(reversed(tensor.shape.tolist())) for tensor in made.tensors} == {
        "blk.0.attn_q.weight.lora_a": (4, 8),
        "blk.0.attn_q.weight.lora_b": (8, 4),
        "blk.0.ffn_down.weight.lora_a": (4, 24),
        "blk.0.ffn_down.weight.lora_b": (8, 4),
        "blk.11.attn_qkv.weight.lora_a": (4, 8),
        "blk.11.attn_qkv.weight.lora_b": (24, 4),
    }
