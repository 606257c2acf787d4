"""Judges of pairs of answers, and which of them count: those that agree with people better than length does.

A judge that agrees with people by chance decides by chance, and a judge that only counts words rewards a model that
learnt to talk. So each judge is first asked about pairs that people compared and that trained nothing (the judge's
fold).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from alignment.intervals import bootstrap
from data.chat import Message
from data.gate_verdicts import Interval
from data.rows import Row, content_id

# With fewer pairs, each of another prompt, even a perfect judge says little about itself.
MINIMUM_JUDGE_PAIRS = 20


class Judge(Protocol):
    """Something that says which of two answers is better."""

    @property
    def name(self) -> str:
        """Its name in tables."""

    def may_see(self, row: Row) -> bool:
        """Whether the consent to a row covers showing it to this judge."""

    def compare(
        self, prompts: Sequence[Sequence[Message]], first: Sequence[str], second: Sequence[str]
    ) -> list[float]:
        """For each prompt: 1 when the first answer is better, 0 when the second is, 0.5 for a tie."""

    def remarks(self) -> str:
        """A sentence, with a space before it, about what happened since the last call; or nothing."""


@dataclass(frozen=True, slots=True)
class Qualification:
    """How well a judge agrees with people on held-out pairs, and whether it therefore counts.

    `accuracy` counts a tie as half. `length_accuracy` is that of preferring the longer answer, or the shorter one if
    that does better on these pairs; `over_length` is the difference of the two, on the same pairs.
    """

    name: str
    accuracy: Interval | None
    length_accuracy: float | None
    over_length: Interval | None
    pairs: int
    counts: bool
    sentence: str


class RewardJudge:
    """Prefers the answer to which a reward model gives the higher score. Raises `BadInput` where there is none."""

    name = "reward model"

    def __init__(self, folder: Path) -> None:
        # This is imported here because it loads torch, which most tests of evaluations and every `--help` do without.
        from alignment.rewards import model

        self._folder, self._model = model.reward_folder(folder), model
        model.read_facts(self._folder)

    def may_see(self, row: Row) -> bool:  # noqa: ARG002 - the protocol's
        """It runs on this machine, so it may see whatever may train here."""
        return True

    def compare(
        self, prompts: Sequence[Sequence[Message]], first: Sequence[str], second: Sequence[str]
    ) -> list[float]:
        """Compare by scores; equal ones are a tie. The model is in memory only during the call."""
        scores = self._model.load_reward_model(self._folder).score([*prompts, *prompts], [*first, *second])
        pairs = zip(scores[: len(prompts)], scores[len(prompts) :], strict=True)
        return [0.5 if a == b else float(a > b) for a, b in pairs]

    def remarks(self) -> str:
        """It has none."""
        return ""


def prompt_id(messages: Sequence[Message]) -> str:
    """An id of a prompt, made of its content."""
    return content_id({"prompt": list(messages)})


def qualify(judge: Judge, preferences: Sequence[Row]) -> Qualification:
    """Ask a judge about pairs that people compared, and say whether it counts.

    It counts when the lower ends of two 95 % intervals are above zero: of its accuracy beyond one half, and of its
    accuracy beyond that of length, pair by pair. The second is a paired bootstrap and not a comparison with length's
    accuracy as a number, because that was measured on the same few pairs and is as uncertain as the judge's own.
    On these pairs the better direction of length (longer or shorter) is chosen in hindsight, which favours length: an
    error on the safe side.
    """
    rows = [row for row in preferences if judge.may_see(row)]
    held = len(preferences) - len(rows)
    withheld = f" {held} pairs were held back: the consent to them does not cover an outside judge." if held else ""
    name = f"The {judge.name}"
    groups = [prompt_id(row.messages) for row in rows]
    if len(set(groups)) < MINIMUM_JUDGE_PAIRS:
        sentence = (
            f"{name} does not count: there are {len(set(groups))} prompts with held-out pairs to check it on, and it "
            f"takes {MINIMUM_JUDGE_PAIRS}.{withheld}"
        )
        return Qualification(judge.name, None, None, None, len(rows), False, sentence)
    chosen = [row.data["chosen"][0]["content"] for row in rows]
    rejected = [row.data["rejected"][0]["content"] for row in rows]
    prompts = [row.messages for row in rows]
    # The better answer comes first half of the time, so a judge that favours a position gains nothing.
    turned = [index % 2 == 1 for index in range(len(rows))]
    first = [b if turn else a for a, b, turn in zip(chosen, rejected, turned, strict=True)]
    second = [a if turn else b for a, b, turn in zip(chosen, rejected, turned, strict=True)]
    verdicts = judge.compare(prompts, first, second)
    right = [1 - verdict if turn else verdict for verdict, turn in zip(verdicts, turned, strict=True)]
    length = _by_length(chosen, rejected)
    accuracy = bootstrap(right, groups)
    over = bootstrap([a - b for a, b in zip(right, length, strict=True)], groups, span=(-1.0, 1.0))
    counts = accuracy.low > 0.5 and over.low > 0
    figures = (
        f"it agrees with people on {accuracy.mean:.0%} of {len(rows)} held-out pairs ({accuracy.low:.0%} to "
        f"{accuracy.high:.0%}), answer length alone on {sum(length) / len(length):.0%}"
    )
    why = ""
    if not counts:
        lacking = [
            *(["one half"] if accuracy.low <= 0.5 else []),
            *(["length"] if over.low <= 0 else []),
        ]
        why = f", and is not surely above {' and '.join(lacking)}"
    sentence = f"{name} {'counts' if counts else 'does not count'}: {figures}{why}.{withheld}{judge.remarks()}"
    return Qualification(judge.name, accuracy, sum(length) / len(length), over, len(rows), counts, sentence)


def _by_length(chosen: Sequence[str], rejected: Sequence[str]) -> list[float]:
    """What length alone would score on each pair, in the direction in which it scores better."""
    longer = [0.5 if len(a) == len(b) else float(len(a) > len(b)) for a, b in zip(chosen, rejected, strict=True)]
    return longer if sum(longer) * 2 >= len(longer) else [1 - value for value in longer]
