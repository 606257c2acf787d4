"""What may become a row: its texts and the people who support it, before it is known whether it may be used."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from data.anchors import Anchor
from data.chat import Message
from data.row import TOOLS

# Why a row did not leave the store, as people read it.
ERASED = "a text in it was erased"
NO_CONSENT = "somebody in it did not consent, or not yet"
NO_PERMISSION = "came through Discord without Discord's permission to train"
NOT_HERE = "its server's manager has not let members teach"
UNFINISHED = "the answer did not end by itself"
SAME_TEXT = "chosen and rejected are the same text"
DUPLICATE = "the same row is there already"
CONTRADICTED = "as many people or more said the opposite"
OTHER_PROMPT = "the two answers were given to different prompts"
SELF_VOTE = "only the person who wrote this text as a correction voted for it"
UNRELIABLE = "its raters are not reliable"
REFUSED = "the answer to learn was corrected, voted down, reported or lost a comparison"
TAKEN_BACK = "people no longer say what it was exported for"
EDITED = "somebody edited a text in it since"
OUTSIDE = "comes from outside the servers that teach the shared model (PARLEY_TEACHING_SERVERS)"
OVER_QUOTA = "its rater, server or day had as many ratings as count in a day (PARLEY_RATINGS_PER_...)"
OTHER_MODEL = "the answer was another model's, not one of this home's (PARLEY_OTHER_MODELS)"
RATED = "its answer was rated, and a rating says more than a follow-up message"
NOT_MENDED = "the answer after a complaint does not mend it, or not by itself (docs/followups.md)"
ONLY_TRAINS = "a follow-up message only trains, and its conversation is kept for judging"
NO_FOLLOWUPS = "made of a follow-up message, and these teach here only with PARLEY_FOLLOWUPS=1"
FULL = "its people's ratings weigh as much as one person's may already"
VOIDED = "an operator took its rater's ratings out (python -m data raters void)"

FEEDBACK = "feedback"  # the source of rows that are made of ratings
FOLLOWUP = "follow-up"  # the source of rows that are made of follow-up messages, and their name among dropped rows
DIVIDED = "its text, its conversation and the lessons that it was given belong to different folds"


_NOBODY: Mapping[str, float] = MappingProxyType({})


class Candidate(NamedTuple):  # ten times as fast to make as a frozen data class, and there are millions
    """A possible row. `backing` says how much each person who supports it counts; it is empty for imported rows.

    `release` is the oldest release that gave an answer in it; None where people wrote or imported what it teaches.
    """

    kind: str
    parts: dict[str, list[Message]]
    problem: str | None
    anchor: Anchor
    platform: str
    persona: str | None
    language: str | None
    source: str
    label: bool | None = None
    weight: float = 1.0
    margin: float | None = None
    id: str | None = None
    raters: tuple[str, ...] = ()
    backing: Mapping[str, float] = _NOBODY
    outside_judge: bool = False
    tie: bool = False
    weak: bool = False  # made of follow-up messages, here or where the row was exported
    tools: list[Any] | None = None  # the functions that the assistant may call; imported rows only
    release: int | None = None
    answers: tuple[int, ...] = ()  # of which it is made: places in the facts; none for imported rows
    disputed: bool = False  # people who count said the opposite, or neither

    @property
    def data(self) -> dict[str, object]:
        """The row's own keys, as TRL reads them."""
        more = {"label": self.label, TOOLS: self.tools}
        return {**self.parts, **{key: value for key, value in more.items() if value is not None}}


def anchor(messages: Sequence[Message], conversation: str | None, taught: Iterable[str] = ()) -> Anchor:
    """What decides a row's fold: the text that opens it, its conversation, and those that taught its lessons."""
    return Anchor(opening(messages), conversation, tuple(taught))


def opening(messages: Sequence[Message]) -> str:
    """The text that opens a conversation: the first that a person says."""
    for message in messages:
        if message["role"] == "user":
            return message["content"]
    return ""
