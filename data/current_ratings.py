"""Which ratings hold now, of all the events that were recorded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.answers import Text
from data.candidates import ERASED, NO_CONSENT
from data.consent import Cover, covered


@dataclass(frozen=True, slots=True)
class Rated:
    """One event of feedback, the words in it, and its rater's pseudonym."""

    rating: schema.Rating
    text: Text | None
    rater: str

    @property
    def targets(self) -> tuple[int, ...]:
        """The generations that it is about: one, or the two that were compared, in the order shown."""
        rating = self.rating
        return (rating.generation_id,) if rating.other_id is None else (rating.generation_id, rating.other_id)

    @property
    def preferred(self) -> int | None:
        """The generation that a comparison says is better; None for a tie and for all else."""
        if self.rating.kind != "comparison":
            return None
        return {"a": self.rating.generation_id, "b": self.rating.other_id}.get(self.rating.value or "")

    def problem(self, since: Mapping[int, Cover]) -> str | None:
        """Why nothing may be made of it: its rater did not agree, or the words in it were erased."""
        if not covered(self.rating.rater_id, self.rating.created_at, since):
            return NO_CONSENT
        return ERASED if self.text is not None and self.text.text is None else None


async def load_ratings(session: AsyncSession) -> list[Rated]:
    """Every event, in the order in which they were recorded."""
    query = (
        select(schema.Rating, schema.Person.pseudonym, schema.MessageVersion)
        .join(schema.Person, schema.Person.id == schema.Rating.rater_id)
        .outerjoin(schema.MessageVersion, schema.MessageVersion.id == schema.Rating.text_version_id)
        .order_by(schema.Rating.id)
    )
    return [
        Rated(rating, Text(text.text, text.author_id, text.created_at) if text else None, pseudonym)
        for rating, pseudonym, text in await session.execute(query)
    ]


def standing(events: Iterable[Rated]) -> list[Rated]:
    """What holds now of the events: a rater's newest word on an answer or a pair, nothing taken back or made void."""
    found: dict[int, Rated] = {}
    # Which standing ratings are about a generation, by who gave them.
    about: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for event in events:
        rating = event.rating
        mine = about[rating.generation_id][rating.rater_id]
        replaced: set[int] = set()
        if rating.kind == "void":
            replaced = {i for each in about[rating.generation_id].values() for i in each}
        elif rating.kind == "retraction":
            replaced = {i for i in mine if found[i].rating.kind == "vote"}  # what taking back takes back
        elif rating.kind in ("vote", "correction", "comparison"):
            pair = set(event.targets)
            replaced = {i for i in mine if found[i].rating.kind == rating.kind and set(found[i].targets) == pair}
        for old in replaced:
            gone = found.pop(old)
            for target in gone.targets:
                about[target][gone.rating.rater_id].discard(old)
        if rating.kind in ("vote", "correction", "comparison"):
            found[rating.id] = event
            for target in event.targets:
                about[target][rating.rater_id].add(rating.id)
    return list(found.values())
