"""What the model is shown of a conversation: pure decisions, no store, no engine, no platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.chat import Message, harmless, harmless_messages, speakers, spoken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from data.store import StoredMessage

# More turns than this are never sent, whatever fits: it bounds the work of reading a conversation of many months.
TURNS = 400


@dataclass(frozen=True)
class Prompt:
    """What one answer is asked with, and the ids of the stored versions behind it.

    `messages` call people by their names as far as those are known; `recorded` are the same with numbers for names.
    """

    system_prompt: str
    versions: tuple[int, ...]
    messages: tuple[Message, ...]
    recorded: tuple[Message, ...]


def shown(path: Sequence[StoredMessage]) -> list[StoredMessage]:
    """The messages of a path that can be shown, the newest last: empty ones and answers before any question go."""
    kept = [message for message in path[-TURNS:] if message.text.strip()]
    first = next((index for index, message in enumerate(kept) if message.role == "user"), len(kept))
    return kept[first:]


def starts(roles: Sequence[str]) -> list[int]:
    """Where a shortened history may begin, earliest first: at a question that follows an answer, never inside a pair.

    The newest message is always the last possible start, so that it is kept whatever goes.
    """
    pairs = [
        index for index, role in enumerate(roles) if role == "user" and (index == 0 or roles[index - 1] != "user")
    ]
    return pairs if pairs and pairs[-1] == len(roles) - 1 else [*pairs, len(roles) - 1]


async def first_fitting(starts: Sequence[int], fits: Callable[[int], Awaitable[bool]]) -> int | None:
    """The earliest start that fits, None if not even the last does.

    A later start never takes more room than an earlier one, so halving finds it in few (costly) counts: one when
    everything fits, which is the usual case.
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
    """The messages as the engine gets them, every content made harmless, the system prompt in front.

    Where several people speak, each of their messages says which of them it is from: by `names`, else by number.
    """
    system = harmless(system_prompt, control)
    head = (Message(role="system", content=system),) if system.strip() else ()
    turns = [(turn.role, turn.author, turn.text) for turn in path]
    numbers = speakers(turns)

    def given(called: Mapping[int | None, str]) -> tuple[Message, ...]:
        return (*head, *harmless_messages(spoken(turns, called), control))

    return Prompt(system, tuple(turn.version for turn in path), given({**numbers, **names(numbers)}), given(numbers))


def answer_room(max_tokens: int, context_length: int) -> int:
    """How many tokens an answer may have: what was set, but at most half of the engine's context."""
    return max(1, min(max_tokens, context_length // 2))
