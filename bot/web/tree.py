"""Which part of a conversation's tree is shown: one way from its beginning down, with the answers beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from data.talks import Said

USER, ASSISTANT = "user", "assistant"


@dataclass(frozen=True)
class Turn:
    """A question and the answers to it, the oldest first; `at` is the place of the one that is shown, -1 for none."""

    question: Said
    answers: tuple[Said, ...]
    at: int

    @property
    def answer(self) -> Said | None:
        """The answer that is shown."""
        return self.answers[self.at] if self.at >= 0 else None


def way(said: Sequence[Said], through: int | None = None) -> list[Turn]:
    """The turns on the way through a message, and from there always to the newest; without one, to the newest of all.

    A message that is not there counts as none.
    """
    if not said:
        return []
    known = {each.message: each for each in said}
    below: dict[int | None, list[Said]] = {}
    for each in said:
        below.setdefault(each.parent, []).append(each)
    end = known.get(through or 0) or said[-1]
    while following := below.get(end.message):
        end = following[-1]
    upwards: list[Said] = []
    at: Said | None = end
    while at is not None:
        upwards.append(at)
        at = known.get(at.parent or 0)
    path = upwards[::-1]
    turns = []
    for place, each in enumerate(path):
        if each.role != USER:
            continue
        answers = tuple(other for other in below.get(each.message, ()) if other.role == ASSISTANT)
        shown = path[place + 1] if place + 1 < len(path) else None
        turns.append(Turn(each, answers, answers.index(shown) if shown in answers else -1))
    return turns


def last_answer(turns: Sequence[Turn]) -> int | None:
    """The message that the next question follows: the last answer that is shown; None at the beginning."""
    return next((turn.answer.message for turn in reversed(turns) if turn.answer is not None), None)
