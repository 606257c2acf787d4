"""What the store takes and returns: messages, answers and ratings as plain values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

RATING_VALUES: dict[str, tuple[str | None, ...]] = {
    "vote": ("up", "down"),
    "comparison": ("a", "b", "tie", "both_bad"),
    "correction": (None,),
    "report": (None,),
    "retraction": (None,),
    "void": (None,),
}


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message's newest version.

    `author` wrote the text, and is None where that is not known; `sender` sent the message, and may have forwarded
    somebody else's words.
    """

    message: int
    version: int
    conversation: int
    role: str
    text: str
    author: int | None
    parent: int | None
    created_at: datetime
    sender: int | None = None


@dataclass(frozen=True, slots=True)
class StoredGeneration:
    """One answer of the model. `text` is empty when it was erased.

    `rendered_sha256` is keyed, and empty when a text in the prompt was erased; see `data.schema.Generation`.
    """

    generation: int
    message: int
    version: int
    conversation: int
    parent: int | None
    release: int
    text: str
    rendered_sha256: str
    finish_reason: str = "stop"
    model: str | None = None

    @property
    def rateable(self) -> bool:
        """Whether people may rate it: it has a text, and no filter cut it."""
        return bool(self.text.strip()) and self.finish_reason != "filtered"


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """An answer that is being shown, by the platform's ids; see `data.schema.OpenAnswer`."""

    platform: str
    key: str
    channel: str
    question: str
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGeneration:
    """An answer to record, with everything that made it. Of `rendered_sha256` only a keyed hash is stored.

    `parent` is the message that was answered. `context` holds the message versions in the order in which the model
    got them, without the system prompt. `finish_reason` is one of stop, length, stopped (by a person), moderated (its
    text is not kept), filtered (by the engine), unknown, damaged, error. Only what ended with stop is learnt from.
    `model` is the mark of the base that answered as release 0, or another model's name; see `data.schema.Generation`.
    `lessons` are the numbers of the lessons that stood before the question, in order.
    """

    conversation: int
    parent: int
    context: tuple[int, ...]
    system_prompt: str
    rendered_sha256: str
    text: str
    release: int
    sampling: dict[str, Any]
    seed: int
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    first_token_seconds: float | None
    platform: str
    platform_id: str | None = None
    model: str | None = None
    lessons: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRating:
    """A rating to record. In a comparison, `generation` was shown first (a) and `other` second (b).

    A retraction takes a vote back; one with an `other` takes back the comparison of the two, in the same order.
    `everybody_sees` says that all members of the server can see where a correction was made; unknown means no.
    """

    source_id: str
    rater: int
    kind: str
    generation: int
    other: int | None = None
    value: str | None = None
    text: str | None = None
    platform: str
    everybody_sees: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRating:
    """A rating as it was recorded; `text` is its text, None where it had none or it was erased."""

    kind: str
    rater: int
    generation: int
    other: int | None = None
    value: str | None = None
    text: str | None = None
