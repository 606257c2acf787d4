"""One loss for corrections: what to say, what to say it instead of, and which words the person changed.

A correction is a demonstration, a preference of the corrected answer over the original one, and a measure of how
far apart the two are. Misra et al., "Principled Fine-tuning of LLMs from User-Edits: A Medley of Preference,
Supervision, and Reward" (arXiv 2601.19055), show that each of the three is best in different circumstances, and
learn from all of them. The sum of the first two is theirs: DPO's loss, and the negative log-likelihood of the
correction. It is divided by the answer's length, as in Pang et al., "Iterative Reasoning Preference Optimization"
(arXiv 2404.19733), so that long answers do not outweigh the preference.

The paper's third part is the edit distance, as the price of an answer that the model draws. That needs answers to be
drawn while it trains. Here the edit decides the weight of each token instead: tokens that the person changed count in
full, tokens that they kept count `kept_weight`, in both parts of the loss. The idea of weighing tokens by what became
of them is from Yao et al., "Improving Summarization with Human Edits" (arXiv 2310.05857), who align the texts too.
"""

import torch
from torch import Tensor

from alignment.rows.edits import kept_tokens


def token_weights(ids: Tensor, completion: Tensor, kept_weight: float) -> Tensor:
    """The weight of each token after the first, of the shape (2 x pairs, tokens - 1): 0 outside the answers.

    `ids` and `completion` (1 where a token belongs to an answer) have the shape (2 x pairs, tokens), the chosen
    answers first, as TRL's collator makes them.
    """
    answers = completion.bool()
    found = torch.zeros(ids.shape, dtype=torch.float32)
    pairs = len(ids) // 2
    for chosen, rejected in zip(range(pairs), range(pairs, 2 * pairs), strict=True):
        both = kept_tokens(*(ids[row][answers[row]].tolist() for row in (chosen, rejected)))
        for row, kept in zip((chosen, rejected), both, strict=True):
            found[row, answers[row].cpu()] = torch.tensor([kept_weight if each else 1.0 for each in kept])
    return found[:, 1:].to(ids.device)


def demonstration_loss(log_probs: Tensor, weights: Tensor) -> Tensor:
    """The negative log-likelihood of the chosen answers in nats a token, the mean over pairs; a scalar.

    Both arguments have the shape (2 x pairs, tokens - 1), the chosen answers first.
    """
    chosen, weight = log_probs.chunk(2)[0], weights.chunk(2)[0]
    return -((chosen * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-6)).mean()
