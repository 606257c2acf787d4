"""How fast this machine trains a base, measured within seconds."""

import time

import torch

from alignment.models import load_model
from alignment.training.machine import this_machine

_TOKENS = 256
_PASSES = 3  # the fastest counts: the first one starts threads and fills caches


def tokens_per_second(base: str) -> float:
    """How many tokens of one row this machine takes forward and back in a second, in the precision that it trains in.

    The weights are frozen, as under an adapter; the head scores every token, which costs about what an adapter does.
    """
    machine = this_machine()
    model = load_model(base).to(machine.device)
    words = min(1000, model.get_input_embeddings().num_embeddings)
    ids = torch.randint(0, words, (1, _TOKENS), generator=torch.Generator().manual_seed(0)).to(machine.device)
    seconds = []
    for _ in range(_PASSES):
        embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
        began = time.perf_counter()
        with torch.autocast(machine.device, torch.bfloat16, enabled=machine.bf16):
            loss = model(inputs_embeds=embedded, labels=ids, use_cache=False).loss
        loss.backward()
        float(embedded.grad.sum())  # a GPU has done its work when a number arrives
        seconds.append(time.perf_counter() - began)
    return _TOKENS / min(seconds)
