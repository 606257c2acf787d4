"""Freed memory: kept for the next step, and given back at the end."""

import platform
import subprocess
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import alignment.sft
from alignment.fast import install
from alignment.fast.rounding import hold
from tests.alignment import tiny
from tests.alignment.running import command

pytestmark = pytest.mark.tiny

# Each tensor is smaller than the last: glibc would find no room for an equal one in its place, because it asks for a
# little more, to align it.
_FAULTS = """
import resource, torch
from alignment.fast.install import freed_memory_kept

def faults(mebibytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(mebibytes * 2**18)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(320)
usual = faults(40)
with freed_memory_kept():
    faults(320)
    kept = faults(240)
print(usual, kept, faults(40))
"""


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")
def test_freed_memory_is_used_again_until_it_is_given_back():
    done = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True, timeout=240)
    usual, kept, given_back = map(int, done.stdout.split())
    pages = 40 * 2**20 // 4096
    assert min(usual, given_back) > pages / 2  # (half: a kernel may give larger pages)
    assert kept < pages / 20


def test_nothing_happens_with_another_c_library(monkeypatch):
    asked = []
    monkeypatch.setattr(install.ctypes, "CDLL", lambda name: asked.append(name) or object())
    with install.freed_memory_kept():
        pass

    def none(_):
        raise OSError

    monkeypatch.setattr(install.ctypes, "CDLL", none)
    with install.freed_memory_kept():
        pass
    assert asked == [None] * 3  # keep, stop keeping, give back


def test_held_weights_no_longer_lie_in_a_file(tmp_path):
    layer = torch.nn.Linear(300, 300)
    save_file(dict(layer.state_dict()), tmp_path / "w.safetensors")
    found = load_file(tmp_path / "w.safetensors")
    layer.weight.data, layer.bias.data = found["weight"], found["bias"]
    before = {name: p.data.clone() for name, p in layer.named_parameters()}
    where = layer.bias.data_ptr()
    layer.requires_grad_(False)
    hold(layer, {id(layer.weight)}, torch.bfloat16)
    assert layer.weight.dtype == torch.bfloat16
    assert torch.equal(layer.weight.float(), before["weight"].bfloat16().float())
    assert torch.equal(layer.bias, before["bias"])
    assert layer.bias.data_ptr() != where


def test_trained_weights_are_left_alone():
    layer = torch.nn.Linear(3, 3)
    where = layer.weight.data_ptr()
    hold(layer, {id(layer.weight)}, torch.bfloat16)
    assert layer.weight.dtype == torch.float32
    assert layer.weight.data_ptr() == where


@pytest.mark.parametrize("shared", ["true", "false"])
def test_training_keeps_freed_memory_and_holds_frozen_weights_in_the_dtype_of_the_product(
    shared, tmp_path, monkeypatch
):
    seen, held = [], {}
    usual = transformers.Trainer.training_step

    def step(self, model, *args, **kwargs):
        seen.append("step")
        for name, parameter in model.named_parameters():
            kind = "layer" if "base_layer" in name else "adapter" if "lora_" in name else "other"
            held.setdefault(kind, set()).add(parameter.dtype)
        return usual(self, model, *args, **kwargs)

    monkeypatch.setattr(transformers.Trainer, "training_step", step)
    monkeypatch.setattr(install, "_c_function", lambda name: lambda *_: seen.append(name))
    rows = tiny.write(tmp_path / "rows.jsonl", tiny.demonstrations(8))
    base = tiny.build("llama", tmp_path / "base")
    flags = {"eval_fraction": 0, "num_train_epochs": 1, "bf16": "true", "share_prefixes": shared}
    assert alignment.sft.main(command("sft", base, rows, tmp_path / "out", **flags)) == 0
    before, during, after = seen[:3], seen[3:5], seen[5:]
    assert (set(before), during, after) == ({"mallopt"}, ["step"] * 2, ["mallopt"] * 4 + ["malloc_trim"])
    layers = torch.bfloat16 if shared == "true" else torch.float32
    assert held == {"layer": {layers}, "adapter": {torch.float32}, "other": {torch.float32}}
