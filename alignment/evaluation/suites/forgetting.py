"""Forgetting: does the model still know language outside the conversations that it was trained on?

The value is a general text's log-probability per token. Its mean is minus the logarithm of the perplexity.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alignment.evaluation.suites.files import PROMPTS, find, read_objects, read_text
from alignment.evaluation.suites.suite import Measured, Model, Suite, by_language
from data.errors import BadInput

# 0.1 nats a token is a perplexity 10 % higher. Fine-tuning on conversations costs some of it even when all is well.
MARGIN = 0.1
# A longer text would cost memory and count as one item all the same.
CHARACTERS = 1500


@dataclass(frozen=True, slots=True)
class GeneralText:
    """A piece of general text."""

    id: str
    language: str
    text: str


def load(path: Path | None = None) -> Suite:
    """The suite of the product's own texts, or of a local file: JSON lines with a `text`, or plain text."""
    items = _objects(PROMPTS / "forgetting.jsonl") if path is None else _given(find(path, ["*.jsonl", "*.txt"]))
    return Suite("forgetting", "Forgetting", "nats a token", MARGIN, tuple(items), measure)


def measure(items: Sequence[GeneralText], model: Model) -> Measured:
    """The headline is the perplexity: every text counts the same, however long."""
    scored = model.text_logprobs([item.text for item in items])
    values = tuple(total / tokens for total, tokens in scored)
    losses = by_language("perplexity", items, [-value for value in values])
    return Measured(values, {name: math.exp(min(loss, 700.0)) for name, loss in losses.items()})


def _given(path: Path) -> list[GeneralText]:
    if path.suffix == ".jsonl":
        return _objects(path)
    paragraphs = [part.strip() for part in read_text(path).split("\n\n")]
    texts = [part[:CHARACTERS] for part in paragraphs if part]
    return _some([GeneralText(f"{path.stem}-{n}", "unknown", text) for n, text in enumerate(texts, 1)], path)


def _objects(path: Path) -> list[GeneralText]:
    items = []
    for number, entry in enumerate(read_objects(path, {"text": str}), 1):
        if text := entry["text"].strip()[:CHARACTERS]:
            name, language = str(entry.get("id", f"{path.stem}-{number}")), str(entry.get("language", "unknown"))
            items.append(GeneralText(name, language, text))
    return _some(items, path)


def _some(items: list[GeneralText], path: Path) -> list[GeneralText]:
    if not items:
        raise BadInput(f"{path} holds no text.")
    return items
