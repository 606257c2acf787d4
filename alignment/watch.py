"""`python -m alignment.watch`: rounds by themselves, when enough feedback is there or at a time of day.

It runs beside the bot, at the lowest priority, and never begins a round while the machine is needed.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, time
from functools import partial
from pathlib import Path
from types import FrameType

from filelock import FileLock, Timeout

from alignment.rounds.plan import check_settings, read_plan
from alignment.watching.child import Round, step_aside
from alignment.watching.decision import NOTHING_ASKED, Wish
from alignment.watching.journal import Journal
from alignment.watching.loop import LOG, Watch
from alignment.watching.machine import Machine
from data.errors import BadInput, NothingToDo, ParleyError, run
from data.home import home, private_dir
from data.pasted import pasted
from data.printing import printable

LOAD = 0.5
_SHOWN = 10  # sentences of `--status`


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m alignment.watch",
        usage="python -m alignment.watch [--at HH:MM] [--enough N] [...] [-- FLAGS OF alignment.round]",
        description="Run a round whenever enough new feedback is there, or at a time of day: one at a time, at the "
        "lowest priority, never while rounds are paused or the machine is needed (battery, load, GPU, an engine that "
        "answers). What follows -- goes to every round. It ends in order on Ctrl-C and SIGTERM; a round that runs is "
        "interrupted then, and the next watch goes on with it. Exit code 0: it was ended; with --once, that of the "
        "round; with --dry_run, 0 if a round would begin now and 1 if not; 2: bad input, or another watch runs.",
    )
    add = parser.add_argument
    add(
        "--at",
        type=_time,
        metavar="HH:MM",
        help="every day at this local time, if anything is new; a time that was missed is made up for within 6 hours",
    )
    add("--enough", type=int, metavar="N", help="as soon as there are N new ratings or imported rows")
    add(
        "--load",
        type=float,
        default=LOAD,
        metavar="X",
        help="begin no round while more than X processes a core are busy (default: %(default)s)",
    )
    add("--once", action="store_true", help="end after one round")
    add("--dry_run", action="store_true", help="check once, say whether a round would begin now or why not, run none")
    add("--status", action="store_true", help="say whether a watch runs here and what it said last")
    return parser


def _time(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a local time of day
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of day such as 03:00") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and watch until a signal comes."""
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index("--") if "--" in given else len(given)
    options, arguments = _parser().parse_args(given[:cut]), given[cut + 1 :]
    if options.status:
        return _status()
    if options.at is None and options.enough is None:
        raise BadInput(NOTHING_ASKED)
    if options.enough is not None and options.enough < 1:
        raise BadInput("--enough must be at least 1.")
    if not options.load > 0:
        raise BadInput("--load must be more than 0.")
    check_settings(read_plan(arguments))  # a misspelt flag is reported now, not at night
    if options.dry_run:
        watch = _watch(options, arguments, home())
        found = watch.look()
        _say(watch.clock.now(), f"A round would begin: {found.sentence}." if found.due else found.sentence)
        return 0 if found.due else 1
    folder = private_dir(home())
    with _alone(folder):
        step_aside()
        return _watch(options, arguments, folder).run(once=options.once)


def _watch(options: argparse.Namespace, arguments: Sequence[str], folder: Path) -> Watch:
    return Watch(
        folder,
        Wish(options.at, options.enough),
        Machine(folder, options.load),
        _Signals(),
        partial(Round, arguments, folder / "logs" / LOG),
        _say,
        os.getpid(),
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only watch over a home. The kernel drops the lock when the process ends, even after kill -9."""
    lock = FileLock(folder / "watch.lock", timeout=0, mode=0o600)
    try:
        lock.acquire()
    except Timeout:
        journal = Journal.of(folder)
        which = f": process {journal.process}" if journal else ""
        raise ParleyError(
            f"Another watch runs with {folder}{which}. Stop it first, or see what it waits for: "
            "`python -m alignment.watch --status`."
        ) from None
    try:
        yield
    finally:
        lock.release()


class _Signals:
    """The system's clock. Ctrl-C, SIGTERM and a closed terminal end the watch."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        # A shell's background job ignores Ctrl-C, and a round would inherit that; handled here, it does not.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._caught)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` ignores it on purpose
            signal.signal(signal.SIGHUP, self._caught)

    def _caught(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now().astimezone()

    def wait(self, seconds: float) -> bool:
        """See `Clock.wait`."""
        return self._stop.wait(seconds)


def _say(now: datetime, sentence: str) -> None:
    print(f"{now.astimezone():%Y-%m-%d %H:%M} {printable(pasted(sentence))}", flush=True)


def _status() -> int:
    folder = home()
    found = Journal.of(folder)
    if found is None:
        raise NothingToDo(f"No watch has run with {folder} yet. Start one: `python -m alignment.watch --enough 40`.")
    try:
        with FileLock(folder / "watch.lock", timeout=0, mode=0o600):
            print(f"No watch runs with {folder} now.")
    except Timeout:
        print(f"A watch runs with {folder}: process {found.process}.")
    for each in found.said[-_SHOWN:]:
        _say(datetime.fromisoformat(each.at), each.sentence)
    return 0


if __name__ == "__main__":
    run(main)
