"""Admitting a base: token ids, rendered conversations and log-probabilities, and what each refusal names."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader

from alignment.conversion.admission import _exact, admit, compare_texts, conversations
from alignment.models import load_model, load_tokenizer
from alignment.rows.tokens import control_strings
from alignment.serving.passages import NotServable, compare_tokens, log_probs, real_passages
from tests.fakes import tiny_bases

pytestmark = [pytest.mark.tiny, pytest.mark.process]


@dataclass
class Engine:
    """Answers as an engine would that has a tokenizer; `wrong` is a text of which it makes another token."""

    tokenizer: Any
    wrong: str = ""

    def post(self, path: str, body: dict[str, Any]) -> Any:
        if path == "/apply-template":
            return {
                "prompt": self.tokenizer.apply_chat_template(
                    body["messages"], tokenize=False, add_generation_prompt=True
                )
            }
        ids = self.tokenizer(body["content"], add_special_tokens=False)["input_ids"]
        return {"tokens": [*ids[:-1], 0] if self.wrong and self.wrong in body["content"] else ids}


@pytest.fixture(scope="module")
def bases(shelf) -> Path:
    """A Qwen3-like base in 16 bits, one of another seed, and a GPT-2-like one in four bits."""
    folder = shelf(qwen3="f16", gpt2="q4_1")
    tiny_bases.build("qwen3", folder / "other" / "hf", seed=1)
    shutil.copy(folder / "qwen3" / "model.gguf", folder / "other")
    tiny_bases.describe(folder / "other", "f16")
    return folder


def test_right_bases_are_admitted_with_figures(bases: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path))  # a base on trial lies elsewhere
    found = admit("qwen3", bases)
    assert found.texts == 2000
    assert found.conversations > 10
    assert found.mean < 0.003
    assert found.max < 0.05
    assert "f16" in str(found)
    assert len(found.probe_ids) == len(found.probe_log_probs) + 1 == 48
    assert max(found.probe_log_probs) < 0
    assert os.environ["PARLEY_BASES"] == str(tmp_path)


def test_other_weights_are_refused(bases: Path) -> None:
    with pytest.raises(NotServable, match=r"base other .* differ by .* nats on average \(limit 0\.02 for f16"):
        admit("other", bases)


def test_a_text_with_other_tokens_is_named(bases: Path) -> None:
    tokenizer = load_tokenizer(str(bases / "qwen3" / "hf"))
    compare_texts(Engine(tokenizer), tokenizer, ["Hello", "x = 3"])
    with pytest.raises(NotServable, match=r"other tokens than transformers of 'x = 3'"):
        compare_texts(Engine(tokenizer, "="), tokenizer, ["Hello", "x = 3"])


@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_conversations_of_every_form_are_compared(bases: Path, family: str) -> None:
    tokenizer = load_tokenizer(str(bases / family / "hf"))
    talks = conversations(tokenizer, control_strings(tokenizer))
    roles = {tuple(message["role"] for message in talk.messages) for talk in talks}
    assert {("user",), ("system", "user"), ("user", "user"), ("user", "assistant", "user")} <= roles
    compare_tokens(Engine(tokenizer), talks)
    with pytest.raises(NotServable, match="other tokens"):
        compare_tokens(Engine(tokenizer, "Ben"), talks)


def test_four_bits_are_in_the_blocks_and_eight_in_the_embeddings(bases: Path) -> None:
    reader = GGUFReader(bases / "gpt2" / "model.gguf")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_qkv.weight"] == kinds["blk.1.ffn_down.weight"] == "Q4_1"
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["position_embd.weight"] == kinds["blk.0.attn_norm.weight"] == "F32"
    assert reader.fields["general.file_type"].contents() == 3  # mostly Q4_1
    assert admit("gpt2", bases).limit == 0.25


def test_a_base_in_half_precision_computes_in_single_precision(bases: Path, tmp_path: Path) -> None:
    model = load_model(str(bases / "qwen3" / "hf"), dtype=torch.bfloat16)
    model.save_pretrained(tmp_path / "half")
    shutil.copy(bases / "qwen3" / "hf" / "tokenizer.json", tmp_path / "half")
    passages = real_passages(load_tokenizer(str(bases / "qwen3" / "hf")))[:1]
    exact = _exact(str(tmp_path / "half"))
    found = log_probs(exact, passages)
    wanted = log_probs(load_model(str(tmp_path / "half"), dtype=torch.float32), passages)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert exact.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    rounded = log_probs(load_model(str(tmp_path / "half"), dtype=torch.bfloat16), passages)
    assert np.abs(rounded - wanted).max() > 1e-3


def test_short_contexts_take_short_passages_only(bases: Path) -> None:
    tokenizer = load_tokenizer(str(bases / "qwen3" / "hf"))
    every = real_passages(tokenizer)
    some = real_passages(tokenizer, 400)
    assert 0 < len(some) < len(every)
    assert all(len(passage.ids) <= 400 for passage in some)
    with pytest.raises(NotServable, match="context of 10 tokens"):
        real_passages(tokenizer, 10)
