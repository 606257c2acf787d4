"""What a person kept of an answer when they corrected it, as tokens."""

from collections.abc import Sequence
from difflib import SequenceMatcher

# Fewer tokens in a row that two answers share are a coincidence: "the", or a full stop. They count as changed.
SHORTEST_KEPT = 4


def kept_tokens(corrected: Sequence[int], original: Sequence[int]) -> tuple[list[bool], list[bool]]:
    """For each token of the two answers, whether it is in a passage that both have, in the same order.

    Passages are found as a text comparison finds them (Ratcliff and Obershelp, in `difflib`): the longest common one
    first, then those before and after it. An end of turn that follows a kept passage is part of it.
    """
    found = [False] * len(corrected), [False] * len(original)
    matcher = SequenceMatcher(None, corrected, original, autojunk=False)
    for mine, theirs, size in matcher.get_matching_blocks():
        if size >= SHORTEST_KEPT:
            found[0][mine : mine + size] = [True] * size
            found[1][theirs : theirs + size] = [True] * size
    return found
