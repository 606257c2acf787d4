"""Freed memory: kept for the next step, and given back at the end."""

import platform
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from alignment import memory
from alignment.rounding import hold

_FAULTS = """
import resource, torch
from alignment import memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = [faults(), faults()]
memory.keep_freed()
faults()
found += [faults()]
memory.give_back()
print(*found, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_memory_is_used_again_until_it_is_given_back():
    done = subprocess.run([sys.executable, "-c", _FAULTS], capture_output=True, text=True, check=True)
    first, usual, kept, given_back = map(int, done.stdout.split())
    pages = 2**24 * 4 // 4096
    assert min(first, usual, given_back) > pages / 2  # (half: a kernel may give larger pages)
    assert kept < pages / 20


def test_where_the_c_library_is_another_one_nothing_happens(monkeypatch):
    asked = []
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: asked.append(name) or object())
    memory.keep_freed()
    memory.give_back()

    def none(_):
        raise OSError

    monkeypatch.setattr(memory.ctypes, "CDLL", none)
    memory.keep_freed()
    assert asked == [None, None]


def test_what_is_held_lies_in_no_file_any_more(tmp_path):
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


def test_what_is_trained_is_held_as_it_is():
    layer = torch.nn.Linear(3, 3)
    where = layer.weight.data_ptr()
    hold(layer, {id(layer.weight)}, torch.bfloat16)
    assert layer.weight.dtype == torch.float32
    assert layer.weight.data_ptr() == where
