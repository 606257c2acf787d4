"""Pairs that the policy draws itself: of several answers to a prompt the best one over the worst, by the reward.

Pure arithmetic on answers that are already sampled and scored; `semi_online` samples and trains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from alignment.rl.formulas import penalised, steps
from alignment.rl.samples import Sampled
from alignment.rows.prepare import longest_sequence

# Why the answers to a prompt make no pair.
EQUAL, DROPPED = "equal", "dropped"

Columns = Mapping[str, Any]  # of a preference, as `DPOTrainer` takes it


@dataclass(frozen=True)
class Drawn:
    """Answers to prompts, and which of them make pairs: the numbers of the chosen and of the rejected answer.

    The answers to one prompt are side by side. `equal` counts the prompts whose answers all got one score, `dropped`
    those where no answer that ended beats another one.
    """

    sampled: Sampled
    pairs: list[tuple[int, int]]
    equal: int
    dropped: int

    @property
    def prompts(self) -> int:
        """How many prompts were answered."""
        return len(self.pairs) + self.equal + self.dropped

    def rows(self) -> list[Columns]:
        """The pairs as columns for `DPOTrainer`."""
        ids, answers = self.sampled.ids, self.sampled.answers
        return [
            {"prompt_ids": ids[best], "chosen_ids": answers[best], "rejected_ids": answers[worst]}
            for best, worst in self.pairs
        ]

    def counts(self) -> dict[str, int]:
        """For the manifest."""
        answers = len(self.sampled.answers)
        found = {"prompts": self.prompts, "answers": answers, "pairs": len(self.pairs)}
        return {**found, EQUAL: self.equal, DROPPED: self.dropped}

    def figures(self) -> dict[str, float]:
        """For the log: mean rewards in the reward model's unit, mean length in tokens, and shares."""
        scores, lengths = self.sampled.scores.tolist(), map(len, self.sampled.answers)
        found = {
            "reward": fmean(scores),
            "length": fmean(lengths),
            "ended": float(self.sampled.ended.float().mean()),
            "pairs": len(self.pairs) / self.prompts,
            EQUAL: self.equal / self.prompts,
            DROPPED: self.dropped / self.prompts,
        }
        if self.pairs:
            found["reward_chosen"] = fmean(scores[best] for best, _ in self.pairs)
            found["reward_rejected"] = fmean(scores[worst] for _, worst in self.pairs)
        return found


def pair_up(sampled: Sampled, group: int, *, deviation: float, penalty: float) -> Drawn:
    """The pairs that answers make, `group` of them to each prompt.

    An answer without end of turn loses `penalty` deviations of the reward, as in PPO.
    """
    values = penalised(sampled.scores / deviation, sampled.ended, penalty).tolist()
    ended = sampled.ended.tolist()
    pairs: list[tuple[int, int]] = []
    reasons: list[str] = []
    for start in range(0, len(values), group):
        part = slice(start, start + group)
        found = best_and_worst(sampled.answers[part], values[part], ended[part])
        if isinstance(found, str):
            reasons.append(found)
        else:
            pairs.append((start + found[0], start + found[1]))
    return Drawn(sampled, pairs, reasons.count(EQUAL), reasons.count(DROPPED))


def best_and_worst(
    answers: Sequence[Sequence[int]], values: Sequence[float], ended: Sequence[bool]
) -> tuple[int, int] | str:
    """The numbers of the best answer and of the worst one to a prompt, or why there is no such pair.

    Only an answer that ended can be the best, since what was cut off is never a target. The first of several equal
    ones counts.
    """
    # Rounding may give the same tokens two scores, depending on what they are scored together with.
    first: dict[tuple[int, ...], int] = {}
    same = [first.setdefault(tuple(answer), number) for number, answer in enumerate(answers)]
    values = [values[number] for number in same]
    if len(set(values)) == 1:
        return EQUAL
    whole = [number for number, each in enumerate(ended) if each]
    worst = min(range(len(values)), key=values.__getitem__)
    best = max(whole, key=values.__getitem__, default=worst)
    return (best, worst) if values[best] > values[worst] else DROPPED


def arrange(
    pairs: Sequence[Columns], rows: Sequence[Columns], asked: int, size: int, seed: int
) -> list[list[Columns]]:
    """Drawn pairs and offline rows in random order, as optimizer steps of `size`; the longest of a step come first.

    The pairs fill `asked` places; where they are fewer, they come again.
    """
    everything = [*(pairs[at % len(pairs)] for at in range(asked)), *rows]
    lengths = [longest_sequence(columns) for columns in everything]
    return [[everything[at] for at in step] for step in steps(lengths, size, 1, seed)]
