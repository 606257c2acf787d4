"""Finds the rows of the review queue.

They come from `data.datasets`, as those of rounds do, without drawing folds: a row whose conversation has no fold yet
is shown too, since it may train. Ties and the rows of the other folds train no model, so they are left out.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data.beside import answer_parent
from data.candidates import FOLLOWUP
from data.collected import Collected, Shelved
from data.database import NAME
from data.datasets import collect
from data.fold_shares import NEW
from data.home import installation_key
from data.imported import imported_id
from data.origins import Origins
from data.review import (
    CAPPED,
    DISPUTED,
    FOLLOWED,
    FULL,
    IMPORTED,
    PAGE,
    QUESTION,
    RAISED,
    REASONS,
    UNSURE,
    Filters,
    NoSuchPage,
    NoSuchRow,
    Page,
    Queued,
)
from data.row import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAME = 1e-3  # relative; weights are shown less precisely


def review(database: Path, key: bytes, filters: Filters, page: int = 1, *, discord_permission: str | None) -> Page:
    """A page of the queue. It reads everything and blocks: call it in a thread. Raises `NoSuchPage`."""
    queue = _Queue(database, key, discord_permission)
    found = sorted(queue.found(filters), key=lambda each: each.at, reverse=True)
    pages = max(1, -(-len(found) // PAGE))
    if not 1 <= page <= pages:
        raise NoSuchPage(f"There is no page {page}; the last one is {pages}.")
    shown = tuple(found[(page - 1) * PAGE : page * PAGE])
    return Page(shown, page, pages, len(found), tuple(queue.left_out()))


def answers_behind(database: Path, key: bytes, row: str, *, discord_permission: str | None) -> list[int]:
    """The answers whose ratings make a row of the queue. It blocks as `review` does. Raises `NoSuchRow`."""
    queue = _Queue(database, key, discord_permission)
    if not any(each.voidable and each.row.id == row for each in queue.found(Filters())):
        raise NoSuchRow("The next round would not train on this row.")
    return queue.origins.answers(row)


class _Queue:
    """All rows of the queue, in no order."""

    def __init__(self, database: Path, key: bytes, permission: str | None) -> None:
        self.origins = Origins()
        self._collected: Collected = collect(
            database, database, key, discord_permission=permission, draws=False, origins=self.origins
        )

    def found(self, filters: Filters) -> Iterator[Queued]:
        """Those that the filters leave."""
        rows, word = self._collected.rows, filters.word.casefold()
        assert isinstance(rows, Shelved)  # `collect` makes no others
        before = rows.shelf.weights
        for number in rows.numbers:
            fold, raters = rows.shelf.fold(number), rows.shelf.raters_of(number)
            if fold not in ("train", NEW) or (filters.rater and filters.rater not in raters):
                continue
            row = rows.shelf.row(number)
            if (filters.kind and row.kind != filters.kind) or (word and not _says(row, word)):
                continue
            claims = rows.shelf.claims_of(number)
            reasons = self._reasons(row, float(before[number]), claims)
            if filters.reason and filters.reason not in reasons:
                continue
            panel = self._collected.panel
            yield Queued(
                row,
                self._at(row),
                tuple((name, panel.weight(name)) for name in raters),
                float(row.extra["weight"]),
                float(before[number]),
                reasons,
                fold != NEW,
                row.kind != "prompt" and bool(self.origins.answers(row.id)),
            )

    def left_out(self) -> Iterator[tuple[str, str, int]]:
        """What the rounds cannot use now: the kind, the reason, how many."""
        for kind, reasons in self._collected.dropped_counts().items():
            yield from ((kind, reason, count) for reason, count in reasons.items())

    def _at(self, row: Row) -> datetime:
        at = self.origins.imported.get(imported_id(row.kind, row.id), 0)
        return _EPOCH + timedelta(microseconds=self.origins.at(row.id) or at)

    def _reasons(self, row: Row, before: float, claims: tuple[float, ...]) -> tuple[str, ...]:
        weight, source, made = float(row.extra["weight"]), row.extra.get("source"), self.origins.answers(row.id)
        if made and row.kind == "prompt":
            return (QUESTION,)
        says = {
            IMPORTED: not made,
            FOLLOWED: source == FOLLOWUP,
            UNSURE: any(claim < 1 for claim in claims),
            DISPUTED: bool(made) and row.id in self.origins.disputed,
            CAPPED: bool(claims) and weight < before * (1 - _SAME),
            RAISED: bool(claims) and weight > before * (1 + _SAME),
        }
        return tuple(reason for reason in REASONS if says.get(reason)) or (FULL,)


def _says(row: Row, word: str) -> bool:
    """Whether what people or models said contains a text, whatever its case; the persona's text does not count."""
    return any(
        word in message["content"].casefold()
        for part in row.parts
        for message in row.data[part]
        if message["role"] != "system"
    )


def _answer(asked: dict[str, Any]) -> str:
    home, permission = Path(asked["home"]), asked["discord_permission"]
    path, key = home / NAME, installation_key(home)
    try:
        if "row" in asked:
            found: Any = answers_behind(path, key, asked["row"], discord_permission=permission)
        else:
            filters = Filters(**asked["filters"])
            found = review(path, key, filters, asked["page"], discord_permission=permission).to_json()
    except (NoSuchPage, NoSuchRow) as error:
        return json.dumps({"missing": str(error)})
    return json.dumps({"found": found})


if __name__ == "__main__":
    raise SystemExit(answer_parent(_answer))
