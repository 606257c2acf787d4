"""Exports: a merged model that computes what PEFT does, and files that appear whole or not at all."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from alignment.serving.agreement import NotServable
from alignment.serving.artefact import merge, staged, to_gguf
from data.errors import BadInput
from data.unfinished import unfinished_file
from tests.alignment.serving.adapters import adapter

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).parents[3]


def test_the_frozen_copy_of_a_dpo_stage_is_refused(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    copy = adapter(llama, saved / "ref")
    with pytest.raises(BadInput, match="frozen copy"):
        to_gguf(copy, str(llama), tmp_path / "out.gguf")


def test_merged_model_computes_what_peft_computes(base: Path, tmp_path: Path) -> None:
    saved = adapter(base, tmp_path / "adapter")
    out = merge(saved, str(base), tmp_path / "merged")
    ids = torch.arange(5, 60)[None]
    with torch.no_grad():
        plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()
        before = plain(ids).logits
        wanted = PeftModel.from_pretrained(plain, saved).eval()(ids).logits
        found = AutoModelForCausalLM.from_pretrained(out).eval()(ids).logits
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (wanted - before).abs().max() > 0.1
    assert not (out / "adapter_config.json").exists()
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer("hello 你好")["input_ids"] == AutoTokenizer.from_pretrained(base)("hello 你好")["input_ids"]
    assert "hello" in tokenizer.apply_chat_template([{"role": "user", "content": "hello"}], tokenize=False)


def test_existing_outputs_stay_as_they_are(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    (tmp_path / "there").write_text("mine")
    for export in (to_gguf, merge):
        with pytest.raises(BadInput, match="exists already"):
            export(saved, str(llama), tmp_path / "there")
        with pytest.raises(BadInput, match="no folder"):
            export(saved, str(llama), tmp_path / "nowhere" / "out")
    assert (tmp_path / "there").read_text() == "mine"


def test_a_refused_export_leaves_nothing(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")

    def refuse(path: Path) -> None:
        assert path.exists()
        raise NotServable("no")

    for export in (to_gguf, merge):
        with pytest.raises(NotServable):
            export(saved, str(llama), tmp_path / "out", check=refuse)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


@pytest.mark.process
def test_a_kill_leaves_no_output_and_the_next_export_cleans_up(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    out = tmp_path / "out.gguf"
    code = f"""
        import os, signal
        from pathlib import Path
        from alignment.serving.artefact import staged
        with staged(Path({str(out)!r})) as path:
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False, timeout=240)
    assert result.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(tmp_path.glob(".out.gguf.*"))
    to_gguf(saved, str(llama), out)
    assert out.stat().st_size > 1000
    assert not list(tmp_path.glob(".out.gguf.*"))


def test_another_running_export_is_not_removed(tmp_path: Path) -> None:
    with unfinished_file(tmp_path / "out") as other:
        with staged(tmp_path / "out") as path:
            path.write_text("mine")
        assert Path(other.name).exists()
    assert (tmp_path / "out").read_text() == "mine"
