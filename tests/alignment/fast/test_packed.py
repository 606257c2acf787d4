"""Layers packed by oneDNN compute what the linear layers compute."""

import pytest
import torch
from torch import nn

from alignment.fast.packed import Packed, packable

pytestmark = pytest.mark.tiny


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 16])
def test_a_packed_layer_computes_what_the_layer_computes(rows, bias):
    torch.manual_seed(0)
    layer = nn.Linear(48, 200, bias=bias)
    assert packable(layer)
    packed = Packed(layer)
    x = torch.randn(rows, 2, 48)
    with torch.no_grad():
        torch.testing.assert_close(packed(x), layer(x), atol=1e-5, rtol=1e-5)
        other = torch.randn(200, 48)
        packed.pack(other)
        torch.testing.assert_close(packed(x), nn.functional.linear(x, other, layer.bias), atol=1e-5, rtol=1e-5)


def test_only_plain_float32_layers_are_packed():
    assert not packable(nn.Linear(4, 4).to(torch.bfloat16))
    assert not packable(nn.Linear(4, 4, device="meta"))
    assert not packable(nn.Embedding(4, 4))
