"""Which ratings are current, out of all recorded rating events."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.answers import StoredText
from data.candidates import ERASED, NO_CONSENT
from data.consent import Cover, covered

_LASTING = ("vote", "correction", "comparison", "report")  # they hold until the rater says something else


@dataclass(frozen=True, slots=True)
class RatingEvent:
    """One recorded rating, the text in it (if any), and its rater's pseudonym."""

    rating: schema.Rating
    text: StoredText | None
    rater: str

    @property
    def targets(self) -> tuple[int, ...]:
        """The rated generations: one, or the two that were compared, in the order shown."""
        rating = self.rating
        return (rating.generation_id,) if rating.other_id is None else (rating.generation_id, rating.other_id)

    @property
    def preferred(self) -> int | None:
        """The generation that a comparison prefers; None for a tie and for other kinds of ratings."""
        if self.rating.kind != "comparison":
            return None
        return {"a": self.rating.generation_id, "b": self.rating.other_id}.get(self.rating.value or "")

    def problem(self, since: Mapping[int, Cover]) -> str | None:
        """Why no row may be made of it: its rater did not agree, or its text was erased. None when neither holds."""
        if not covered(self.rating.rater_id, self.rating.created_at, since):
            return NO_CONSENT
        return ERASED if self.text is not None and self.text.text is None else None


async def load_ratings(session: AsyncSession) -> list[RatingEvent]:
    """Every rating event, in the order of recording."""
    query = (
        select(schema.Rating, schema.Person.pseudonym, schema.MessageVersion)
        .join(schema.Person, schema.Person.id == schema.Rating.rater_id)
        .outerjoin(schema.MessageVersion, schema.MessageVersion.id == schema.Rating.text_version_id)
        .order_by(schema.Rating.id)
    )
    return [
        RatingEvent(rating, StoredText(text.text, text.author_id, text.created_at) if text else None, pseudonym)
        for rating, pseudonym, text in await session.execute(query)
    ]


def current_ratings(events: Iterable[RatingEvent]) -> list[RatingEvent]:
    """The current ones: a rater's newest rating of an answer or a pair, without what was taken back or voided."""
    found: dict[int, RatingEvent] = {}
    # The current ratings of each generation, by rater.
    about: dict[int, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for event in events:
        rating = event.rating
        mine = about[rating.generation_id][rating.rater_id]
        replaced: set[int] = set()
        if rating.kind == "void":
            replaced = {i for each in about[rating.generation_id].values() for i in each}
        elif rating.kind == "retraction":
            replaced = {i for i in mine if found[i].rating.kind == "vote"}  # only votes can be taken back
        elif rating.kind in _LASTING:
            pair = set(event.targets)
            replaced = {i for i in mine if found[i].rating.kind == rating.kind and set(found[i].targets) == pair}
        for old in replaced:
            gone = found.pop(old)
            for target in gone.targets:
                about[target][gone.rating.rater_id].discard(old)
        if rating.kind in _LASTING:
            found[rating.id] = event
            for target in event.targets:
                about[target][rating.rater_id].add(rating.id)
    return list(found.values())
