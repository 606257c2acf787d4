"""Shows what an installation holds: rows by persona, language and fold, what is held back and why, and the raters.

At the end it says how far it is to each verdict, and what to do next.
"""

from collections import Counter

from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select

from data import schema
from data.collected import Collected
from data.console import PlainConsole
from data.distance import distance, in_words
from data.fold_shares import SHARES
from data.followups import GOOD
from data.imports import collect_rows
from data.live import pair_on_trial
from data.raters import Panel
from data.rows import KINDS
from data.store import Store


async def print_stats(store: Store, *, discord_permission: str | None) -> None:
    """Print the tables, and how far it is to each verdict, to standard output."""
    trial = pair_on_trial(store.database.path.parent)
    collected = await collect_rows(store, discord_permission=discord_permission, trial=trial)
    console = PlainConsole()
    if not collected.rows and not collected.dropped:
        console.print("Nothing is stored yet. Chat and rate (`make run`), or import rows (`python -m data import`).")
        return
    console.print(_by_persona(collected))
    console.print(_by_fold(collected))
    if collected.followups is not None:
        console.print(_followups(collected.followups, collected.mended))
    if collected.dropped:
        console.print(_held_back(collected))
    if raters := await _raters(store, collected.panel):
        console.print(raters)
        console.print(escape(collected.panel.method))
    for sentence in in_words(distance(collected, collected.trial)):
        console.print(sentence, markup=False, highlight=False)


def _by_persona(collected: Collected) -> Table:
    table = Table("persona", "language", *KINDS, title="Rows that may be used")
    counts: Counter[tuple[str, str, str]] = Counter()
    for use, count in collected.counts().items():
        counts[use.persona or "-", use.language or "-", use.kind] += count
    for persona, language in sorted({key[:2] for key in counts}):
        table.add_row(escape(persona), escape(language), *(str(counts[persona, language, kind]) for kind in KINDS))
    table.add_section()
    table.add_row("all", "", *(str(sum(n for key, n in counts.items() if key[2] == kind)) for kind in KINDS))
    return table


def _by_fold(collected: Collected) -> Table:
    table = Table("fold", *KINDS, title="By fold (only `train` trains the model; `gate` never trains anything)")
    counts: Counter[tuple[str, str]] = Counter()
    for use, count in collected.counts().items():
        counts[use.fold, use.kind] += count
    for fold in SHARES:
        table.add_row(fold, *(str(counts[fold, kind]) for kind in KINDS))
    return table


def _followups(counts: Counter[str], mended: int) -> Table:
    table = Table(
        "what people did next", "says", "messages", title="Follow-up messages that count (docs/followups.md)"
    )
    for kind, good in GOOD.items():
        table.add_row(kind, "good" if good else "bad", str(counts[kind]))
    table.add_section()
    table.add_row("complaint, and the next answer mends it", "better", str(mended))
    return table


def _held_back(collected: Collected) -> Table:
    table = Table("kind", "reason", "rows", title="Held back")
    for kind, reasons in collected.dropped_counts().items():
        for reason, count in reasons.items():
            table.add_row(kind, reason, str(count))
    return table


async def _raters(store: Store, panel: Panel) -> Table | None:
    query = (
        select(schema.Person.pseudonym, schema.Rating.platform, func.count())
        .join(schema.Rating, schema.Rating.rater_id == schema.Person.id)
        .group_by(schema.Person.pseudonym, schema.Rating.platform)
        .order_by(func.count().desc())
    )
    table = Table("rater", "platform", "ratings", "weight", "why", title="Raters, and how much each counts")
    async with store.database.read() as session:
        for pseudonym, platform, count in await session.execute(query):
            known = panel.raters.get(pseudonym)
            weight, why = (f"{known.weight:.2f}", known.reason) if known else ("-", "nothing to weigh them by")
            table.add_row(pseudonym, escape(platform), str(count), weight, why)
    return table if table.row_count else None
