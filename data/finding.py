"""One thing that a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where, and what to do. `damage`: something is lost or does not work; else it can wait."""

    sentence: str
    damage: bool


def damage(sentence: str) -> Finding:
    """Something is lost or does not work."""
    return Finding(sentence, True)


def note(sentence: str) -> Finding:
    """Something is out of order, and nothing is lost."""
    return Finding(sentence, False)
