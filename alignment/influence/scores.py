"""How much an answer owes to each row: products of gradients along the way on which a stage moved the weights.

Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent" (TracIn, arXiv 2002.08484): what a row
changed in the log-likelihood of an answer is, to first order, the sum over its steps of the learning rate times the
product of the two gradients. Over all rows of a stage that is the answer's log-likelihood after the stage less that
before it. So the answer's gradient is that of log p(answer | prompt), and it is the difference between release and
parent that is divided among the rows.

Stages keep no checkpoints, so gradients are taken halfway on the straight line between the weights before and after
the stage. Adam divides each weight's step by the root of its mean squared gradient. Xia et al., "LESS" (arXiv
2402.04333), do so here too; that mean is taken over a seeded sample of the rows. As there, a row's gradient counts by
its direction alone: the length of a gradient says more about the length of an answer than about what it taught.

Nothing is projected to fewer dimensions: an answer needs one product a row, so no row's gradient has to be kept.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from alignment.influence.gradients import Adapted, Example, Loss
from alignment.rows.tokens import EncodedAnswer

# Where on the way from the weights before a stage (0) to those after it (1) gradients are taken.
POINTS = (0.5,)
SAMPLE = 32  # rows over which the mean squared gradient is taken
_DAMPING = 0.1  # of the root of its mean, which is added: weights that the sample hardly moved decide nothing


def scores(
    adapted: Adapted,
    examples: Sequence[Example],
    loss: Loss,
    answers: Sequence[EncodedAnswer],
    *,
    points: Sequence[float] = POINTS,
    seed: int = 0,
    computed: Callable[[], None] = lambda: None,
) -> Tensor:
    """How much each answer owes to each row of a stage, (answers, rows): above zero where the row made it likelier.

    A score is a cosine, the mean over `points`. `computed` is called after each gradient of a row.
    """
    adapted.move(0)
    references = [torch.zeros(()) if loss.stage == "sft" else adapted.sums(each, loss) for each in examples]
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed)).tolist()
    found = torch.zeros(len(answers), len(examples))
    for point in points:
        adapted.move(point)
        asked = torch.stack([adapted.of_answer(each) for each in answers])

        def gradient(row: int) -> Tensor:
            made = adapted.of_row(examples[row], loss, references[row])
            computed()
            return made

        sampled = {row: gradient(row) for row in order[:SAMPLE]}
        steps = _steps(list(sampled.values()), adapted.size)
        for row in order:
            step = steps * (sampled.pop(row) if row in sampled else gradient(row))
            # The weights move against the gradient of a loss.
            found[:, row] -= asked @ step / (step.norm() * asked.norm(dim=1)).clamp(min=1e-30)
    return found / len(points)


def _steps(sampled: Sequence[Tensor], size: int) -> Tensor:
    """What Adam multiplies each weight's gradient with, by the mean of the sample's squared gradients."""
    mean = torch.zeros(size)
    for each in sampled:
        mean.addcmul_(each, each, value=1 / len(sampled))
    root = mean.sqrt_()
    return (root + _DAMPING * root.mean() + 1e-30).reciprocal_()
