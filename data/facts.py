"""What rows need to know of every answer, as a few numbers each: texts pass by once, and only their hashes stay.

The numbers that stand for texts are Python's keyed hashes, which differ from process to process: they only tell two
texts apart.
"""

import hashlib
import sqlite3
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.bulk import Grouped, micros, rows
from data.candidates import EDITED, ERASED, NO_CONSENT, NOT_HERE, OTHER_MODEL, OUTSIDE, UNFINISHED
from data.chat import prompt_messages
from data.home_base import other_model
from data.known import Known, within
from data.lesson_writers import Writer, lesson_writers

# Why no row may be made of an answer, by number; 0 stands for none.
PROBLEMS: tuple[str | None, ...] = (None, ERASED, EDITED, NOT_HERE, OUTSIDE, NO_CONSENT, UNFINISHED, OTHER_MODEL)
_NUMBER = {problem: number for number, problem in enumerate(PROBLEMS)}

Numbers = NDArray[np.int64]

_ANSWERS = """
SELECT g.id, g.conversation_id, g.rendered_sha256, g.finish_reason, g.system_prompt_id, g.version_id, v.text,
       c.platform, c.server_id, s.may_teach, p.text, p.server, g.model
FROM generations g
JOIN conversations c ON c.id = g.conversation_id
JOIN system_prompts p ON p.id = g.system_prompt_id
JOIN message_versions v ON v.id = g.version_id
LEFT JOIN servers s ON s.id = c.server_id
ORDER BY g.id
"""
_CONTEXTS = """
SELECT x.generation_id, x.version_id, coalesce(m.role, 'user'), v.author_id, v.created_at, v.text
FROM generation_context x
CROSS JOIN message_versions v ON v.id = x.version_id
LEFT JOIN messages m ON m.id = v.message_id
ORDER BY x.generation_id, x.position
"""
_CHANGED = """
SELECT message_id, id, text FROM message_versions
WHERE message_id IN (SELECT message_id FROM message_versions WHERE message_id IS NOT NULL
                     GROUP BY message_id HAVING count(*) > 1)
ORDER BY message_id, id
"""


@dataclass(frozen=True, slots=True)
class Facts:
    """All answers, in the order of their numbers: an array each, and places in these arrays stand for answers.

    `rendered` and `prompt` name what the answer was given, as it was rendered and as messages; `item` names it with
    the answer, in an order that is as good as random; `text` names the plain answer. `unfinished` is the problem of a
    row that does not need the answer, `problem` that of one that does.
    """

    generation: Numbers
    server: Numbers  # -1 for none
    asker: Numbers  # whose question it is; -1 for nobody known
    rendered: Numbers
    prompt: Numbers
    text: Numbers
    item: NDArray[np.uint64]
    erased: NDArray[np.bool_]  # the answer itself
    empty: NDArray[np.bool_]
    unfinished: NDArray[np.uint8]
    problem: NDArray[np.uint8]
    teaches: NDArray[np.bool_]  # whether what was said here may teach
    outside: NDArray[np.bool_]  # whether everybody in it lets an outside judge read it
    same: Numbers  # the answer that represents it: the first usable one with the same text and prompt

    def place(self, generations: Sequence[int] | Numbers) -> Numbers:
        """The places of answers with these numbers."""
        return np.searchsorted(self.generation, np.asarray(generations, dtype=np.int64))


def plain(text: str) -> str:
    """A text without differences in spacing."""
    return " ".join(text.split())


def read_facts(connection: sqlite3.Connection, known: Known) -> Facts:
    """Read the answers of a database, one after the other."""
    reader = _Reader(known, _edited(connection), lesson_writers(connection))
    contexts = Grouped(rows(connection, _CONTEXTS))
    for answer in rows(connection, _ANSWERS):
        reader.add(answer, contexts.of(answer[0]))
    return reader.facts()


def _edited(connection: sqlite3.Connection) -> set[int]:
    """The versions whose message says something else now. An edit that was undone changes nothing."""
    found: set[int] = set()
    message: int | None = None
    versions: list[tuple[int, str | None]] = []
    for number, version, text in [*rows(connection, _CHANGED), (None, 0, None)]:
        if number != message:
            found.update(each for each, said in versions if said != versions[-1][1])
            message, versions = number, []
        versions.append((version, text))
    return found


class _Reader:
    """Takes the answers one after the other."""

    def __init__(self, known: Known, edited: set[int], taught: Mapping[int, Sequence[Writer]]) -> None:
        self._known, self._edited, self._taught = known, edited, taught
        self._numbers = array("q")  # generation, server, asker, rendered, prompt, text of each answer
        self._items = array("Q")
        self._flags = array("B")  # erased, empty, unfinished, problem, teaches, outside of each answer

    def add(self, answer: tuple[Any, ...], context: list[tuple[Any, ...]]) -> None:
        """Add the next answer."""
        number, _, rendered, finish, prompt, version, text, platform, server, may_teach, system, *_ = answer
        # Of an erased prompt there is no hash: then its newest text names it.
        rendered = rendered or f"#{context[-1][0] if context else 0}"
        turns = [(role, author, said or "") for _, role, author, _, said in context]
        edited = bool(self._edited) and any(each[0] in self._edited for each in context)
        if edited:
            self._edited.add(version)  # later answers come later in this order
        lessons = self._taught.get(number, ())  # an answer may repeat a lesson that it was given
        writers = [(each.author, each.at) for each in lessons]
        # An answer with an author is what a client of the API says that an assistant said.
        people = (each for each in context if each[1] != "assistant" or each[2] is not None)
        writers += [(author, micros(at)) for _, _, author, at, _ in people]
        authors = None if answer[11] is None else self._known.authors.get(prompt, ())
        gone = (authors is not None and not system) or text is None or None in [each[4] for each in context]
        held = self._teaches(server, platform, may_teach, [author for author, _ in writers])
        for each in lessons:
            held = held or self._teaches(each.server, each.platform, each.may_teach, [each.author])
        if gone:
            problem: str | None = ERASED
        elif edited:
            problem = EDITED
        else:
            problem = held
            if held is None and not self._covered(self._known.since, authors, writers):
                problem = NO_CONSENT
        whole = problem or (UNFINISHED if finish != "stop" or not text.strip() else self._other(answer[12]))
        said = "" if text is None else plain(text)
        messages = prompt_messages(system, turns)
        self._numbers.extend(
            (
                number,
                -1 if server is None else server,
                -1 if not writers or writers[-1][0] is None else writers[-1][0],
                hash(rendered),
                hash("\x00".join(f"{m['role']}\x01{m['content']}" for m in messages)),
                hash(said),
            )
        )
        item = f"{rendered}:{f'#{number}' if text is None else said}"
        self._items.append(int.from_bytes(hashlib.sha256(item.encode()).digest()[:8], "big"))
        outside = bool(self._known.outside) or not (authors or writers)
        outside = outside and self._covered(self._known.outside, authors, writers)
        self._flags.extend((text is None, not text, _NUMBER[problem], _NUMBER[whole], held is None, outside))

    def _teaches(
        self, server: int | None, platform: str, may_teach: int | None, authors: list[int | None]
    ) -> str | None:
        if may_teach == 0:  # a direct conversation has no manager to ask
            return NOT_HERE
        return None if self._known.teachers.teach_in(server, platform, authors) else OUTSIDE

    def _other(self, model: str | None) -> str | None:
        """What another model answered teaches this home's model nothing, unless the operator wants that."""
        return OTHER_MODEL if other_model(model) and not self._known.limits.other_models else None

    def _covered(self, covers: Any, authors: Any, writers: list[tuple[int | None, int]]) -> bool:
        """Whether everybody who wrote a part of the prompt had consented when they wrote it, its persona too."""
        if authors is not None and not (authors and all(within(covers, person, at) for person, at in authors)):
            return False
        return all(within(covers, person, at) for person, at in writers)

    def facts(self) -> Facts:
        """All that was added."""
        numbers = np.frombuffer(self._numbers, dtype=np.int64).reshape(-1, 6)
        flags = np.frombuffer(self._flags, dtype=np.uint8).reshape(-1, 6)
        generation, server, asker, rendered, prompt, text = (np.ascontiguousarray(each) for each in numbers.T)
        item = np.frombuffer(self._items, dtype=np.uint64)
        empty, problem = flags[:, 1].astype(bool), np.ascontiguousarray(flags[:, 3])
        return Facts(
            generation=generation,
            server=server,
            asker=asker,
            rendered=rendered,
            prompt=prompt,
            text=text,
            item=item,
            erased=flags[:, 0].astype(bool),
            empty=empty,
            unfinished=np.ascontiguousarray(flags[:, 2]),
            problem=problem,
            teaches=flags[:, 4].astype(bool),
            outside=flags[:, 5].astype(bool),
            same=_same(item, empty, problem == 0),
        )


def _same(item: NDArray[np.uint64], empty: NDArray[np.bool_], usable: NDArray[np.bool_]) -> Numbers:
    """At a low temperature ↻ often gives the same text again, and a rating of one copy is a rating of all."""
    places = np.arange(len(item))
    order = np.lexsort((places, ~usable, item))
    ordered = item[order]
    new = np.ones(len(item), dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    found = np.empty(len(item), dtype=np.int64)
    found[order] = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    found[empty] = places[empty]
    return found
