"""Whose ratings may teach the shared model, and how many of them count in a day, as the operator sets it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from data.errors import BadInput
from data.home import setting

PER_PERSON, PER_SERVER, PER_DAY = 200, 2000, 5000


@dataclass(frozen=True, slots=True)
class Limits:
    """How many ratings (votes, comparisons and corrections together) of one day count, 0 for any number, and which
    servers teach the shared model (the platform's ids; None when the operator listed none)."""

    per_person: int = PER_PERSON
    per_server: int = PER_SERVER
    per_day: int = PER_DAY
    servers: tuple[str, ...] | None = None
    other_models: bool = False  # whether answers of models that are not this home's teach
    followups: bool = False  # whether follow-up messages teach


def limits_set() -> Limits:
    """What the operator set, in the environment or in `.env`; `BadInput` for a value that is not a number."""
    listed = setting("PARLEY_TEACHING_SERVERS")
    return Limits(
        _number("PARLEY_RATINGS_PER_PERSON", setting("PARLEY_RATINGS_PER_PERSON"), PER_PERSON),
        _number("PARLEY_RATINGS_PER_SERVER", setting("PARLEY_RATINGS_PER_SERVER"), PER_SERVER),
        _number("PARLEY_RATINGS_PER_DAY", setting("PARLEY_RATINGS_PER_DAY"), PER_DAY),
        None if listed is None else _server_ids(listed),
        _switch("PARLEY_OTHER_MODELS", setting("PARLEY_OTHER_MODELS")),
        _switch("PARLEY_FOLLOWUPS", setting("PARLEY_FOLLOWUPS")),
    )


def _server_ids(listed: str) -> tuple[str, ...]:
    found = tuple(listed.replace(",", " ").replace(";", " ").split())
    if wrong := [each for each in found if not each.isdecimal()]:
        raise BadInput(
            f"PARLEY_TEACHING_SERVERS: {wrong[0]!r} is not a server's id (digits only, several with commas between)."
        )
    return found


def _number(name: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    if not value.isdecimal():
        raise BadInput(f"{name}: {value!r} cannot be used: use a whole number of at least 0.")
    return int(value)


def _switch(name: str, value: str | None) -> bool:
    if value not in (None, "0", "1"):
        raise BadInput(f"{name}: {value!r} cannot be used: use 1 or 0.")
    return value == "1"


@dataclass(frozen=True, slots=True)
class Spent:
    """One rating: its number or name, its rater, the server it was made on (None for none), and when."""

    name: Hashable
    rater: Hashable
    server: Hashable | None
    at: datetime


def over_quota(ratings: Iterable[Spent], limits: Limits, exempt: Collection[Hashable] = ()) -> set[Hashable]:
    """The names of the ratings that do not count, because there were too many before them on their day (in UTC).

    Of one person the oldest count. Of a server, and of all together, everybody's first rating of the day comes before
    anybody's second, so that nobody uses up what is there for others. `exempt` are people without any quota.
    """
    days: dict[object, list[Spent]] = defaultdict(list)
    for one in ratings:
        if one.rater not in exempt:
            days[one.at.astimezone(UTC).date()].append(one)
    over: set[Hashable] = set()
    for day in days.values():
        mine: Counter[Hashable] = Counter()
        turns = []
        for one in sorted(day, key=lambda each: (each.at, str(each.name))):
            mine[one.rater] += 1
            turns.append((mine[one.rater], one))
        everywhere = 0
        here: Counter[Hashable] = Counter()
        for turn, one in sorted(turns, key=lambda each: each[0]):
            full = (limits.per_person and turn > limits.per_person) or (
                limits.per_day and everywhere >= limits.per_day
            )
            if full or (one.server is not None and limits.per_server and here[one.server] >= limits.per_server):
                over.add(one.name)
                continue
            everywhere += 1
            here[one.server] += 1
    return over
