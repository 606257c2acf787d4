"""Log-probabilities of answers: what judging, comparing and exporting rest on."""

from collections.abc import Sequence
from typing import Any

from alignment.tokens import EncodedAnswer, control_strings, encode_answer
from data.chat import Message


def completion_logprobs(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[Message]],
    completions: Sequence[str],
    *,
    batch_tokens: int = 2048,
) -> list[tuple[float, int]]:
    """For each answer to its prompt: the sum of its tokens' log-probabilities in nats, and how many tokens.

    The end-of-turn belongs to the answer. `batch_tokens` bounds the tokens (padding included) of one forward pass.
    """
    control = control_strings(tokenizer)
    encoded = [
        encode_answer(tokenizer, prompt, completion, control)
        for prompt, completion in zip(prompts, completions, strict=True)
    ]
    return answer_logprobs(model, tokenizer.pad_token_id, encoded, batch_tokens=batch_tokens)


def answer_logprobs(
    model: Any, pad_token_id: int, answers: Sequence[EncodedAnswer], *, batch_tokens: int = 2048
) -> list[tuple[float, int]]:
    """`completion_logprobs` for answers that are encoded already, in their order."""
    results: dict[int, tuple[float, int]] = {}
    for batch in _batches(answers, batch_tokens):
        sums = _batch_logprobs(model, pad_token_id, [answers[index] for index in batch])
        for index, total in zip(batch, sums, strict=True):
            results[index] = (total, len(answers[index].answer))
    return [results[index] for index in range(len(answers))]


def _batches(answers: Sequence[EncodedAnswer], batch_tokens: int) -> list[list[int]]:
    lengths = [len(answer.prompt) + len(answer.answer) for answer in answers]
    batches: list[list[int]] = []
    for index in sorted(range(len(answers)), key=lambda index: -lengths[index]):
        # The first of a batch is its longest, so it says how wide the batch is.
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def _batch_logprobs(model: Any, pad_token_id: int, answers: Sequence[EncodedAnswer]) -> list[float]:
    import torch

    width = max(len(answer.prompt) + len(answer.answer) for answer in answers)
    ids = torch.full((len(answers), width), pad_token_id, dtype=torch.long)
    attention = torch.zeros_like(ids)
    for row, answer in enumerate(answers):
        tokens = [*answer.prompt, *answer.answer]
        ids[row, : len(tokens)] = torch.tensor(tokens)
        attention[row, : len(tokens)] = 1
    ids, attention = ids.to(model.device), attention.to(model.device)
    # The head is needed from the earliest answer on; the token at t is predicted at t - 1.
    first = min(len(answer.prompt) for answer in answers) - 1
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=attention, use_cache=False, logits_to_keep=width - first).logits
    sums = []
    for row, answer in enumerate(answers):
        start = len(answer.prompt) - 1 - first
        scores = logits[row, start : start + len(answer.answer)].float()
        targets = ids[row, len(answer.prompt) : len(answer.prompt) + len(answer.answer)]
        picked = scores.gather(1, targets[:, None])[:, 0] - scores.logsumexp(dim=1)
        sums.append(float(picked.sum()))
    return sums
