"""What the model sees of a conversation: pure decisions without store, engine or platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.chat import Message, harmless, harmless_messages, speakers, spoken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from data.store import StoredMessage

# The most turns that are ever sent, even if more fit: it bounds the work for a conversation of many months.
TURNS = 400


@dataclass(frozen=True)
class Prompt:
    """The prompt of one answer, and the ids of the stored message versions in it.

    `messages` call people by their names where known; `recorded` are the same messages with numbers as names.
    """

    system_prompt: str
    versions: tuple[int, ...]
    messages: tuple[Message, ...]
    recorded: tuple[Message, ...]


def shown(path: Sequence[StoredMessage]) -> list[StoredMessage]:
    """The messages of a path that can be shown, newest last, without empty ones and answers before any question."""
    kept = [message for message in path[-TURNS:] if message.text.strip()]
    first = next((index for index, message in enumerate(kept) if message.role == "user"), len(kept))
    return kept[first:]


def starts(roles: Sequence[str]) -> list[int]:
    """Where a shortened history may begin, earliest first: at a question that follows an answer, never inside a pair.

    The newest message is always the last possible start, so it is always kept.
    """
    pairs = [
        index for index, role in enumerate(roles) if role == "user" and (index == 0 or roles[index - 1] != "user")
    ]
    return pairs if pairs and pairs[-1] == len(roles) - 1 else [*pairs, len(roles) - 1]


async def first_fitting(starts: Sequence[int], fits: Callable[[int], Awaitable[bool]]) -> int | None:
    """The earliest start that fits; None if not even the last one does.

    A later start never takes more room than an earlier one, so bisection needs few of the costly counts. Usually
    everything fits, and then one count is enough.
    """
    if await fits(starts[0]):
        return starts[0]
    low, high = 0, len(starts) - 1  # low is known not to fit
    if high == 0 or not await fits(starts[high]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if await fits(starts[middle]):
            high = middle
        else:
            low = middle
    return starts[high]


def prompt(
    system_prompt: str,
    path: Sequence[StoredMessage],
    control: Sequence[str],
    names: Callable[[Iterable[int | None]], Mapping[int | None, str]] = lambda _: {},
) -> Prompt:
    """The messages as the engine gets them: the system prompt first, every content made harmless.

    If several people speak, each of their messages begins with the person's name from `names`, else a number.
    """
    system = harmless(system_prompt, control)
    head = (Message(role="system", content=system),) if system.strip() else ()
    turns = [(turn.role, turn.author, turn.text) for turn in path]
    numbers = speakers(turns)

    def given(called: Mapping[int | None, str]) -> tuple[Message, ...]:
        return (*head, *harmless_messages(spoken(turns, called), control))

    return Prompt(system, tuple(turn.version for turn in path), given({**numbers, **names(numbers)}), given(numbers))


def answer_room(max_tokens: int, context_length: int) -> int:
    """How many tokens an answer may have: `max_tokens`, but at most half of the engine's context."""
    return max(1, min(max_tokens, context_length // 2))
