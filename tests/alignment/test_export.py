"""Exporting an adapter: the GGUF's tensors, the merged model, the refusals, and the check of what is served."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from alignment.export import main, merge, staged, to_gguf
from alignment.models import locate
from alignment.serving import gguf_lora
from alignment.serving.agreement import Agreement, Gap, NotServable, compare, difference, expected, measure
from alignment.serving.gguf_check import file_difference
from data.bases import DEFAULT_BASE
from data.errors import BadInput, NothingToDo, run
from data.releases import Releases
from tests.alignment import tiny

pytestmark = pytest.mark.tiny

ROOT = Path(__file__).parents[2]


def adapter(base: Path | str, folder: Path, *, seed: int = 1, std: float = 0.5, **settings) -> Path:
    """Save an adapter whose B is random and not zero."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    peft = get_peft_model(model, LoraConfig(**config))
    generator = torch.Generator().manual_seed(seed)
    for name, weight in peft.named_parameters():
        if "lora_" in name and weight.ndim == 2:
            spread = std if "lora_B" in name else weight.shape[1] ** -0.5
            weight.data = torch.randn(weight.shape, generator=generator) * spread
    peft.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=tiny.FAMILIES)
def base(request, tmp_path_factory) -> Path:
    return tiny.build(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def llama(tmp_path_factory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


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
    """Hugging Face turns half against half, llama.cpp neighbour pairs: with the rows moved, scores are equal."""
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


def test_a_setting_that_nobody_knew_yet_is_refused(llama: Path, tmp_path: Path) -> None:
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


def test_the_frozen_copy_of_a_dpo_stage_is_refused(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    copy = adapter(llama, saved / "ref")
    with pytest.raises(BadInput, match="frozen copy"):
        to_gguf(copy, str(llama), tmp_path / "out.gguf")


def test_an_unknown_architecture_is_refused(llama: Path, tmp_path: Path) -> None:
    settings, pairs = gguf_lora.read_adapter(adapter(llama, tmp_path / "adapter"))
    with pytest.raises(BadInput, match=r"'mamba'.*vLLM"):
        list(gguf_lora.engine_tensors({"model_type": "mamba"}, settings, pairs, "here"))


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


def test_a_kill_leaves_no_output_and_the_next_export_cleans_up(llama: Path, tmp_path: Path) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    out = tmp_path / "out.gguf"
    code = f"""
        import os, signal
        from pathlib import Path
        from alignment.export import staged
        with staged(Path({str(out)!r})) as path:
            path.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(tmp_path.glob(".out.gguf.*"))
    to_gguf(saved, str(llama), out)
    assert out.stat().st_size > 1000
    assert not list(tmp_path.glob(".out.gguf.*"))


def test_another_running_export_is_not_swept_away(tmp_path: Path) -> None:
    other = tmp_path / f".out.{os.getppid()}.partial"
    other.write_text("somebody else's")
    with staged(tmp_path / "out") as path:
        path.write_text("mine")
    assert other.exists()
    assert (tmp_path / "out").read_text() == "mine"


# The verdict, and the command line.


GOOD = Agreement(
    positions=48,
    tokens=1536,
    base=Gap(scale=0.0, mean=0.087, max=0.54, effect=0.0, limit=0.25),
    served=Gap(scale=1.0, mean=0.087, max=0.4, effect=0.5, limit=0.14),
    probe=Gap(scale=2.0, mean=0.09, max=0.4, effect=0.6, limit=0.11),
)


@pytest.mark.parametrize("which", ["base", "served", "probe"])
@pytest.mark.parametrize("mean", [0.3, float("nan")])
def test_any_gap_above_its_limit_is_refused(which: str, mean: float) -> None:
    assert difference(GOOD) is None
    assert difference(replace(GOOD, **{which: replace(getattr(GOOD, which), mean=mean)}))


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["export", *map(str, words)])
    return main()


def test_the_command_exports_what_an_adapter_names(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = adapter(llama, tmp_path / "adapter")
    assert command(monkeypatch, "--adapter", saved, "--gguf", tmp_path / "a.gguf", "--no-check") == 0
    assert (
        command(monkeypatch, "--adapter", saved, "--merge", tmp_path / "merged", "--base", llama, "--no-check") == 0
    )
    assert "it was not checked" in capsys.readouterr().out
    assert (tmp_path / "a.gguf").is_file()
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    with pytest.raises(BadInput, match="no GGUF"):
        command(monkeypatch, "--adapter", saved, "--gguf", tmp_path / "b.gguf")
    assert not (tmp_path / "b.gguf").exists()


def test_the_command_fills_in_a_releases_own_file_once(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))

    def build(folder: Path) -> dict:
        adapter(llama, folder / "adapter")
        return {"kind": "adapter", "base": str(llama)}

    release = Releases(tmp_path).create(build)
    whole = Releases(tmp_path).create(lambda _: {"kind": "model", "base": str(llama)})
    assert command(monkeypatch, "--release", release.number, "--no-check") == 0
    assert release.adapter_gguf.is_file()
    with pytest.raises(NothingToDo, match="already"):
        command(monkeypatch, "--release", release.number)
    with pytest.raises(BadInput, match="whole model"):
        command(monkeypatch, "--release", whole.number)
    with pytest.raises(BadInput, match="no release 9"):
        command(monkeypatch, "--release", 9)
    with pytest.raises(SystemExit) as stopped:
        run(lambda: command(monkeypatch, "--release", release.number))
    assert stopped.value.code == 1


@pytest.mark.parametrize(
    "words",
    [[], ["--adapter", "x"], ["--release", 1, "--base", "b"], ["--release", 1, "--gguf", "a", "--merge", "b"]],
)
def test_the_command_refuses_what_does_not_go_together(monkeypatch: pytest.MonkeyPatch, words: list) -> None:
    with pytest.raises(SystemExit) as stopped:
        command(monkeypatch, *words)
    assert stopped.value.code == 2


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, alignment.export as e; e._parser().format_help(); "
        "sys.exit(bool({'torch', 'transformers', 'peft', 'gguf', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# The real model, served.


@pytest.mark.base
def test_the_check_tells_a_right_export_from_broken_ones(
    base_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hf = locate(DEFAULT_BASE).path
    saved = adapter(hf, tmp_path / "saved", std=0.03, r=16, lora_alpha=32)
    wanted = expected(saved, DEFAULT_BASE, passages=3)
    right = to_gguf(saved, DEFAULT_BASE, tmp_path / "right.gguf")
    found = compare(wanted, DEFAULT_BASE, right)
    assert found.served.effect > 3 * found.base.mean, found

    other = adapter(hf, tmp_path / "other", seed=2, std=0.03, r=16, lora_alpha=32)
    broken = {"another adapter": to_gguf(other, DEFAULT_BASE, tmp_path / "other.gguf")}
    with monkeypatch.context() as patch:
        patch.setattr(gguf_lora, "permuted_rows", lambda b, _: b)
        broken["rows not permuted"] = to_gguf(saved, DEFAULT_BASE, tmp_path / "rows.gguf")
    with monkeypatch.context() as patch:
        patch.setattr(gguf_lora, "scaling", lambda *_: 0.0)
        broken["scale 0"] = to_gguf(saved, DEFAULT_BASE, tmp_path / "zero.gguf")
    for name, file in broken.items():
        # Both halves of the check see it, each alone.
        assert file_difference(file, wanted.layers), name
        assert difference(measure(wanted, DEFAULT_BASE, file)), name
    with pytest.raises(NotServable, match="must not serve"):
        compare(wanted, DEFAULT_BASE, broken["rows not permuted"])
    wanted.passages[0].prompt[3] += 1
    with pytest.raises(NotServable, match=r"passage 1 .*from token 3 on"):
        compare(wanted, DEFAULT_BASE, right)
