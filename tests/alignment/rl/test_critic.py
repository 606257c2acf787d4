"""The critic: it starts as the reward model, and FSDP may not recompute its activations."""

import json

import pytest
import torch
from accelerate.utils import FullyShardedDataParallelPlugin
from peft import LoraConfig, get_peft_model

from alignment import models
from alignment.rewards.model import load_scorer
from alignment.rl import critic
from data.errors import BadInput
from tests.alignment.rl.bases import telling_bases

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return telling_bases(tmp_path_factory.mktemp("bases"))


def test_the_critic_starts_as_the_reward_model(bases, tmp_path):
    """Its value of a text is the reward model's score of it, in the reward's unit."""
    base = models.locate(str(bases["qwen"]))
    config = {"target_modules": "all-linear", "init_lora_weights": False, "r": 4}
    scorer = get_peft_model(
        load_scorer(base), LoraConfig(**config, task_type="SEQ_CLS", modules_to_save=["score"])
    ).eval()
    folder = tmp_path / "reward"
    scorer.save_pretrained(folder)
    (folder / "reward.json").write_text(json.dumps({"base": base.name}))
    policy = get_peft_model(models.load_base(base), LoraConfig(**config, task_type="CAUSAL_LM"))
    model = critic.actor_critic(policy, continued=True, reward=folder, mean=0.5, deviation=2.0)
    ids = torch.tensor([[5, 9, 13, 60, 7]])
    with torch.no_grad(), critic.adapter(model, critic.CRITIC):
        hidden = model.get_base_model().base_model(ids).last_hidden_state
        values = model.value_head(hidden)
        score = scorer(input_ids=ids).logits[:, 0]
    torch.testing.assert_close(values[:, -1], (score - 0.5) / 2, atol=1e-5, rtol=1e-4)
    trained = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    assert not any(".ref." in name for name in trained)
    with torch.no_grad(), critic.reference(model):
        reference = model(ids).logits
    with torch.no_grad():
        assert torch.equal(reference, model(ids).logits)
    # The switches left gradients as they were.
    assert trained == {name for name, tensor in model.named_parameters() if tensor.requires_grad}


def test_fsdp_may_not_recompute_the_critics_activations():
    with pytest.raises(BadInput, match="fsdp_activation_checkpointing: false"):
        critic.refuse_recomputation(FullyShardedDataParallelPlugin(fsdp_version=2, activation_checkpointing=True))
    critic.refuse_recomputation(FullyShardedDataParallelPlugin(fsdp_version=2, activation_checkpointing=False))
    critic.refuse_recomputation(None)
