"""Best-of-n: draw several answers as served and keep the one that a reward model likes best.

Its gain shows what a policy could still learn from this reward model, before any training (Stiennon et al.,
"Learning to summarize from human feedback", 2020, section 3). The reward model flatters the answers that it picked:
judge those by something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alignment.evaluation.model import Judged
from data.chat import Message


@dataclass(frozen=True, slots=True)
class BestOf:
    """The answers drawn to one prompt with their rewards. The first is the one that serving would have given."""

    answers: tuple[str, ...]
    rewards: tuple[float, ...]

    @property
    def best(self) -> int:
        """Which answer the reward model likes best; the earliest of equals."""
        return max(range(len(self.rewards)), key=lambda index: (self.rewards[index], -index))


def best_of(
    model: Judged,
    reward: Path,
    prompts: Sequence[Sequence[Message]],
    count: int,
    *,
    max_tokens: int | None = None,
    seed: int = 0,
) -> list[BestOf | None]:
    """Draw `count` answers to each prompt and score them with the reward model in the folder `reward`.

    None stands for a prompt that the engine refuses. Answers to one prompt differ by their seeds only.
    """
    # Here, because it loads torch, which `--help` does without.
    from alignment.rewards.model import load_reward_model

    asked = [prompt for prompt in prompts for _ in range(count)]
    seeds = [seed + index + draw * len(prompts) for index in range(len(prompts)) for draw in range(count)]
    drawn = model.draw(asked, seeds, max_tokens=max_tokens)
    there = [index for index, answer in enumerate(drawn) if answer is not None]
    texts = {index: answer.text for index, answer in enumerate(drawn) if answer is not None}
    scores = load_reward_model(reward).score([asked[index] for index in there], [texts[index] for index in there])
    rewards = dict(zip(there, scores, strict=True))
    found: list[BestOf | None] = []
    for start in range(0, len(asked), count):
        group = range(start, start + count)
        whole = all(index in texts for index in group)
        found.append(BestOf(tuple(texts[i] for i in group), tuple(rewards[i] for i in group)) if whole else None)
    return found
