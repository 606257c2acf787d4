"""What a rollout sampled, and a private file with a few of its answers, so that people can read what is learnt."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from data.home import write_atomic

_SHOWN = 4  # answers of each rollout that are kept


@dataclass
class Sampled:
    """What all processes sampled: conversations, texts, token ids, and the reward's scores, shape (answers,)."""

    prompts: list[Any]
    texts: list[str]
    ids: list[list[int]]
    answers: list[list[int]]
    scores: Tensor
    ended: Tensor
    mask: Tensor


def write_samples(path: Path, step: int, sampled: Sampled, kl: Sequence[float] | None = None) -> None:
    """Append a rollout's first answers to a private file; `kl` is each answer's distance from the reference in nats.

    They are texts of people and the model, so no log has them, and they are removed with rows (`*.jsonl`).
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        for row in range(min(_SHOWN, len(sampled.texts))):
            entry = {
                "step": step,
                "prompt": sampled.prompts[row],
                "completion": sampled.texts[row],
                "reward": float(sampled.scores[row]),
                **({} if kl is None else {"kl": kl[row]}),
                "ended": bool(sampled.ended[row]),
            }
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def forget_samples_after(path: Path, step: int) -> None:
    """Drop the samples after the checkpoint from which a resumed run starts."""
    if not path.exists():
        return
    kept = []
    # Not `splitlines`: an answer may hold other characters that end a line in Unicode.
    for line in path.read_text(encoding="utf-8").split("\n"):
        try:
            if json.loads(line)["step"] < step:
                kept.append(line + "\n")
        except json.JSONDecodeError:  # the end of the file, or a line that a kill cut off
            continue
    write_atomic(path, "".join(kept))
