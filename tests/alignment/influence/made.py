"""Small adapters, rows and homes for the tests of what an answer owes to whom."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from alignment.influence.gradients import Example, example
from alignment.models import control_strings, load_base, load_tokenizer
from alignment.rows.prepare import ENCODERS
from alignment.rows.tokens import EncodedAnswer, encode_answer
from data.row import Row
from tests.alignment import tiny

# What eleven corrections say.
ANSWERS = (
    "Little and often.", "Paris.", "Be brief and kind.", "I am fine, thank you.", "Never let the pot stand.",
    "1 2 3 4 5", "The capital of France.", "你好", "How do I water a fern?", "Hello, how are you?", "谢谢 再见",
)  # fmt: skip


def adapter(base: Path, out: Path, *, seed: int = 0, rank: int = 4) -> Path:
    """An adapter with random weights on all linear layers of a base."""
    torch.manual_seed(seed)
    model = get_peft_model(
        load_base(str(base)), LoraConfig(r=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    for name, each in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(each, std=0.2)
    model.save_pretrained(out)
    return out


def rows(kind: str, count: int) -> list[Row]:
    """Distinct rows of a kind."""
    pairs = tiny.preferences(count)
    made: list[dict[str, Any]] = {
        "demonstration": tiny.demonstrations(count),
        "preference": pairs,
        "labelled": [{**each, "id": f"vote-{at}"} for at, each in enumerate(tiny.votes(pairs))],
    }[kind]
    parts = ("messages", "prompt", "chosen", "rejected", "completion", "label")
    return [Row(kind, {key: each[key] for key in parts if key in each}, {"id": each["id"]}) for each in made]


def examples(base: Path, given: list[Row]) -> list[Example]:
    """The rows as a trainer gets them."""
    tokenizer = load_tokenizer(str(base))
    found = [ENCODERS[row.kind](tokenizer, control_strings(tokenizer), row) for row in given]
    return [example(columns) for columns in found if isinstance(columns, dict)]


def encoded(base: Path, row: Row, part: str) -> EncodedAnswer:
    """One of a row's answers with its prompt."""
    tokenizer = load_tokenizer(str(base))
    return encode_answer(tokenizer, row.data["prompt"], row.data[part][0], control_strings(tokenizer))
