"""The watch itself: it checks again and again whether a round is due and the machine is free, and runs one at a time.

The clock, the machine and the round's process are handed in, so tests play them.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from alignment.watching.child import Child
from alignment.watching.decision import Decision, State, Wish, decide, due_today
from alignment.watching.journal import KEPT, NAME, Journal, Said, moment, written
from alignment.watching.machine import Need
from data import taught
from data.errors import ParleyError, in_words
from data.fresh import fresh, newest, newest_at, seen_now, seen_of
from data.home import discord_permission
from data.lineage import TrainedRound
from data.manifests import Damaged
from data.releases import Releases
from data.rounds import DECIDED, DecidedRound, latest, paused_since, runs
from data.seen import Seen

LOG = "round.log"  # in the home's logs: the output of the newest round
LOOK = 20.0  # seconds between two checks
TICK = 5.0  # and between two checks of a running round
CALM = 3  # checks in a row that must find the machine free, so that a pause between two answers does not count
_AGAIN = timedelta(minutes=10)  # the same sentence is not told again sooner


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> datetime:
        """The time now, with a zone."""

    def wait(self, seconds: float) -> bool:
        """Wait; True, and at once from then on, when the watch shall end."""


class AnyMachine(Protocol):
    """See `alignment.watching.machine.Machine`."""

    def needed(self) -> Need | None: ...
    def must_stop(self) -> Need | None: ...


@dataclass
class Watch:
    """A watch over one home. `start` begins a round, `say` prints a sentence.

    `ended` is the exit code of the last round that it ran to its end, None before.
    """

    home: Path
    wish: Wish
    machine: AnyMachine
    clock: Clock
    start: Callable[[], Child]
    say: Callable[[datetime, str], None]
    process: int = 0

    def __post_init__(self) -> None:
        now = self.clock.now()
        self.journal = Journal.of(self.home) or Journal(handled=written(now))
        self.ended: int | None = None
        self._calm = 0
        self._kind = ""
        self._told: dict[str, datetime] = {}

    def run(self, *, once: bool = False) -> int:
        """Check until the clock says stop. With `once`, end after one round and return its exit code."""
        self._note(process=self.process)
        while True:
            try:
                self._turn()
            except (ParleyError, OSError) as error:  # a locked database or a full disk passes; the watch goes on
                self._calm = 0
                reason = str(error) if isinstance(error, ParleyError) else in_words(error) or str(error)
                self._tell(f"error {reason}", f"This cannot be checked now: {reason}")
            if (once and self.ended is not None) or self.clock.wait(LOOK):
                return self.ended or 0 if once else 0

    def look(self) -> Decision:
        """Whether a round may begin now, and if not, why not. Nothing is written."""
        self._notice()
        if since := paused_since(self.home):
            return Decision(False, "paused", f"Rounds are paused since {since.astimezone():%Y-%m-%d %H:%M}.")
        if runs(self.home):
            return Decision(False, "runs", "Another round runs; the next one waits for its end.")
        found = decide(self.wish, self._state())
        if not found.due:
            return found
        if need := self.machine.needed():
            return Decision(False, need.kind, f"A round is due ({found.sentence}), but {need.sentence}.")
        return found

    def _turn(self) -> None:
        found = self.look()
        self._calm = self._calm + 1 if found.due else 0
        if self._calm >= CALM:
            self._calm = 0
            self._round(found.sentence)
        elif found.due:
            self._tell("soon", f"A round is due ({found.sentence}). It begins if the machine stays free.")
        elif self.wish.at and found.kind.startswith("waits") and due_today(self.wish.at, self._state()):
            self._note(handled=written(self.clock.now()))  # before the sentence, which is told once a day
            self._tell("nothing", f"It is {self.wish.at:%H:%M}, and there is nothing new: no round today.")
        else:
            self._tell(found.kind, found.sentence)

    def _state(self) -> State:
        journal, last = self.journal, latest(self.home / "rounds")
        permission, trial = discord_permission() is not None, Releases(self.home).candidate() is not None
        killed = last is not None and (last.status == "running" or (journal.interrupted and last.status == "stopped"))
        return State(
            now=self.clock.now(),
            fresh=fresh(self.home, journal.seen, permission=permission, trial=trial),
            handled=moment(journal.handled),
            failures=journal.failures,
            failed_at=moment(journal.failed_at) if journal.failed_at else None,
            interrupted=last.number if last and killed else None,
        )

    def _notice(self) -> None:
        """Take rounds into account that somebody else ran, and a database that is older than what was seen.

        What came after such a round read its rows is new, and so is what it held back and what may be used by now.
        """
        last, seen = latest(self.home / "rounds"), self.journal.seen
        entries: dict[str, Any] = {}
        if last and last.status in DECIDED and last.number != self.journal.round:
            # Rounds of earlier versions do not say what they saw.
            theirs = last.seen or (newest_at(self.home, last.created_at) if last.created_at else newest(self.home))
            # It may have begun before the watch's own last round, whose feedback stays known.
            seen = theirs.after(seen)
            entries = {"round": last.number, "failures": 0, "interrupted": False}
        self.journal = replace(self.journal.having(seen_of(self.home, seen)), **entries)

    def _round(self, why: str) -> None:
        """Run a round to its end, or until it must stop; then say what came of it."""
        seen = seen_now(self.home, permission=discord_permission() is not None)
        before, handled, began = latest(self.home / "rounds"), self.journal.handled, self.clock.now()
        interrupted = self.journal.interrupted
        self._note(handled=written(began), interrupted=False)
        self._tell("begins", f"A round begins: {why}.", always=True)
        try:
            child = self.start()
        except OSError as error:  # no memory, say: that may last, so the next try comes later
            self._failed(f"The round could not be started: {in_words(error) or error}")
            return
        code, stopped = None, ""
        try:
            while (code := child.poll()) is None and not stopped:
                if self.clock.wait(TICK):
                    stopped = "the watch ends"
                elif need := self.machine.must_stop():
                    stopped = need.sentence
        finally:
            if code is None and child.poll() is None:
                child.interrupt()
        if code is None:
            self._note(interrupted=True)
            self._tell("stopped", f"The round was interrupted, because {stopped}; it goes on later.", always=True)
            return
        if code == 2 and runs(self.home):  # somebody began one at the same moment, and this one did not get its lock
            self._note(handled=handled, interrupted=interrupted)
            self._tell("runs", "Another round began at the same moment; this one waits for its end.", always=True)
            return
        minutes = max(1, round((self.clock.now() - began).total_seconds() / 60))
        self._ended(code, seen, before, f"after {minutes} min")

    def _ended(self, code: int, seen: Seen, before: DecidedRound | None, after: str) -> None:
        """Take a round's end into account. `seen` is what there was when it began, or went on."""
        self.ended = code
        last = latest(self.home / "rounds")
        fine: dict[str, Any] = {"failures": 0, "failed_at": None}
        decided = last is not None and last.status in DECIDED and last.number != self.journal.round
        stopped = last is not None and last.status == "stopped" and (not before or last.ended_at != before.ended_at)
        if last and decided:
            self.journal = self.journal.having(last.seen or seen)
            self._note(round=last.number, **fine)
            told = " ".join([f"Round {last.number} is over {after}: {_outcome(last)}", *self._taught(last.number)])
            self._tell("decided", told, always=True)
        elif code == 1 and paused_since(self.home):
            self._tell("paused", "Rounds were paused at that moment, so none began.", always=True)
        elif code == 1 and last and stopped:
            self.journal = self.journal.having(seen)
            self._note(**fine)
            self._tell("nothing to do", f"The round had nothing to do. {last.reason or ''}".rstrip(), always=True)
        else:
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            self._failed(f"The round failed {after} ({how}); its output is in {self.home / 'logs' / LOG}.")

    def _failed(self, sentence: str) -> None:
        self._note(failures=self.journal.failures + 1, failed_at=written(self.clock.now()))
        self._tell("failed", sentence, always=True)

    def _taught(self, number: int) -> Sequence[str]:
        """What a round learnt from, as a sentence."""
        try:
            found = TrainedRound.load(self.home / "rounds" / f"{number:04d}" / "manifest.json")
        except (OSError, Damaged):
            return ()
        return [taught.in_words(found.taught, len(found.raters))] if found.taught and found.taught.any else ()

    def _tell(self, kind: str, sentence: str, *, always: bool = False) -> None:
        """Print and keep a sentence if it is news: of another kind than the last one, and not told just before."""
        now = self.clock.now()
        told = self._told.get(kind)
        if not always and (kind == self._kind or (told is not None and timedelta() <= now - told < _AGAIN)):
            return
        self._kind = kind
        self._told[kind] = now
        self.say(now, sentence)
        said = (*self.journal.said, Said(at=written(now), sentence=sentence))[-KEPT:]
        with suppress(OSError):  # a full disk: the sentence was printed
            self._note(said=said)

    def _note(self, **entries: Any) -> None:
        self.journal = replace(self.journal, **entries)
        self.journal.save(self.home / NAME)


def _outcome(found: DecidedRound) -> str:
    """What a decided round did, in words."""
    made = found.decision.release if found.decision else 0
    if found.status == "promoted":
        return f"release {made} is the champion now."
    if found.trial is not None:
        return f"release {made} is on trial, and people compare it with the champion."
    why = found.decision.reasons[:1] if found.decision else ()
    return " ".join([f"release {made} does not serve.", *why])
