"""What the model sees of a conversation: pure decisions without store, engine or platform."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from data.chat import Message, harmless, harmless_messages, speakers, spoken
from data.lesson_prompts import with_lessons

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from data.lessons import StoredLesson
    from data.store import StoredMessage

# The most turns that are ever sent, even if more fit: it bounds the work for a conversation of many months.
TURNS = 400

# Steps of text that take about as many tokens as the budget has. Half of them are a little more than a power of two
# (see `Window.chosen`), and a step is so small that any two places differ.
STEPS = 144 << 20
_TOKEN_BYTES = 3.6  # of text, about, the following included
_TURN_BYTES = 16  # that stand for what a template puts around a message
_GUESSES = 4  # counts that follow the length of the text; then the rest is halved each time, however odd the text is


@dataclass(frozen=True)
class Prompt:
    """The prompt of one answer, and the ids of the stored message versions in it.

    `messages` call people by their names where known; `recorded` are the same messages with numbers as names.
    `lessons` are the numbers of the lessons in them, in order.
    """

    system_prompt: str
    versions: tuple[int, ...]
    messages: tuple[Message, ...]
    recorded: tuple[Message, ...]
    lessons: tuple[int, ...] = ()


def shown(path: Sequence[StoredMessage]) -> list[StoredMessage]:
    """The messages of a path that can be shown, newest last, without empty ones and answers before any question."""
    kept = [message for message in path if message.text.strip()]
    first = next((index for index, message in enumerate(kept) if message.role == "user"), len(kept))
    return kept[first:]


def system_message(path: Sequence[StoredMessage]) -> StoredMessage | None:
    """The message by which a client of the API says who the model is, in place of a persona; None without one."""
    return path[0] if path and path[0].role == "system" and path[0].text.strip() else None


def starts(roles: Sequence[str]) -> list[int]:
    """Where a shortened history may begin, earliest first: at a question that follows an answer, never inside a pair.

    The newest message is always the last possible start, so it is always kept.
    """
    pairs = [
        index for index, role in enumerate(roles) if role == "user" and (index == 0 or roles[index - 1] != "user")
    ]
    return pairs if pairs and pairs[-1] == len(roles) - 1 else [*pairs, len(roles) - 1]


async def beginning(
    turns: Sequence[StoredMessage], count: Callable[[int], Awaitable[int]], budget: int
) -> int | None:
    """Where the history begins that the model is shown; None if not even the newest message fits.

    `count` gives the tokens of the prompt that begins at a turn; a later beginning never takes more. Counts are
    costly: a conversation that fits takes one, a longer one two or three.

    A history that does not fit is cut to between half of what fits and all of it, at a place that stays the same for
    many turns, so that the engine has most of the prompt in its cache. The place follows from the messages and the
    budget alone: it is the same for an answer that is asked again, for a branch and after a restart.
    """
    window = Window.of(turns, budget)
    last = len(window.starts) - 1
    low, high = window.oldest - 1, last + 1  # what does not fit, and what does; neither is counted yet
    guess = window.first_within(STEPS)
    for counts in itertools.count():
        if high <= last and window.chosen(low + 1) == window.chosen(high):
            break
        at = window.telling(low, guess if counts < _GUESSES else (low + high) // 2, high)
        tokens = await count(window.starts[at])
        if tokens <= budget:
            high = at
        elif at == last:
            return None
        else:
            low = at
        guess = window.first_within(window.steps_from(at) * budget // max(tokens, 1))
    return window.starts[window.chosen(high)]


@dataclass(frozen=True)
class Window:
    """Where a history may begin, each place with its distance from the conversation's beginning.

    Distances are in steps, a fraction of the budget in text. No tokens are counted for them: they choose between
    places that fit, and a token that is longer than usual makes the cuts more or less even, nothing else.
    """

    starts: tuple[int, ...]
    places: tuple[int, ...]
    end: int
    oldest: int  # the first start with at most TURNS turns

    @classmethod
    def of(cls, turns: Sequence[StoredMessage], budget: int) -> Window:
        """The window over all turns of a conversation."""
        step = max(budget, 1) * _TOKEN_BYTES / STEPS
        sizes = (len(turn.text.encode(errors="replace")) + _TURN_BYTES for turn in turns)
        reached = [int(size / step) for size in itertools.accumulate(sizes, initial=0)]
        found = starts([turn.role for turn in turns])
        oldest = bisect.bisect_left(found, min(len(turns) - TURNS, found[-1]))
        return cls(tuple(found), tuple(reached[start] for start in found), reached[-1], oldest)

    def steps_from(self, at: int) -> int:
        """How many steps of text there are from a start to the end."""
        return self.end - self.places[at]

    def first_within(self, steps: int) -> int:
        """The first start that is at most this many steps from the end."""
        return min(bisect.bisect_left(self.places, self.end - steps), len(self.starts) - 1)

    def telling(self, low: int, guess: int, high: int) -> int:
        """Which start to count next, after one that does not fit and before one that does; `guess` may be the first.

        It is at the edge of those that lead to the same choice as the guess. If the guess is right, two counts, one
        at each edge, settle the choice.
        """
        guess = min(max(guess, low + 1), high - 1)
        same = [at for at in range(low + 1, high) if self.chosen(at) == self.chosen(guess)]
        return same[0] - 1 if same[0] - 1 > low else same[-1]

    def chosen(self, first: int) -> int:
        """The start to use if `first` is the first that fits: at the roundest place of the older half from there on.

        Of some numbers the roundest is the one that the highest power of two divides. The half moves on with every
        turn, but its roundest number stays until the half has passed it or a rounder one comes in.
        """
        if first == 0:
            return 0
        low = self.places[first - 1] + 1
        high = max(low, (low + self.end) // 2)
        zeros = ((low - 1) ^ high).bit_length() - 1
        return self.first_within(self.end - (high >> zeros << zeros))


def prompt(
    system_prompt: str,
    path: Sequence[StoredMessage],
    control: Sequence[str],
    names: Callable[[Iterable[int | None]], Mapping[int | None, str]] = lambda _: {},
    *,
    start: int = 0,
    lessons: Sequence[StoredLesson] = (),
    told: StoredMessage | None = None,
) -> Prompt:
    """The messages from `start` on as the engine gets them: the system prompt first, every content made harmless.

    A `told` message stands in the place of the system prompt (see `system_message`). It is never cut, and among the
    versions it is the first, so it is a text of the person who sent it like any other.

    Lessons, the one that is most like the question first, stand before the question; see `bot.lessons`.

    If several people speak, each of their messages begins with the person's name from `names`, else a number. Who is
    called what follows from the whole path, so that it stays the same wherever the history is cut. What is recorded
    is numbered by itself, as rows know nothing of what was cut.
    """
    system = harmless(system_prompt if told is None else told.text, control)
    head = (Message(role="system", content=system),) if system.strip() else ()
    every = [(turn.role, turn.author, turn.text) for turn in path]
    turns, everyone = every[start:], speakers(every)

    def given(called: Mapping[int | None, str]) -> tuple[Message, ...]:
        return (*head, *harmless_messages(with_lessons(spoken(turns, called), lessons), control))

    versions = tuple(turn.version for turn in path[start:])
    messages, recorded = given({**everyone, **names(everyone)}), given(speakers(turns))
    if told is not None:
        system, versions = "", (told.version, *versions)
    return Prompt(system, versions, messages, recorded, tuple(lesson.lesson for lesson in reversed(lessons)))


def answer_room(max_tokens: int, context_length: int) -> int:
    """How many tokens an answer may have: `max_tokens`, but at most half of the engine's context."""
    return max(1, min(max_tokens, context_length // 2))
