"""Tiny random bases of every architecture that is served with an adapter, each with a tokenizer like its family's.

They have learnt nothing, but configuration, rotary bases, fused layers, tied or untied heads, sliding windows and the
ways in which their tokenizers split a text are those of the real families.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from alignment.conversion.gguf import Job, run_jobs
from alignment.conversion.texts import texts
from alignment.models import load_tokenizer
from alignment.rows.tokens import control_strings
from data.bases import BaseInfo
from data.chat import load_template
from data.home import file_sha256

# How the families split: GPT-2's way; Qwen's with single digits; Llama 3's and GPT-4's with up to three.
_GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
_LATER = (
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}%s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)
_QWEN, _LLAMA3 = _LATER % "", _LATER % "{1,3}"
_TEKKEN = (
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
)

_LLAMA3_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{{ m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
_GEMMA_TEMPLATE = (
    "{{ bos_token }}{% if messages and messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}{% for m in messages %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' }}"
    "{{ m['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
_MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}{{ m['content'] + eos_token }}"
    "{% else %}{{ '[INST]' + m['content'] + '[/INST]' }}{% endif %}{% endfor %}"
)
_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
# Llama 3.1's stretched rotary base.
_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
}
_NAMES = ("bos_token", "eos_token", "pad_token")
_END = {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
_LLAMA3_TOKENS = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_LLAMA3_NAMES = {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}

# Model type: configuration, names of special tokens, more control tokens, how it splits, and its template.
FAMILIES = {
    "llama": (
        {**_SIZES, "tie_word_embeddings": False, "rope_parameters": _LLAMA3_ROPE},
        _LLAMA3_NAMES,
        _LLAMA3_TOKENS,
        _LLAMA3,
        _LLAMA3_TEMPLATE,
    ),
    "mistral": (
        {**_SIZES, "sliding_window": None, "head_dim": 16},
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
        ("[INST]", "[/INST]"),
        _TEKKEN,
        _MISTRAL_TEMPLATE,
    ),
    "qwen2": (
        {**_SIZES, "tie_word_embeddings": True},
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        _CHATML_TOKENS,
        _QWEN,
        None,
    ),
    "qwen3": (
        {**_SIZES, "head_dim": 32, "tie_word_embeddings": True},
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        (*_CHATML_TOKENS, "<think>", "</think>"),
        _QWEN,
        None,
    ),
    "gemma3_text": (
        {**_SIZES, "num_hidden_layers": 6, "head_dim": 32, "sliding_window": 64, "query_pre_attn_scalar": 32},
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"},
        ("<start_of_turn>", "<end_of_turn>"),
        _GPT2,
        _GEMMA_TEMPLATE,
    ),
    "smollm3": (
        {**_SIZES, "num_hidden_layers": 4, "tie_word_embeddings": True, "use_sliding_window": False},
        {"eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
        ("<|im_start|>", "<|endoftext|>"),
        _LLAMA3,
        None,
    ),
    "olmo2": ({**_SIZES}, {"eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}, _CHATML_TOKENS, _LLAMA3, None),
    "phi3": (
        {**_SIZES, "sliding_window": None},
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        _CHATML_TOKENS,
        _LLAMA3,
        None,
    ),
    "gpt2": ({"n_positions": 2048, "n_embd": 64, "n_layer": 2, "n_head": 4}, _END, (), _GPT2, None),
    "gpt_neox": (
        {**_SIZES, "rotary_pct": 0.25},
        _END,
        (),
        _GPT2,
        None,
    ),
}  # fmt: skip


# The names of their pre-tokenizers, as `find_pretokenizer` finds them.
PRE = {
    "llama": "llama-bpe",
    "mistral": "granite-embed-multi-97m",
    "qwen2": "qwen2",
    "qwen3": "qwen2",
    "gemma3_text": "gpt-2",
    "smollm3": "smaug-bpe",
    "olmo2": "smaug-bpe",
    "phi3": "smaug-bpe",
    "gpt2": "gpt-2",
    "gpt_neox": "gpt-2",
}

# What tests convert: each family whole, some in less; and the family whose tokenizer is converted alone.
FORMS = [
    *((family, "f32") for family in FAMILIES),
    ("qwen3", "f16"),
    ("qwen2", "f16"),
    ("gpt2", "q4_1"),
    ("gpt2", "q8_0"),
]
EMPTY = "qwen2"


def build(family: str, folder: Path, *, seed: int = 0, spread: float = 2.0, **more: object) -> Path:
    """Write a tiny base of a family into a folder, in Hugging Face's format.

    `spread` widens the weights, so that different computations give clearly different log-probabilities. `more` are
    settings of its configuration.
    """
    config, names, extra, pattern, template = FAMILIES[family]
    config = {**config, **more}
    tokenizer = _tokenizer(names, extra, pattern, nfc=family.startswith("qwen"), whole=family in ("llama", "mistral"))
    tokenizer.chat_template = template or (load_template("chatml") if extra else None)
    tokenizer.save_pretrained(folder)
    if family == "phi3":  # as Phi-4 names its own
        path = folder / "tokenizer_config.json"
        settings = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**settings, "tokenizer_class": "GPT2Tokenizer"}), encoding="utf-8")
    torch.manual_seed(seed)
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(names[name]) if name in names else None for name in _NAMES}
    settings = AutoConfig.for_model(family, **{**ids, **config, "vocab_size": len(tokenizer)})
    model = AutoModelForCausalLM.from_config(settings)
    for parameter in model.parameters():
        # Norms and biases are moved from their ones and zeros: a converter that lost them would be noticed.
        parameter.data = (
            parameter.data * spread if parameter.ndim > 1 else parameter.data + 0.1 * torch.randn_like(parameter)
        )
    model.save_pretrained(folder)
    return folder


def _tokenizer(
    names: dict[str, str], extra: tuple[str, ...], pattern: str, *, nfc: bool, whole: bool
) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of 700 tokens. `whole` takes words that are tokens before it merges."""
    made = Tokenizer(models.BPE(ignore_merges=whole))
    if nfc:
        made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        texts((), 600),
        trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=[*dict.fromkeys([*names.values(), *extra])],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **names, model_max_length=2048)


def convert_all(folder: Path) -> None:
    """Write into a folder every tiny base in every form that a test wants: `FAMILY/hf` and `FAMILY/KIND.gguf`.

    All are converted in one process, because its imports take seconds.
    """
    for family in FAMILIES:
        build(family, folder / family / "hf")
    jobs = [Job(folder / f / "hf", folder / f / f"{kind}.gguf", kind, PRE[f]) for f, kind in FORMS]
    run_jobs([*jobs, Job(folder / EMPTY / "hf", folder / EMPTY / "empty.gguf", "empty")])


def shelf(folder: Path, kinds: Mapping[str, str], converted: Path) -> Path:
    """A folder of bases (for `PARLEY_BASES`) with tiny ones that the embedded engine serves; returns it.

    `kinds` maps each family to its quantisation, and `converted` is the folder of `convert_all`.
    """
    for family, kind in kinds.items():
        shutil.copytree(converted / family / "hf", folder / family / "hf")
        shutil.copy(converted / family / f"{kind}.gguf", folder / family / "model.gguf")
        describe(folder / family, kind)
    return folder


def only_for_vllm(folder: Path) -> Path:
    """Make a tiny Qwen2 without a GGUF, called as its folder, and return that. vLLM wants heads of at least 32."""
    build("qwen2", folder / "hf", num_attention_heads=2, num_key_value_heads=1)
    describe(folder, "")
    return folder


def describe(folder: Path, kind: str) -> None:
    """Write a base's `base.json` and template beside its weights and its GGUF, if it has one."""
    tokenizer = load_tokenizer(str(folder / "hf"))
    (folder / "template.jinja").write_text(tokenizer.chat_template, encoding="utf-8")
    BaseInfo(
        alias=folder.name,
        gguf_sha256=file_sha256(folder / "model.gguf") if kind else "",
        weights_sha256=file_sha256(folder / "hf" / "model.safetensors"),
        control=control_strings(tokenizer),
        context_length=2048,
        eos_token=tokenizer.eos_token,
        quantisation=kind,
    ).save(folder / "base.json")
