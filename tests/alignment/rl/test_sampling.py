"""The copy of the policy that samples, and merging for vLLM."""

from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GenerationConfig

from alignment.rl.rollouts import Rollouts
from alignment.rl.sampling import PlainCopy
from tests.alignment.rl.bases import telling_bases

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return telling_bases(tmp_path_factory.mktemp("bases"))


def test_vllms_merging_leaves_the_base_as_it_was(bases):
    """After some hundred merges and removals in bf16 it would differ."""
    model = AutoModelForCausalLM.from_pretrained(bases["qwen"], dtype=torch.bfloat16)
    config = LoraConfig(target_modules="all-linear", init_lora_weights=False, r=4, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    class Trainer:
        use_vllm = True
        accelerator = SimpleNamespace(unwrap_model=lambda found: found)

    Trainer.model = model
    for _ in range(3):
        with Rollouts._policy_alone(Trainer()):
            model.merge_adapter()
            model.unmerge_adapter()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_copy_samples_with_a_cache_though_the_trainer_switched_it_off(bases, monkeypatch):
    """Without one, each token costs as much as all before it: fifteen times the seconds on the real small model."""
    model = AutoModelForCausalLM.from_pretrained(bases["qwen"])
    model.config.use_cache = False
    config = LoraConfig(target_modules="all-linear", r=4, task_type="CAUSAL_LM")
    copy = PlainCopy(get_peft_model(model, config), torch.float32)
    widths = []
    embed = copy.model.get_input_embeddings()
    embed.register_forward_hook(lambda _, inputs, __: widths.append(inputs[0].shape[1]))
    wanted = GenerationConfig(max_new_tokens=4, min_new_tokens=4, do_sample=True, pad_token_id=0, eos_token_id=1)
    copy.sample([[5, 9, 13], [60]], wanted, 0, [1])
    assert widths == [3, 1, 1, 1]


@pytest.mark.parametrize("family", ["qwen", "gpt2"])
def test_a_repeated_prompt_is_read_once(family, bases, monkeypatch):
    config = LoraConfig(target_modules="all-linear", r=4, fan_in_fan_out=family == "gpt2", task_type="CAUSAL_LM")
    copy = PlainCopy(get_peft_model(AutoModelForCausalLM.from_pretrained(bases[family]), config), torch.float32)
    prompts = [[5, 9, 13, 17], [5, 9, 13, 17], [60, 61], [5, 9, 13, 17], [60, 61], [70]]
    wanted = GenerationConfig(max_new_tokens=6, do_sample=True, pad_token_id=0, eos_token_id=1)
    read = []
    embed = copy.model.get_input_embeddings()
    embed.register_forward_hook(lambda _, inputs, __: read.append(tuple(inputs[0].shape)))
    torch.manual_seed(0)
    found = copy.sample(prompts, wanted, 0, [1])
    assert read[:2] == [(3, 3), (6, 1)]
    monkeypatch.setattr(copy, "_read", lambda *_: None)
    torch.manual_seed(0)
    assert copy.sample(prompts, wanted, 0, [1]) == found


def test_layers_that_only_the_critic_adapts_are_the_bases_to_the_policy(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["qwen"])
    config = LoraConfig(target_modules=["q_proj"], init_lora_weights=False, r=4, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    model.add_adapter("critic", LoraConfig(target_modules="all-linear", init_lora_weights=False, r=2))
    copy = PlainCopy(model, torch.float32)
    copy.take(model)
    ids = torch.tensor([[5, 9, 13, 60]])
    with torch.no_grad():
        torch.testing.assert_close(copy.model(ids).logits, model(ids).logits, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("family", ["qwen", "gpt2"])
def test_the_copy_that_samples_is_the_policy(family, bases):
    model = AutoModelForCausalLM.from_pretrained(bases[family])
    config = LoraConfig(target_modules="all-linear", init_lora_weights=False, r=4, task_type="CAUSAL_LM")
    config.fan_in_fan_out = family == "gpt2"
    model = get_peft_model(model, config)
    copy = PlainCopy(model, torch.float32)
    ids = torch.tensor([[5, 9, 13, 60]])
    with torch.no_grad():
        assert (copy.model(ids).logits - model(ids).logits).abs().max() > 0.1
        copy.take(model)
        torch.testing.assert_close(copy.model(ids).logits, model(ids).logits, atol=1e-3, rtol=1e-4)


def test_the_packed_head_follows_an_adapter_on_it_and_the_embedding_does_not(bases):
    model = AutoModelForCausalLM.from_pretrained(bases["qwen"])
    model.config.tie_word_embeddings = True
    model.tie_weights()
    before = model.get_input_embeddings().weight.detach().clone()
    config = LoraConfig(target_modules=["lm_head"], init_lora_weights=False, r=4, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    copy = PlainCopy(model, torch.float32)
    copy.take(model)
    ids = torch.tensor([[5, 9, 13, 60]])
    with torch.no_grad():
        torch.testing.assert_close(copy.model(ids).logits, model(ids).logits, atol=1e-3, rtol=1e-4)
    assert torch.equal(copy.model.get_input_embeddings().weight, before)
