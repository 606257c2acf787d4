"""A task of `two_processes`: an actor and critic split over both, as FSDP2 does.

accelerate does not shard on a CPU, but torch does: what is saved from the shards must equal what was split, and
loading must restore it.
"""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from transformers import AutoModelForCausalLM

from alignment.rl import critic
from alignment.rl.critic import CRITIC, POLICY


def model_of(base: str) -> torch.nn.Module:
    """An actor and critic with weights that are all different."""
    torch.manual_seed(3)
    config = LoraConfig(target_modules="all-linear", r=4, task_type="CAUSAL_LM", init_lora_weights=False)
    made = critic.actor_critic(get_peft_model(AutoModelForCausalLM.from_pretrained(base), config), continued=True)
    torch.nn.init.normal_(made.value_head.weight)
    return made


def run(base: str, out: Path) -> str:
    """Shard, save into `out`, load, compare."""
    whole = model_of(base)
    wanted = critic.adapter_state(whole, POLICY), critic.critic_state(whole)
    sharded = model_of(base)
    mesh = init_device_mesh("cpu", (torch.distributed.get_world_size(),))
    fully_shard(sharded, mesh=mesh)
    assert any(isinstance(each, torch.distributed.tensor.DTensor) for each in sharded.parameters())
    found = critic.adapter_state(sharded, POLICY), critic.critic_state(sharded)
    for one, other in zip(wanted, found, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    if torch.distributed.get_rank() == 0:
        critic.save_critic(sharded, out / CRITIC, found[1])
    with torch.no_grad():
        for parameter in sharded.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    critic.load_adapter_state(sharded, POLICY, found[0], "the test")
    critic.load_critic_state(sharded, found[1], "the test")
    again = critic.adapter_state(sharded, POLICY), critic.critic_state(sharded)
    for one, other in zip(wanted, again, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)
    return "sharded and back"
