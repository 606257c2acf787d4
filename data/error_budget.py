"""The gate's error budget: 5 % over all candidates ever together, and what each of them may spend.

The k-th candidate that the gate is asked about gets a share of the budget: 3 % the first, and 2 % for all others
together, divided in proportion to (k - 1) to the power of -1.5 (0.77 %, 0.27 %, 0.15 %, ...). The shares add up to
5 %, so the probability that any candidate is ever promoted that is no better stays below 5 %, however many there are.

A share is spent when its candidate is refused. When the gate promotes a candidate, the share goes on to the next one:
if the promotion was right, no error was made with it, and if it was wrong, the one error has happened already (the
fallback procedure of Wiens and Dmitrienko, 2005; online: Tian and Ramdas, "Online control of the familywise error
rate", 2021). So each step of a series of real improvements needs no more votes than the first.

Of a candidate's share, 4/5 is for people's live comparisons, and 1/5 for judges and held-out pairs, which are asked
first. `releases/asked.jsonl` holds a line for each candidate; a home from before this file counts its earlier rounds,
and each look at the release that is on trial, as candidates.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from data.errors import BadInput
from data.home import private_dir, write_atomic
from data.manifests import typed
from data.releases import Releases
from data.rounds import decided

BUDGET = 0.05
FIRST = 0.03
LIVE_PART = 0.8
_ZETA = 2.612375348685488  # the sum of k ** -1.5 over all k from 1


@dataclass(frozen=True, slots=True)
class Stake:
    """What the gate may spend on one candidate: its share of the error, and what refused ones before it spent.

    `number` is which candidate it is, from 1; `candidate` its name in the file, empty for one that only asks.
    """

    number: int = 1
    error: float = FIRST
    spent: float = 0.0
    candidate: str = ""

    @property
    def live(self) -> float:
        """The error of a decision by people's live comparisons."""
        return LIVE_PART * self.error

    @property
    def held_out(self) -> float:
        """The error of a decision by a judge or by held-out pairs."""
        return (1 - LIVE_PART) * self.error


@dataclass(frozen=True, slots=True)
class Asked:
    """A candidate that the gate was asked about: its name and share, and whether it was promoted.

    `passed`: the share of a promoted candidate has gone on to a later one.
    """

    candidate: str
    error: float
    promoted: bool = False
    passed: bool = False


def share(number: int) -> float:
    """The share of the budget of the candidate of this number, from 1."""
    return FIRST if number == 1 else (BUDGET - FIRST) / _ZETA * (number - 1) ** -1.5


def name_of(candidate: int | None, round_: int | None, champion: int) -> str:
    """A candidate's name: its round, or its release if no round made it, and the champion it is compared with."""
    return f"{f'round {round_}' if round_ else f'release {candidate}'} against {champion}"


def stake(home: Path, candidate: str) -> Stake:
    """What the gate may spend on a candidate, written down before it is asked. The same each time for one candidate.

    Raises `BadInput` when the file is damaged.
    """
    with _lock(home):
        asked = _read(home)
        found = next((number for number, each in enumerate(asked, 1) if each.candidate == candidate), None)
        if found is None:
            error, asked = _next(asked)
            asked.append(Asked(candidate, error))
            found = len(asked)
            _write(home, asked)
        return Stake(found, asked[found - 1].error, _spent(asked[: found - 1]), candidate)


def would_be(home: Path) -> Stake:
    """What the next candidate may spend; nothing is written down."""
    asked = _read(home)
    return Stake(len(asked) + 1, _next(asked)[0], _spent(asked))


def won(home: Path, candidate: str) -> None:
    """Write down that the gate promotes a candidate, so that its share goes on to the next one."""
    with _lock(home):
        asked = _read(home)
        _write(home, [replace(each, promoted=True) if each.candidate == candidate else each for each in asked])


def _next(asked: list[Asked]) -> tuple[float, list[Asked]]:
    """The share of the next candidate, and the list in which the shares that it takes over are marked."""
    handed = sum(each.error for each in asked if each.promoted and not each.passed)
    return share(len(asked) + 1) + handed, [replace(each, passed=each.promoted) for each in asked]


def _spent(asked: list[Asked]) -> float:
    return sum(each.error for each in asked if not each.promoted)


def _path(home: Path) -> Path:
    return home / "releases" / "asked.jsonl"


def _lock(home: Path) -> FileLock:
    return FileLock(private_dir(home / "releases") / ".lock", mode=0o600)


def _read(home: Path) -> list[Asked]:
    path = _path(home)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return _before(home)
    try:
        lines = raw.decode().splitlines()
        return [_line(json.loads(line)) for line in lines if line.strip()]
    except (ValueError, TypeError) as error:
        raise BadInput(
            f"{path} should hold a JSON object a line, one for each candidate that the gate was asked about, and "
            f"does not ({error}). Put back a copy of it; without the file, the rounds in {home / 'rounds'} count."
        ) from error


def _line(entry: Any) -> Asked:
    typed(entry, Asked)  # the kinds of its values
    return Asked(**entry)  # no other keys


def _write(home: Path, asked: list[Asked]) -> None:
    write_atomic(_path(home), "".join(json.dumps(asdict(each)) + "\n" for each in asked))


def _before(home: Path) -> list[Asked]:
    """The candidates of a home that has no such file yet: its decided rounds, and the looks at its running trial."""
    releases = Releases(home)
    found: list[Asked] = []
    for round_ in reversed(decided(home / "rounds")):
        decision = round_.decision
        if decision is None or decision.people:
            continue  # people decided by hand: the gate spent nothing
        _, found = _given(found, name_of(decision.release, round_.number, decision.champion or 0))
        if round_.status == "promoted":
            found[-1] = replace(found[-1], promoted=True)
    for look in releases.looks():
        _, found = _given(found, f"a look at {look} questions")
    return found


def _given(asked: list[Asked], candidate: str) -> tuple[float, list[Asked]]:
    error, asked = _next(asked)
    return error, [*asked, Asked(candidate, error)]
