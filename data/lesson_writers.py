"""Who wrote the lessons that answers were given: a row of such an answer needs their consent too."""

import sqlite3
from collections import defaultdict

from data.bulk import micros, rows

# The texts of a FAQ are the operator's, who is responsible for them.
_WRITERS = """
SELECT x.generation_id, v.author_id, v.created_at
FROM generation_lessons x
JOIN lessons l ON l.id = x.lesson_id
JOIN message_versions v ON v.id IN (l.question_id, l.answer_id)
WHERE l.entry IS NULL
ORDER BY x.generation_id, x.position, v.id
"""


def lesson_writers(connection: sqlite3.Connection) -> dict[int, list[tuple[int | None, int]]]:
    """The authors of the lessons in the prompt of each answer that has some, and when they wrote (microseconds)."""
    found: dict[int, list[tuple[int | None, int]]] = defaultdict(list)
    for generation, author, at in rows(connection, _WRITERS):
        found[generation].append((author, micros(at)))
    return dict(found)
