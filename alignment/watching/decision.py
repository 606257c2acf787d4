"""When a round is due: enough new feedback, the time of day, a round to go on with, or the time after a failure.

Everything here is a pure function of a moment and of what is known then, so tests play the clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

# A time of day that was missed (the machine was off, asleep or busy) is made up for within this time.
LATE = timedelta(hours=6)
# After a failed round: this long, then twice as long each time, and never longer than a day.
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=15), timedelta(days=1)
NOTHING_ASKED = "Say when a round is due: --at 03:00, --enough 40, or both."


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for. `at` is a local time of day, `enough` a number of new ratings and rows."""

    at: time | None = None
    enough: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What is known at a moment. `fresh` counts the ratings and rows that no round has seen.

    `handled` is the moment up to which times of day are done with, `failures` how many rounds failed in a row, the
    last one at `failed_at`. `interrupted` is the number of a round that was killed and can go on.
    """

    now: datetime
    fresh: int
    handled: datetime
    failures: int = 0
    failed_at: datetime | None = None
    interrupted: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a round is due and why, or what is waited for. `kind` changes when people should read it again."""

    due: bool
    kind: str
    sentence: str


def occurrence(at: time, now: datetime) -> datetime:
    """The last moment, up to `now`, at which clocks here showed `at`. `now` has a zone.

    Each date has one. If clocks skip that time, it is the moment after the gap; if they show it twice, the first
    of the two.
    """
    today = now.astimezone().date()
    found = _on(today, at)
    return found if found <= now else _on(today - timedelta(days=1), at)


def _on(day: date, at: time) -> datetime:
    # `timestamp` takes the offset that holds here at that very time. (`astimezone` alone moves a time in a gap back.)
    return datetime.fromtimestamp(datetime.combine(day, at).timestamp()).astimezone()


def decide(wish: Wish, state: State) -> Decision:
    """Whether a round is due now."""
    if (left := waiting_time(state)) is not None:
        times = f"{state.failures} times in a row" if state.failures > 1 else "once"
        again = (state.now + left).astimezone()
        return Decision(
            False, f"failed {state.failures}", f"A round failed {times}; the next try is at {again:%H:%M}."
        )
    if state.failures:
        return Decision(True, "again", f"the last one failed ({state.failures} in a row)")
    if state.interrupted is not None:
        return Decision(True, "interrupted", f"round {state.interrupted} was interrupted and goes on")
    if wish.enough is not None and state.fresh >= wish.enough:
        return Decision(True, "enough", new(state.fresh))
    if wish.at is not None and due_today(wish.at, state) and state.fresh:
        return Decision(True, "at", f"it is past {wish.at:%H:%M}, with {new(state.fresh)}")
    return Decision(False, *_waits(wish, state))


def due_today(at: time, state: State) -> bool:
    """Whether a time of day has come, or was missed a short time ago, and nothing was done about it yet."""
    came = occurrence(at, state.now)
    return came > state.handled and state.now - came <= LATE


def done_until(handled: datetime, now: datetime) -> datetime:
    """Up to which moment times of day are done with: up to now, if a clock that was far ahead is right again.

    Else a clock that was a year ahead would block a year.
    """
    return handled if handled < now + timedelta(days=1) else now


def waiting_time(state: State) -> timedelta | None:
    """How long to wait after failures; None when that is over, or when the clock was set back since."""
    if not state.failures or state.failed_at is None or state.failed_at > state.now:
        return None
    # The power is bounded: nobody waits longer than the longest, however many failed.
    wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(state.failures - 1, 10))
    left = state.failed_at + wait - state.now
    return left if left > timedelta() else None


def _waits(wish: Wish, state: State) -> Sequence[str]:
    parts, kind = [], "waits"
    if wish.enough is not None:
        parts.append(f"{new(wish.enough)} ({state.fresh} so far)")
        kind = f"waits {10 * state.fresh // wish.enough}"  # told again after each tenth
    if wish.at is not None:
        parts.append(f"{wish.at:%H:%M}" + ("" if state.fresh else " and something new"))
    return kind, f"Waits for {', or for '.join(parts)}."


def new(count: int) -> str:
    """The number of new ratings and rows, in words."""
    return f"{count} new {'rating or row' if count == 1 else 'ratings or rows'}"
