"""The sources of the lessons that answers were given: who wrote them, and the conversations that they correct.

A row of such an answer needs its writers' consent too, and the answer may repeat the correction: so it belongs to the
fold of the corrected conversation. The place that a lesson comes from must allow teaching, too.
"""

import sqlite3
from collections import defaultdict
from typing import NamedTuple

from data.bulk import micros, rows

# The texts of a FAQ without an author are the operator's, who is responsible for them.
_WRITERS = """
SELECT x.generation_id, v.author_id, v.created_at, coalesce(l.platform, s.platform), l.server_id, s.may_teach
FROM generation_lessons x
JOIN lessons l ON l.id = x.lesson_id
JOIN message_versions v ON v.id IN (l.question_id, l.answer_id)
LEFT JOIN servers s ON s.id = l.server_id
WHERE l.entry IS NULL OR v.author_id IS NOT NULL
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


class Writer(NamedTuple):
    """Somebody who wrote a text of a lesson, when (microseconds), and where the lesson comes from.

    `may_teach` is 0 where that server's manager lets nobody teach.
    """

    author: int | None
    at: int
    platform: str
    server: int | None
    may_teach: int | None


def lesson_writers(connection: sqlite3.Connection) -> dict[int, list[Writer]]:
    """The writers of the lessons in the prompt of each answer that has some."""
    found: dict[int, list[Writer]] = defaultdict(list)
    for generation, author, at, *place in rows(connection, _WRITERS):
        found[generation].append(Writer(author, micros(at), *place))
    return dict(found)


def lesson_sources(connection: sqlite3.Connection) -> dict[int, tuple[int, ...]]:
    """The other conversations whose corrections an answer may repeat, by the version that is the answer's text."""
    found: dict[int, tuple[int, ...]] = {}
    for version, conversation in rows(connection, _SOURCES):
        found[version] = (*found.get(version, ()), conversation)
    return found
