"""Answers of the real small model and its adapters, sampled in this process, for benches that run no server."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.taste import taste

BASE = "smollm2-135m"
AT_ONCE = 32  # answers


class Answer(NamedTuple):
    """An answer, how much the taste likes it, and whether it ended by itself."""

    text: str
    liked: float
    ended: bool


def prompt(question: str) -> list[dict[str, str]]:
    """What the model is asked, as on the server."""
    from data.personas import persona

    system = persona("assistant", "en").system_prompt
    return [{"role": "system", "content": system}, {"role": "user", "content": question}]


def draw(
    adapter: Path | None, asked: Sequence[str], seed: int, tokens: int, temperature: float = 1.0, top_p: float = 1.0
) -> list[Answer]:
    """One answer of at most `tokens` tokens to each question, by the base or an adapter."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import GenerationConfig

    from alignment import models
    from alignment.rl.rollouts import end_of_turn, seeded
    from alignment.rl.sampling import PlainCopy
    from alignment.rows.tokens import control_strings, prompt_ids

    base = models.locate(BASE)
    tokenizer = models.load_tokenizer(base)
    loaded = models.load_base(base, dtype=torch.float32)
    if adapter is None:
        model = get_peft_model(loaded, LoraConfig(r=1, target_modules=["q_proj"]))
    else:
        model = models.load_adapter(loaded, adapter, trainable=False)
    plain = PlainCopy(model, torch.float32)
    plain.take(model)
    stop, pad = end_of_turn(tokenizer), int(tokenizer.pad_token_id)
    config = GenerationConfig(
        max_new_tokens=tokens,
        do_sample=True,
        temperature=temperature,
        top_p=top_p,
        top_k=0,
        pad_token_id=pad,
        eos_token_id=[stop],
    )
    words, found = control_strings(tokenizer), list[Answer]()
    with seeded(seed):
        for start in range(0, len(asked), AT_ONCE):
            part = asked[start : start + AT_ONCE]
            drawn = plain.sample([prompt_ids(tokenizer, prompt(each), words) for each in part], config, pad, [stop])
            texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
            found += [
                Answer(text, taste(question, text, said[-1] == stop), said[-1] == stop)
                for question, text, said in zip(part, texts, drawn, strict=True)
            ]
    return found
