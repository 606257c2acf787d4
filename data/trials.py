"""How a trial stands so far: the numbers that the bot shows to its members."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrialSoFar:
    """The number of questions with compared answers, the number of people, and the candidate's share of wins.

    Every question counts once, by the mean over its comparisons.
    """

    prompts: int
    people: int
    share: float
