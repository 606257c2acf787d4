"""Policy and critic in one module: two adapters on one frozen base, and a value head.

The Trainer prepares one module: anything outside it is not synchronised between processes, sharded or saved. So the
critic is a second adapter on the policy's own PEFT model, the value head is registered on it, and one forward call
gives log-probabilities and values.

    default     the policy's adapter, trained
    critic      the critic's, trained; from the reward model if that has the same base
    ref         a frozen copy of the policy's, only where an adapter is continued: a new one starts as its base
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

from alignment.fast.install import mix_in
from alignment.rewards.model import HEAD, WEIGHTS, critic_parts
from data.errors import BadInput, ParleyError

POLICY, CRITIC, REFERENCE = "default", "critic", "ref"
BIAS = HEAD.replace("weight", "bias")


class ValueHead(nn.Module):
    """From the hidden state before a token to the value there. Always in float32."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, hidden))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Values, shape (batch, tokens), of hidden states, shape (batch, tokens, hidden)."""
        with torch.autocast(hidden.device.type, enabled=False):
            return nn.functional.linear(hidden.float(), self.weight.float(), self.bias.float())[..., 0]


class ActorCritic:
    """What `actor_critic` adds to a PEFT model: values beside log-probabilities."""

    def forward(self, *args: Any, with_values: bool = False, **inputs: Any) -> Any:
        """PEFT's forward; `with_values`: a dict of `log_probs`, `entropy` and `values`, shape (batch, tokens - 1).

        Position t of each is about token t + 1: its log-probability given the text before it, and the
        critic's value of that text. Needs `input_ids`, `attention_mask` and `labels` (-100: not scored).
        """
        if not with_values:
            return super().forward(*args, **inputs)  # type: ignore[misc]  # of the class that this is mixed into
        found = super().forward(*args, fused_lm_head=True, use_cache=False, **inputs)  # type: ignore[misc]  # of the class that this is mixed into
        backbone = self.get_base_model().base_model  # type: ignore[attr-defined]  # a PEFT model has it
        with adapter(self, CRITIC):
            hidden = backbone(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).last_hidden_state
        values = self.value_head(hidden[:, :-1])  # type: ignore[attr-defined]  # a PEFT model has it
        return {"log_probs": found.log_probs, "entropy": found.entropy, "values": values}


def actor_critic(
    policy: Any, *, continued: bool, reward: Path | None = None, mean: float = 0.0, deviation: float = 1.0
) -> Any:
    """Make a PEFT model with the adapter `default` an actor and critic, in place, and return it.

    `reward`: the folder of a reward model on the same base, whose adapter and head the critic starts from; with
    `mean` and `deviation` of its scores it starts in the unit in which scores become rewards. Without it the critic
    starts at 0 everywhere. `continued`: the reference is a frozen copy of the adapter, else the base itself.
    Raises `BadInput` when the reward model does not fit.
    """
    if reward is None:
        state, config, head = None, _copy(policy.peft_config[POLICY]), None
    else:
        state, config, head, _ = critic_parts(reward)
        config.task_type, config.modules_to_save = policy.peft_config[POLICY].task_type, None
    config.inference_mode = False
    policy.add_adapter(CRITIC, config)
    if state is not None:
        load_adapter_state(policy, CRITIC, state, f"the reward model in {reward}")
    if continued:
        policy.add_adapter(REFERENCE, _copy(policy.peft_config[POLICY]))
        load_adapter_state(policy, REFERENCE, adapter_state(policy, POLICY), "the adapter's own copy")
    policy.value_head = ValueHead(policy.config.get_text_config().hidden_size)
    if head is not None:
        if head.shape != policy.value_head.weight.shape:
            raise BadInput(
                f"The reward model in {reward} has a head of {head.shape[1]} inputs; it is for another base."
            )
        with torch.no_grad():
            policy.value_head.weight.copy_(head / deviation)
            policy.value_head.bias.fill_(-mean / deviation)
    mix_in(policy, ActorCritic)
    train_both(policy)
    return policy


def refuse_recomputation(plugin: Any) -> None:
    """Raise `BadInput` when FSDP's settings recompute activations.

    The recomputation for the critic would use the policy's adapter, because the two are switched in between.
    """
    if plugin is not None and plugin.activation_checkpointing:
        raise BadInput("PPO cannot recompute activations: set fsdp_activation_checkpointing: false for accelerate.")


def train_both(model: Any) -> None:
    """Let gradients reach policy and critic, and nothing else. PEFT lets them reach the active adapter only."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(f".{POLICY}." in name or f".{CRITIC}." in name or "value_head." in name)


@contextmanager
def adapter(model: Any, name: str | None) -> Iterator[None]:
    """Inside the block the model computes with this adapter, or with none.

    PEFT's own switches also turn gradients on and off, and so would leave the critic frozen.
    """
    layers = _layers(model)
    before = [(layer._active_adapter, layer._disable_adapters) for layer in layers]
    for layer in layers:
        layer._disable_adapters = name is None
        if name is not None:
            layer._active_adapter = [name]
    try:
        yield
    finally:
        for layer, (active, disabled) in zip(layers, before, strict=True):
            layer._active_adapter, layer._disable_adapters = active, disabled


@contextmanager
def reference(model: Any) -> Iterator[None]:
    """Inside the block the model is the reference from which the KL is measured."""
    with adapter(model, REFERENCE if REFERENCE in model.peft_config else None):
        yield


def adapter_state(model: Any, name: str) -> dict[str, torch.Tensor]:
    """An adapter's tensors, whole and on the CPU, under the names by which PEFT saves them.

    Every process must call this: if weights are split over the processes (FSDP), each gets all of them.
    """
    found = {saved: _whole(parameter) for saved, parameter in _parameters(model, name).items()}
    if not found:
        raise ParleyError(f"The model has no adapter {name!r}.")
    return found


def load_adapter_state(model: Any, name: str, state: dict[str, torch.Tensor], source: str) -> None:
    """Set an adapter's tensors. Raises `BadInput` when they are not exactly those that the adapter has."""
    own = _parameters(model, name)
    wrong = sorted(own.keys() ^ state.keys())
    wrong += [key for key in own if key in state and own[key].shape != state[key].shape]
    if wrong:
        raise BadInput(f"{source} does not fit this base: {wrong[0]} has no counterpart.")
    for key, tensor in state.items():
        _set(own[key], tensor)


def critic_state(model: Any) -> dict[str, torch.Tensor]:
    """The critic as it is saved: its adapter, and the head under the names of a reward model's.

    As for `adapter_state`, every process must call this.
    """
    head = model.value_head
    return {**adapter_state(model, CRITIC), HEAD: _whole(head.weight), BIAS: _whole(head.bias)}


def _parameters(model: Any, name: str) -> dict[str, nn.Parameter]:
    """The parameters of an adapter by the names under which PEFT saves them, without the adapter's own name."""
    marked = re.compile(rf"(\.lora_[AB])\.{re.escape(name)}(?=\.)")
    return {marked.sub(r"\1", key): parameter for key, parameter in model.named_parameters() if marked.search(key)}


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    found = tensor.detach()
    return (found.full_tensor() if isinstance(found, DTensor) else found).cpu().clone().contiguous()


@torch.no_grad()
def _set(parameter: torch.Tensor, value: torch.Tensor) -> None:
    value = value.to(parameter.device, parameter.dtype)
    if isinstance(parameter, DTensor):
        value = distribute_tensor(value, parameter.device_mesh, parameter.placements)
    parameter.copy_(value)


def load_critic_state(model: Any, state: dict[str, torch.Tensor], source: str) -> None:
    """Set the critic's adapter and head. Raises `ParleyError` when the head is missing."""
    state = dict(state)
    try:
        weight, bias = state.pop(HEAD), state.pop(BIAS)
    except KeyError:
        raise ParleyError(f"{source} holds no value head; remove it and run the command again.") from None
    load_adapter_state(model, CRITIC, state, source)
    _set(model.value_head.weight, weight)
    _set(model.value_head.bias, bias)


def save_critic(model: Any, folder: Path, state: dict[str, torch.Tensor]) -> None:
    """Write the critic's state into a folder: configuration and weights of its adapter, the value head among them."""
    folder.mkdir(parents=True, exist_ok=True)
    model.peft_config[CRITIC].save_pretrained(str(folder))
    save_file(state, str(folder / WEIGHTS), metadata={"format": "pt"})


def _layers(model: Any) -> list[Any]:
    found = model.__dict__.get("_adapted_layers")
    if found is None:
        found = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
        model.__dict__["_adapted_layers"] = found  # bypasses nn.Module: these are not children of the model
    return list(found)


def _copy(config: Any) -> Any:
    return copy.deepcopy(config)
