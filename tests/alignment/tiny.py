"""Tiny random bases of several families, each with a small real tokenizer, made on the fly and offline.

They have learnt nothing, but everything around them is real: architectures, tokenizers, templates, adapters,
trainers.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

FAMILIES = ("gpt2", "llama", "qwen")
# Two more, with the templates of real bases: Llama 3's with headers, and Gemma's, which refuses a system message.
EVERY_FAMILY = (*FAMILIES, "llama3", "gemma")

# What a Llama-2-like base has: its own template, without generation markers; its control words are plain text.
OWN_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
    "{% else %}{{ '[INST] ' + m['content'] + ' [/INST]' }}{% endif %}{% endfor %}"
)

LLAMA3_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{{ m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# The assistant is called model; a system message and two turns of one role in a row are refused.
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages and messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
    "{{ m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)

_TEXTS = [
    "You are a kind assistant. What is the capital of France? The capital of France is Paris.",
    "User: hello, how are you? Assistant: I am fine, thank you. System: be brief and kind.",
    "How do I water a fern? Little and often; never let the pot stand in water. 1 2 3 4 5 6 7 8 9 0",
    "system user assistant im_start im_end endoftext < | > [INST] [/INST] 你好 谢谢 再见",
]


def tokenizer(
    special: dict[str, str], extra: tuple[str, ...] = (), template: str | None = None
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of about 340 tokens."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokens = [*dict.fromkeys([*special.values(), *extra])]
    made.train_from_iterator(
        _TEXTS,
        trainers.BpeTrainer(
            vocab_size=340,
            special_tokens=tokens,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=made, **special, model_max_length=512)
    fast.chat_template = template
    return fast


def build(family: str, folder: Path, *, seed: int = 0, template: str | None = None) -> Path:
    """Write a tiny base of a family into a folder: GPT-2 without template, Llama with pad = eos, Qwen with ChatML."""
    torch.manual_seed(seed)
    if family == "gpt2":
        made = tokenizer({"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}, template=template)
        config = GPT2Config(vocab_size=len(made), n_positions=512, n_embd=32, n_layer=2, n_head=2)
        model = GPT2LMHeadModel(config)
    elif family == "llama":
        names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
        made = tokenizer(names, template=OWN_TEMPLATE if template is None else template)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(made), **_SIZES))
    elif family == "llama3":
        names = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
        extra = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
        made = tokenizer(names, extra, template=LLAMA3_TEMPLATE if template is None else template)
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(made), **_SIZES))
    elif family == "gemma":
        names = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
        extra = ("<start_of_turn>", "<end_of_turn>")
        made = tokenizer(names, extra, template=GEMMA_TEMPLATE if template is None else template)
        # Its soft caps and sliding window, as in the real ones, and tied embeddings.
        model = Gemma2ForCausalLM(Gemma2Config(vocab_size=len(made), head_dim=8, sliding_window=16, **_SIZES))
    else:
        names = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
        made = tokenizer(names, ("<|im_start|>", "<|im_end|>"), template=template)
        model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(made), **_SIZES))
    model.config.eos_token_id = made.eos_token_id
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


def demonstrations(count: int) -> list[dict]:
    """Distinct demonstrations of several lengths, some of several turns."""
    rows = []
    for number in range(count):
        turns = [
            {"role": "system", "content": "You are kind."},
            {"role": "user", "content": f"What is {number} and {number}?"},
            {"role": "assistant", "content": f"It is {2 * number}." + " Thank you." * (number % 4)},
        ]
        if number % 3 == 0:
            turns += [{"role": "user", "content": "And then?"}, {"role": "assistant", "content": "Nothing."}]
        rows.append({"messages": turns, "id": f"demonstration-{number}"})
    return rows


def preferences(count: int) -> list[dict]:
    """Distinct preferences of several lengths."""
    return [
        {
            "prompt": [{"role": "user", "content": f"How do I water fern {number}?"}],
            "chosen": [{"role": "assistant", "content": "Little and often." + " Never in water." * (number % 3)}],
            "rejected": [{"role": "assistant", "content": "No." + " I am fine." * (number % 4)}],
            "id": f"preference-{number}",
        }
        for number in range(count)
    ]


def votes(pairs: list[dict], repeat: int = 1) -> list[dict]:
    """Labelled completions, the two answers of each preference; each prompt repeats its text `repeat` times."""
    return [
        {
            "prompt": [{**message, "content": message["content"] * repeat} for message in pair["prompt"]],
            "completion": pair[side],
            "label": side == "chosen",
        }
        for pair in pairs
        for side in ("chosen", "rejected")
    ]


def questions() -> list[dict]:
    """Twelve prompts: four questions, three times."""
    asked = ["How do I water fern 1?", "What is the capital of France?", "hello", "Is fern 2 fine?"] * 3
    return [{"prompt": [{"role": "user", "content": text}], "id": str(n)} for n, text in enumerate(asked)]


def chinese_demonstrations(count: int) -> list[dict]:
    """Distinct demonstrations in Chinese, with full-width punctuation, an emoji and control words in them."""
    return [
        {
            "messages": [
                {"role": "system", "content": "你是一个友善的助手。"},
                {"role": "user", "content": f"你好！第{number}盆蕨类植物该怎么浇水？<end_of_turn><|im_end|>"},
                {"role": "assistant", "content": "少量多次，" * (1 + number % 3) + "不要积水🌱。"},
            ]
        }
        for number in range(count)
    ]


def chinese_preferences(count: int) -> list[dict]:
    """Distinct preferences in Chinese; two people speak before the answer."""
    return [
        {
            "prompt": [
                {"role": "user", "content": f"请问{number}加{number}等于几？"},
                {"role": "user", "content": "我也想知道。"},
            ],
            "chosen": [{"role": "assistant", "content": f"等于{2 * number}。" + "还有别的问题吗？" * (number % 3)}],
            "rejected": [{"role": "assistant", "content": "不知道。"}],
        }
        for number in range(count)
    ]


def write(path: Path, rows: list[dict]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
