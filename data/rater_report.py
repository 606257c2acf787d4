"""Who weighs how much, and why: a table for an operator, or JSON."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

from rich.markup import escape
from rich.table import Table
from sqlalchemy import literal, select

from data import schema
from data.console import PlainConsole
from data.datasets import Collected
from data.imports import collect_rows
from data.raters import FLOOR, Panel
from data.row import IMPORT
from data.rows import KINDS
from data.standings import standings
from data.store import Store
from data.weights import HEADS, SHARE

VOUCHED, BORNE_OUT, TAKEN_OUT, ONE_HEAD = "vouched for", "borne out", "taken out", "one head"
_NOTHING = "nothing to compare with others: counts in full"


@dataclass(frozen=True, slots=True)
class RaterLine:
    """One person: their ratings by kind of event, how reliable they are (`weight`, 0 to 1), what they may hold
    (`standing`), and the share that they hold of the training rows of each kind."""

    rater: str
    platform: str
    ratings: dict[str, int]
    shared: int
    confirmed: int
    weight: float
    standing: str
    why: str
    shares: dict[str, float] = field(default_factory=dict)


async def rater_lines(store: Store, *, discord_permission: str | None) -> tuple[list[RaterLine], Collected]:
    """A line for each person who rated, whoever holds most first, and the rows from which it was taken."""
    collected = await collect_rows(store, discord_permission=discord_permission)
    rating, person = schema.Rating, schema.Person
    query = select(person.id, person.pseudonym, person.platform, rating.kind).join(
        rating, rating.rater_id == person.id
    )
    row = schema.ImportedRow  # a row that names its rater is a rating of theirs
    named = select(person.id, person.pseudonym, person.platform, literal(IMPORT)).join(
        row, row.rater == person.pseudonym
    )
    counts: dict[tuple[int, str, str], Counter[str]] = {}
    async with store.database.read() as session:
        known = await standings(session)
        for number, pseudonym, platform, kind in [*await session.execute(query), *await session.execute(named)]:
            counts.setdefault((number, pseudonym, platform), Counter())[kind] += 1
    lines = []
    for (number, name, platform), ratings in counts.items():
        found = collected.panel.raters.get(name)
        shares = {
            kind: held[name] for (kind, fold), held in collected.shares.items() if fold == "train" and name in held
        }
        standing = (
            TAKEN_OUT
            if number in known.voided
            else VOUCHED
            if number in known.vouched
            else _standing(collected.panel, name)
        )
        lines.append(
            RaterLine(
                name,
                platform,
                dict(sorted(ratings.items())),
                found.shared if found else 0,
                found.confirmed if found else 0,
                collected.panel.weight(name),
                standing,
                found.reason if found else _NOTHING,
                dict(sorted(shares.items())),
            )
        )
    return sorted(lines, key=lambda line: (-max(line.shares.values(), default=0.0), line.rater)), collected


def _standing(panel: Panel, name: str) -> str:
    known = panel.raters.get(name)
    return BORNE_OUT if known is not None and known.borne_out else ONE_HEAD


async def print_raters(store: Store, *, discord_permission: str | None, as_json: bool) -> None:
    """Print the report to standard output."""
    lines, collected = await rater_lines(store, discord_permission=discord_permission)
    if as_json:
        print(json.dumps({"method": collected.panel.method, "raters": [asdict(line) for line in lines]}, indent=2))
        return
    console = PlainConsole()
    if not lines:
        console.print("Nobody has rated anything yet.")
        return
    console.print(_table(lines))
    console.print(escape(collected.panel.method), soft_wrap=True)
    for sentence in sentences(lines):
        console.print(sentence, soft_wrap=True)


def _table(lines: list[RaterLine]) -> Table:
    table = Table(title="Raters: how reliable each is, and the share of the training rows that each holds")
    table.add_column("rater", no_wrap=True)  # a name that is cut cannot be copied
    for name in ("ratings", "weight"):
        table.add_column(name, no_wrap=True)
    for name in ("counts as", "holds", "why"):
        table.add_column(name, overflow="fold")
    for line in lines:
        ratings = f"{sum(line.ratings.values())}\n{line.shared} shared\n{line.confirmed} confirmed"
        shares = [f"{line.shares[kind]:.1%} {kind}" for kind in KINDS if kind in line.shares]
        name = f"{line.rater}\n{escape(line.platform)}"
        table.add_row(name, ratings, f"{line.weight:.2f}", line.standing, "\n".join(shares) or "-", line.why)
        table.add_section()
    return table


def sentences(lines: list[RaterLine]) -> list[str]:
    """What the table means, and what an operator can do."""
    standing = Counter(line.standing for line in lines)
    people = len(lines) - standing[TAKEN_OUT]
    found = [
        "Of n people with rows of a kind, somebody whom nobody bears out holds at most 1/n of their weight, somebody "
        f"borne out by others at most {HEADS}/n, and somebody vouched for at most {SHARE:.0%}."
    ]
    if people > 1 and not standing[BORNE_OUT] and not standing[VOUCHED]:
        found.append(
            "Nobody is borne out by others yet, so everybody holds the same share, however much they rated. More "
            "ratings of the same answers change that, and so does `python -m data raters vouch NAME` for people whom "
            "you know."
        )
    if unheard := sum(line.weight < FLOOR and line.standing != TAKEN_OUT for line in lines):
        found.append(f"{unheard} of {people} are too unreliable to be heard.")
    return found
