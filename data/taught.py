"""What people taught a release, as counts: for the round's report, for a watch, and for what members are told.

Only numbers, and names of personas: nobody's words, and nobody's name.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from data.candidates import FEEDBACK, FOLLOWUP
from data.manifests import Entries
from data.row import Row, content_id

# The sources of made-up secrets, and of shipped rows that a quick round repeats.
CANARY, SHIPPED = "canary", "shipped"


@dataclass(frozen=True, kw_only=True)
class Taught(Entries):
    """How many corrections, comparisons, thumbs, imported rows and rows of follow-up messages trained a release.

    A correction makes a demonstration and a preference, and counts once. `mended` are the preferences of an answer
    after a complaint over the one before it. `personas` counts the rows by persona.
    """

    corrections: int = 0
    comparisons: int = 0
    thumbs: int = 0
    imported: int = 0
    followups: int = 0
    mended: int = 0
    personas: dict[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether it was taught anything."""
        people = self.corrections or self.comparisons or self.thumbs or self.followups or self.mended
        return bool(people or self.imported)


def taught(rows: Iterable[Row], corrections: Iterable[Row] = ()) -> Taught:
    """Count the rows that stages train on. `corrections` are the demonstrations of the snapshot, trained on or not:
    by them the preference that a correction made is told from a comparison."""
    right = {claim(row) for row in corrections if _source(row) == FEEDBACK}
    corrected: set[str] = set()
    counts: Counter[str] = Counter()
    personas: Counter[str] = Counter()
    for row in rows:
        if row.kind == "prompt" or _source(row) in (CANARY, SHIPPED):
            continue
        if persona := row.extra.get("persona"):
            personas[str(persona)] += 1
        if _source(row) == FOLLOWUP:
            counts["mended" if row.kind == "preference" else "followups"] += 1
        elif _source(row) != FEEDBACK:
            counts["imported"] += 1
        elif row.kind == "labelled":
            counts["thumbs"] += 1
        elif row.kind == "demonstration" or claim(row) in right:
            corrected.add(claim(row))
        else:
            counts["comparisons"] += 1
    return Taught(
        corrections=len(corrected),
        comparisons=counts["comparisons"],
        thumbs=counts["thumbs"],
        imported=counts["imported"],
        followups=counts["followups"],
        mended=counts["mended"],
        personas=dict(personas.most_common()),
    )


def in_words(found: Taught, people: int) -> str:
    """The counts as a sentence; for operators, in English."""
    parts = [
        _counted(found.corrections, "correction"),
        _counted(found.comparisons, "comparison"),
        _counted(found.thumbs, "thumb"),
        _counted(found.imported, "imported row"),
        _counted(found.followups, "follow-up message"),
        _counted(found.mended, "mended complaint"),
    ]
    who = f"{_counted(people, 'person').replace('persons', 'people')}: " if people else ""
    return f"It learnt from {who}{', '.join(filter(None, parts))}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}" if count else ""


def _source(row: Row) -> Any:
    return row.extra.get("source")


def claim(row: Row, *, system: bool = True) -> str:
    """A hash of a question and the answer that this row teaches: of a preference, the chosen one.

    Without `system`, system prompts do not count: a row that names a persona gets the persona's with its import.
    """
    if row.kind == "demonstration":
        prompt, answer = row.messages[:-1], row.messages[-1:]
    else:
        prompt, answer = row.data["prompt"], row.data["chosen" if row.kind == "preference" else "completion"]
    if not system:
        prompt = [message for message in prompt if message["role"] != "system"]
    return content_id({"prompt": prompt, "completion": answer})
