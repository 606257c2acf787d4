"""The bundled base, converted once."""

import json

import pytest

from alignment import convert, models
from data.bases import base_info


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """A folder as `data.bases.fetch` leaves it, with nothing in its GGUF."""
    folder = tmp_path / "smollm2-135m"
    folder.mkdir()
    info = {"alias": "smollm2-135m", "gguf_sha256": "abc", "control": ["<|im_end|>"], "template_name": "chatml"}
    (folder / "base.json").write_text(json.dumps({**info, "context_length": 8192, "eos_token": "<|im_end|>"}))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path))
    return folder


def test_a_conversion_happens_once_and_again_when_its_source_changed(fetched, monkeypatch):
    calls = []
    monkeypatch.setattr(
        convert, "_convert", lambda _alias, _gguf, folder: calls.append((folder / "w").write_text("w"))
    )
    first = convert.converted("smollm2-135m")
    assert convert.converted("smollm2-135m") == first == fetched / "hf"
    assert len(calls) == 1
    monkeypatch.setattr(convert, "_VERSION", convert._VERSION + 1)
    convert.converted("smollm2-135m")
    assert len(calls) == 2


def test_a_failed_conversion_leaves_nothing_and_a_killed_one_is_cleaned_up(fetched, monkeypatch):
    def fail(_alias, _gguf, folder):
        (folder / "half").write_text("half")
        raise OSError("the disk is full")

    monkeypatch.setattr(convert, "_convert", fail)
    with pytest.raises(OSError, match="disk is full"):
        convert.converted("smollm2-135m")
    assert {path.name for path in fetched.iterdir()} == {"base.json", ".hf.lock"}
    left = fetched / ".hf.killed.unfinished"
    left.mkdir()  # left by a kill: no exception handler ran
    monkeypatch.setattr(convert, "_convert", lambda _alias, _gguf, folder: (folder / "w").write_text("w"))
    assert (convert.converted("smollm2-135m") / "w").exists()
    assert not left.exists()


def test_the_command_converts_and_prints_where(fetched, monkeypatch, capsys):
    monkeypatch.setattr(convert, "_convert", lambda _alias, _gguf, folder: (folder / "w").write_text("w"))
    assert models.main(["smollm2-135m"]) == 0
    assert capsys.readouterr().out == f"smollm2-135m: {fetched / 'hf'}\n"


@pytest.mark.base
def test_the_bundled_base_is_what_its_gguf_says(base_home):
    tokenizer = models.load_tokenizer("smollm2-135m")
    info = base_info("smollm2-135m")
    assert set(models.control_strings(tokenizer)) == set(info.control)
    assert (tokenizer.eos_token, tokenizer.model_max_length) == (info.eos_token, info.context_length)
    # llama.cpp's pre-tokenizer for this model splits digits first; transformers' conversion loses that.
    assert tokenizer.convert_ids_to_tokens(tokenizer("  24 ½")["input_ids"]) == ["ĠĠ", "2", "4", "Ġ", "Â½"]
