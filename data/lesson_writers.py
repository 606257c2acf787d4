"""Where the lessons come from that answers were given: who wrote them, and the conversations that they correct.

A row of such an answer needs its writers' consent too, and the answer may repeat the correction: so it belongs to the
fold of the corrected conversation.
"""

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

# Removed lessons count too: the answer was given with them. FAQs correct nothing.
_SOURCES = """
SELECT helped.version_id, corrected.conversation_id
FROM generation_lessons x
JOIN generations helped ON helped.id = x.generation_id
JOIN lessons l ON l.id = x.lesson_id
JOIN ratings r ON r.id = l.rating_id
JOIN generations corrected ON corrected.id = r.generation_id
WHERE corrected.conversation_id != helped.conversation_id
ORDER BY x.generation_id, x.position
"""


def lesson_writers(connection: sqlite3.Connection) -> dict[int, list[tuple[int | None, int]]]:
    """The authors of the lessons in the prompt of each answer that has some, and when they wrote (microseconds)."""
    found: dict[int, list[tuple[int | None, int]]] = defaultdict(list)
    for generation, author, at in rows(connection, _WRITERS):
        found[generation].append((author, micros(at)))
    return dict(found)


def lesson_sources(connection: sqlite3.Connection) -> dict[int, tuple[int, ...]]:
    """The other conversations whose corrections an answer may repeat, by the version that is the answer's text."""
    found: dict[int, tuple[int, ...]] = {}
    for version, conversation in rows(connection, _SOURCES):
        found[version] = (*found.get(version, ()), conversation)
    return found
