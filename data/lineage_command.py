"""`python -m data lineage`: which rounds and releases learnt from somebody."""

from collections.abc import Sequence

from rich.table import Table

from data.console import PlainConsole
from data.erasure import FORGOTTEN, erased_rows
from data.home import home, installation_key
from data.lineage import Learnt, learnt_from, starts, trained_rounds
from data.row_ids import imported_rows_of, rows_of
from data.schema import Person
from data.store import Store


async def lineage(store: Store, name: str | None) -> None:
    """Print the rounds and releases that learnt from a person; with None, from people who left.

    Raises `BadInput` when there is nobody with this name.
    """
    console, where = PlainConsole(), home()
    pseudonym = None
    async with store.database.read() as session:
        if name is None:
            ids = await erased_rows(session, FORGOTTEN)
        else:
            person = await store.person_named(name)
            pseudonym = (await session.get_one(Person, person)).pseudonym
            ids = await rows_of(session, installation_key(where), person)
            ids |= await imported_rows_of(session, pseudonym)
    found = learnt_from(trained_rounds(where), starts(where), ids, pseudonym)
    whom = name or "somebody who left"
    if not found:
        console.print(f"No round has learnt from {whom}.")
    else:
        console.print(_table(found, whom))
        console.print("Only rows that a stage of the round read are counted; no stage reads the gate's rows.")
    if name is None:
        if found:
            console.print(
                "From whom they learnt is not kept. A round from the base trains without the rows of people who left."
            )
    elif not ids:
        console.print(
            f"The store holds no row of {whom}. If they left, which rows were theirs is no longer known: see `python "
            "-m data lineage` without a name."
        )


def _table(found: Sequence[Learnt], whom: str) -> Table:
    table = Table("round", "release", "rows that trained it", "rows of its judge", title=f"What learnt from {whom}")
    table.add_column("how else")
    for each in found:
        more = [f"continues release {', '.join(map(str, each.continues))}"] if each.continues else []
        more += ["among its raters"] if each.rated else []
        release = "-" if each.release is None else str(each.release)
        table.add_row(str(each.round), release, str(each.trained), str(each.judged), "; ".join(more))
    return table
