"""How fast this machine trains a base, measured within seconds."""

import time

import torch

from alignment.models import load_model
from alignment.training.machine import this_machine

_TOKENS = 256
_FIRST = 32  # tokens of the first pass, which starts threads and fills caches


def tokens_per_second(base: str) -> float:
    """How many tokens of one row this machine takes forward and back in a second, in the precision that it trains in.

    The weights are frozen, as under an adapter; the head scores every token, which costs about what an adapter does.
    """
    machine = this_machine()
    model = load_model(base).to(machine.device)
    ids = torch.randint(0, 1000, (1, _TOKENS), generator=torch.Generator().manual_seed(0)).to(machine.device)
    seconds = 1.0
    for count in (_FIRST, _TOKENS):
        embedded = model.get_input_embeddings()(ids[:, :count]).detach().requires_grad_()
        began = time.perf_counter()
        with torch.autocast(machine.device, torch.bfloat16, enabled=machine.bf16):
            loss = model(inputs_embeds=embedded, labels=ids[:, :count], use_cache=False).loss
        loss.backward()
        float(embedded.grad.sum())  # a GPU has done its work when a number arrives
        seconds = time.perf_counter() - began
    return _TOKENS / seconds
