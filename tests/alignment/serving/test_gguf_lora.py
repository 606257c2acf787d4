"""The LoRA GGUF: its tensors, their scales and row order, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from alignment.serving import gguf_lora
from alignment.serving.artefact import to_gguf
from data.errors import BadInput
from tests.alignment.serving.adapters import adapter

pytestmark = pytest.mark.tiny


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {tensor.name: np.array(tensor.data) for tensor in GGUFReader(path).tensors}


def interleaved(b: np.ndarray, heads: int) -> np.ndarray:
    """The order of llama.cpp's query and key rows, written down row by row."""
    size = len(b) // heads
    order = [
        head * size + half * (size // 2) + pair
        for head in range(heads)
        for pair in range(size // 2)
        for half in (0, 1)
    ]
    return b[order]


NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}


def test_every_tensor_is_written_under_the_engines_name_in_its_row_order(base: Path, tmp_path: Path) -> None:
    saved = adapter(base, tmp_path / "adapter")
    out = to_gguf(saved, str(base), tmp_path / "adapter.gguf")

    fields = GGUFReader(out).fields
    kind = json.loads((base / "config.json").read_text())["model_type"]
    assert fields["general.architecture"].contents() == kind
    assert fields["general.type"].contents() == "adapter"
    assert fields["adapter.type"].contents() == "lora"
    assert fields["adapter.lora.alpha"].contents() == 8.0

    wanted = {}
    for key, value in load_file(saved / "adapter_model.safetensors").items():
        parts = key.removeprefix("base_model.model.").split(".")
        module, side = ".".join(parts[3:5]), parts[-2][-1]
        matrix = value.numpy()
        if kind == "llama" and side == "B" and module in ("self_attn.q_proj", "self_attn.k_proj"):
            matrix = interleaved(matrix, 4 if module.endswith("q_proj") else 2)
        wanted[f"blk.{parts[2]}.{NAMES[module]}.weight.lora_{side.lower()}"] = matrix
    found = tensors(out)
    assert found.keys() == wanted.keys()
    for name, matrix in wanted.items():
        np.testing.assert_array_equal(found[name], matrix, err_msg=name)


def test_reordered_rows_attend_as_before_under_llama_cpps_rotation() -> None:
    """Hugging Face turns half against half, llama.cpp neighbour pairs: with the rows reordered, scores are equal."""
    rng = np.random.default_rng(0)
    heads, size, positions = 3, 8, 5
    angles = np.outer(np.arange(positions), 100.0 ** (-np.arange(size // 2) / (size // 2)))
    cos, sin = np.cos(angles), np.sin(angles)

    def halves(x: np.ndarray) -> np.ndarray:
        a, b = x[:, : size // 2], x[:, size // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=1)

    def pairs(x: np.ndarray) -> np.ndarray:
        a, b = x[:, 0::2], x[:, 1::2]
        return np.stack([a * cos - b * sin, b * cos + a * sin], axis=2).reshape(x.shape)

    x = rng.normal(size=(positions, 6))
    q, k = rng.normal(size=(heads * size, 6)), rng.normal(size=(heads * size, 6))
    q_moved, k_moved = gguf_lora.permuted_rows(q, heads), gguf_lora.permuted_rows(k, heads)
    for head in range(heads):
        rows = slice(head * size, (head + 1) * size)
        before = halves(x @ q[rows].T) @ halves(x @ k[rows].T).T
        after = pairs(x @ q_moved[rows].T) @ pairs(x @ k_moved[rows].T).T
        np.testing.assert_allclose(after, before, rtol=1e-9)
        assert not np.allclose(pairs(x @ q[rows].T) @ pairs(x @ k[rows].T).T, before)


@pytest.mark.parametrize(
    "settings",
    [
        {"use_rslora": True},
        {"alpha_pattern": {"q_proj": 3, "layers.1.mlp.up_proj": 5}},
        {"rank_pattern": {"v_proj": 2}, "use_rslora": True},
        {"lora_alpha": 2.5, "rank_pattern": {"^model.layers.0.self_attn.k_proj": 6}},
    ],
    ids=["rslora", "alphas", "ranks and rslora", "a fractional alpha"],
)
def test_scales_are_pefts_for_every_module(llama: Path, tmp_path: Path, settings: dict) -> None:
    saved = adapter(llama, tmp_path / "adapter", **settings)
    out = to_gguf(saved, str(llama), tmp_path / "adapter.gguf")
    found, alpha = tensors(out), GGUFReader(out).fields["adapter.lora.alpha"].contents()
    peft = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), saved)
    for layer in range(2):
        for module, name in list(NAMES.items())[:7]:
            delta = peft.get_submodule(f"base_model.model.model.layers.{layer}.{module}").get_delta_weight("default")
            wanted = delta.detach().numpy()
            if name in ("attn_q", "attn_k"):
                wanted = interleaved(wanted, 4 if name == "attn_q" else 2)
            a, b = (found[f"blk.{layer}.{name}.weight.lora_{side}"] for side in "ab")
            np.testing.assert_allclose(
                alpha / len(a) * b @ a, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{layer} {module}"
            )


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"trainable_token_indices": [1, 2]}, "trainable_token_indices"),
        ({"target_modules": ["embed_tokens", "q_proj"]}, "embed_tokens"),
        ({"target_modules": ["lm_head", "q_proj"]}, "lm_head"),
        ({"bias": "all"}, "bias"),
        ({"lora_bias": True}, "lora_bias"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"lora_alpha": 0}, "lora_alpha"),
    ],
)
def test_anything_but_lora_on_linear_layers_is_refused(
    llama: Path, tmp_path: Path, settings: dict, word: str
) -> None:
    saved = adapter(llama, tmp_path / "adapter", **settings)
    with pytest.raises(BadInput, match=word):
        to_gguf(saved, str(llama), tmp_path / "out.gguf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_an_unknown_setting_is_refused(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    path = saved / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "use_next_years_idea": True}))
    with pytest.raises(BadInput, match="use_next_years_idea"):
        to_gguf(saved, str(llama), tmp_path / "out.gguf")


def test_broken_adapters_are_refused_with_a_sentence(llama: Path, tmp_path: Path) -> None:
    def refused(saved: Path, match: str) -> None:
        with pytest.raises(BadInput, match=match):
            to_gguf(saved, str(llama), tmp_path / "out.gguf")

    refused(tmp_path, "not an adapter directory")
    saved = adapter(llama, tmp_path / "adapter")
    weights = saved / "adapter_model.safetensors"
    whole = load_file(weights)
    key = next(key for key in whole if "lora_B" in key)
    save_file({**whole, key: torch.full_like(whole[key], float("nan"))}, weights)
    refused(saved, "not finite")
    save_file({k: v for k, v in whole.items() if k != key}, weights)
    refused(saved, "not a pair")
    weights.write_bytes(weights.read_bytes()[:100])
    refused(saved, "not a readable safetensors file")
    weights.rename(saved / "adapter_model.bin")
    refused(saved, "pickle")


def test_an_unknown_architecture_is_refused(llama: Path, tmp_path: Path) -> None:
    settings, pairs = gguf_lora.read_adapter(adapter(llama, tmp_path / "adapter"))
    with pytest.raises(BadInput, match=r"'mamba'.*vLLM"):
        list(gguf_lora.engine_tensors({"model_type": "mamba"}, settings, pairs, "here"))


@pytest.mark.parametrize("content", ["null", "[]", "3", '"x"', "{", ""])
def test_settings_that_are_no_object_give_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "adapter_config.json").write_text(content)
    with pytest.raises(BadInput, match=r"adapter_config\.json"):
        gguf_lora.read_adapter(tmp_path)
