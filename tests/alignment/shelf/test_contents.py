"""Which files of a folder make a base, and which folders are refused."""

import json

import pytest

from alignment.shelf.contents import refuse_broken, small_files, tokenizer_files, weight_files
from data.errors import BadInput
from tests.alignment.shelf import made

FOLDER = [
    "config.json", "model.safetensors", "consolidated.safetensors", "pytorch_model.bin", "modeling_own.py",
    "README.md", "LICENSE.txt", "tokenizer.json", "tokenizer_config.json", "merges.txt", "training_args.bin",
    "chat_template.jinja",
]  # fmt: skip


def sizes(*names):
    return dict.fromkeys(names, 8)


def test_programs_pickles_and_second_copies_of_the_weights_stay_behind(tmp_path):
    assert weight_files(tmp_path, sizes(*FOLDER), "it") == ["model.safetensors"]
    assert small_files(FOLDER) == [
        "LICENSE.txt",
        "README.md",
        "chat_template.jinja",
        "config.json",
        "merges.txt",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert tokenizer_files(FOLDER) == ["tokenizer.json"]
    assert tokenizer_files(["vocab.json", "merges.txt", "config.json"]) == ["merges.txt", "vocab.json"]


def test_weights_in_parts_are_those_of_the_index(tmp_path):
    parts = {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": parts}))
    names = ("model.safetensors.index.json", "model-1.safetensors", "consolidated.safetensors")
    with pytest.raises(BadInput, match=r"it lacks 1 of its 2 files with weights \(the first: model-2\.safetensors\)"):
        weight_files(tmp_path, sizes(*names), "it")
    found = weight_files(tmp_path, sizes(*names, "model-2.safetensors"), "it")
    assert found == ["model-1.safetensors", "model-2.safetensors"]
    (tmp_path / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(BadInput, match=r"index\.json of it is damaged"):
        weight_files(tmp_path, sizes(*names), "it")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["config.json", "pytorch_model.bin"], "pickles only.*safetensors"),
        (["config.json", "consolidated.00.pth"], "pickles only"),
        (["config.json", "adapter_config.json", "adapter_model.safetensors"], "is an adapter, not a base"),
        (["config.json", "model-q8_0.gguf"], "a GGUF and no safetensors.*--gguf"),
        (["config.json"], "has no weights: there is no model.safetensors"),
    ],
)
def test_folders_without_safe_weights_are_refused(tmp_path, names, sentence):
    with pytest.raises(BadInput, match=f"it .*{sentence}"):
        weight_files(tmp_path, sizes(*names), "it")


def test_a_file_that_breaks_off_is_found_by_its_header(tmp_path):
    path = made.safetensors(tmp_path / "model.safetensors", 100)
    refuse_broken(tmp_path, ["model.safetensors"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(BadInput, match=f"breaks off: it has {len(whole) - 1} bytes, and should have {len(whole)}"):
        refuse_broken(tmp_path, ["model.safetensors"])
    for content in (b"", b"version https://git-lfs", whole[:20], b"\x02" + b"\0" * 7 + b"[]", b"\xff" * 40):
        path.write_bytes(content)
        with pytest.raises(BadInput, match="is damaged: it is not a safetensors file"):
            refuse_broken(tmp_path, ["model.safetensors"])
