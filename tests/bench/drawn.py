"""Answers of the real small model and its adapters, sampled in this process, for benches that run no server."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
) -> Iterator[Answer]:
    """One answer of at most `tokens` tokens to each question, by the base or an adapter.

    They come `AT_ONCE` at a time, and each of these times has a seed of its own.
    """
    from transformers import GenerationConfig

    from alignment.rl.rollouts import end_of_turn, seeded
    from alignment.rows.tokens import control_strings, prompt_ids

    tokenizer, plain = sampler(adapter)
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
    words = control_strings(tokenizer)
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        with seeded(seed + start):
            drawn = plain.sample([prompt_ids(tokenizer, prompt(each), words) for each in part], config, pad, [stop])
        texts = tokenizer.batch_decode(drawn, skip_special_tokens=True)
        for question, text, said in zip(part, texts, drawn, strict=True):
            ended = said[-1] == stop
            yield Answer(text, taste(question, text, ended), ended)


def sampler(adapter: Path | None) -> tuple[Any, Any]:
    """The base's tokenizer, and a model to sample from."""
    import torch
    from peft import LoraConfig, get_peft_model

    from alignment import models
    from alignment.rl.sampling import PlainCopy

    base = models.locate(BASE)
    loaded = models.load_base(base, dtype=torch.float32)
    if adapter is None:
        model = get_peft_model(loaded, LoraConfig(r=1, target_modules=["q_proj"]))
    else:
        model = models.load_adapter(loaded, adapter, trainable=False)
    plain = PlainCopy(model, torch.float32)
    plain.take(model)
    return models.load_tokenizer(base), plain
