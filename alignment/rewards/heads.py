"""Several score heads on one adapter: which pairs each learns from, and how far apart they are.

Each head starts from random numbers of its own and draws the pairs in its own way, so the heads agree where the pairs
say what is better, and differ on answers unlike all of them: Osband et al., "Randomized Prior Functions for Deep
Reinforcement Learning", 2018. In Coste et al., "Reward Model Ensembles Help Mitigate Overoptimization", 2023, each
member is a model. Here the members share the adapter, so that several cost what one does: Zhang et al., "Improving
Reinforcement Learning from Human Feedback with Efficient Reward Model Ensemble", 2024.
"""

import hashlib
import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import logsigmoid


def draws(ids: Sequence[Sequence[int]], heads: int, seed: int) -> list[float]:
    """How often each head draws a pair, given by its token ids: 0, 1, 2 ... times, once on average.

    Poisson numbers made from a hash, the same whenever they are asked for: Oza and Russell, "Online Bagging and
    Boosting", 2001.
    """
    return [_poisson(_uniform(f"{seed}:{head}:{[list(each) for each in ids]}")) for head in range(heads)]


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _poisson(uniform: float) -> float:
    """The Poisson number of mean 1 at this place of the distribution, at most 9."""
    count, passed = 0, math.exp(-1)
    while uniform >= passed and count < 9:
        count += 1
        passed += math.exp(-1) / math.factorial(count)
    return float(count)


def drawn_loss(logits: Tensor, margin: Tensor, drawn: Tensor, centre: float | None) -> Tensor:
    """The loss of TRL's `RewardTrainer`, with each head's pairs counted as often as the head draws them.

    `logits` has the shape (2 x pairs, heads), all chosen answers first, `margin` (pairs, 1), `drawn` (pairs, heads).
    """
    chosen, rejected = logits.chunk(2)
    loss = -(drawn * logsigmoid(chosen - rejected - margin)).mean()
    return loss if centre is None else loss + centre * ((chosen + rejected) ** 2).mean()


def spread(scores: Tensor, centres: Tensor) -> Tensor:
    """How far the heads are apart on each answer: their deviation (divided by n), shape (answers,).

    `scores` has the shape (answers, heads). `centres`, shape (heads,), are the heads' means on training answers; they
    are subtracted, because pairs say nothing about the point from which a head counts.
    """
    return (scores - centres).std(dim=1, unbiased=False)
