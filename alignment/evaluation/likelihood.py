"""Log-probabilities of answers, and what they say about held-out rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from alignment.rows.batching import batches, padded
from alignment.rows.tokens import EncodedAnswer
from data.chat import Message
from data.rows import Row


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model makes of the held-out rows.

    `margins` holds log p(chosen) - log p(rejected) in nats for each preference, and `per_token` the same with each
    log-probability divided by its tokens, so that a model that finds all text a little likelier gains nothing on
    pairs whose better answer is longer. `loss` is the mean negative log-probability of a demonstration's answer
    tokens, in nats.
    """

    margins: tuple[float, ...]
    per_token: tuple[float, ...]
    loss: float | None
    tokens: int

    @property
    def accuracy(self) -> float | None:
        """The share of preferences whose chosen answer is the likelier one; None without any."""
        return share_above_zero(self.margins)

    @property
    def accuracy_per_token(self) -> float | None:
        """The same per token, which takes out the advantage of short answers."""
        return share_above_zero(self.per_token)


class Scorer(Protocol):
    """A model that says how likely an answer is."""

    def logprobs(self, prompts: Sequence[Sequence[Message]], completions: Sequence[str]) -> list[tuple[float, int]]:
        """For each completion of its prompt: its log-probability in nats, end-of-turn included, and its tokens."""


def scores(model: Scorer, preferences: Sequence[Row], demonstrations: Sequence[Row]) -> Scores:
    """Measure a loaded model on held-out rows."""
    prompts: list[list[Message]] = [row.messages for row in preferences for _ in range(2)]
    answers: list[str] = [row.data[part][0]["content"] for row in preferences for part in ("chosen", "rejected")]
    pairs = len(answers)
    prompts += [row.messages[:-1] for row in demonstrations]
    answers += [row.messages[-1]["content"] for row in demonstrations]
    scored = model.logprobs(prompts, answers)
    chosen, rejected, shown = scored[0:pairs:2], scored[1:pairs:2], scored[pairs:]
    tokens = sum(count for _, count in shown)
    return Scores(
        margins=tuple(good[0] - bad[0] for good, bad in zip(chosen, rejected, strict=True)),
        per_token=tuple(good[0] / good[1] - bad[0] / bad[1] for good, bad in zip(chosen, rejected, strict=True)),
        loss=-sum(total for total, _ in shown) / tokens if tokens else None,
        tokens=tokens,
    )


def gains(candidate: Scores, champion: Scores) -> list[float]:
    """For each preference, by how much more the candidate prefers the chosen answer than the champion does.

    In nats a token; otherwise a model that finds all text less likely would win the pairs with a shorter better
    answer.
    """
    return [after - before for after, before in zip(candidate.per_token, champion.per_token, strict=True)]


def share_above_zero(values: Sequence[float]) -> float | None:
    """The share of values above zero; None without any."""
    return sum(value > 0 for value in values) / len(values) if values else None


def answer_logprobs(
    model: Any, pad_token_id: int, answers: Sequence[EncodedAnswer], *, batch_tokens: int = 2048
) -> list[tuple[float, int]]:
    """For each answer to its prompt: the sum of its tokens' log-probabilities in nats, and how many tokens.

    `batch_tokens` bounds the tokens (padding included) of one forward pass.
    """
    from alignment.fast.scoring import score_together, scores_together

    if answers and scores_together(model):
        sums = score_together(model, pad_token_id, answers, batch_tokens)
        return [(total, len(answer.answer)) for total, answer in zip(sums, answers, strict=True)]
    results: dict[int, tuple[float, int]] = {}
    for batch in batches([len(answer.prompt) + len(answer.answer) for answer in answers], batch_tokens):
        sums = _batch_logprobs(model, pad_token_id, [answers[index] for index in batch])
        for index, total in zip(batch, sums, strict=True):
            results[index] = (total, len(answers[index].answer))
    return [results[index] for index in range(len(answers))]


def _batch_logprobs(model: Any, pad_token_id: int, answers: Sequence[EncodedAnswer]) -> list[float]:
    import torch

    ids, attention = padded([[*answer.prompt, *answer.answer] for answer in answers], pad_token_id)
    width = ids.shape[1]
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
