"""Finds the lessons whose question is similar to a new one: SQLite's full-text index (FTS5, BM25) in memory.

The index holds what the database holds already, and dies with the process: there is no second copy of anybody's words
on disk. Questions enter it when they are first searched, and leave it when they were erased or removed
(`LessonBook.forget_erased`).

English words are reduced to their stems (FTS5's Porter tokenizer). Chinese, Japanese and Korean have no spaces, so
each pair of neighbouring characters counts as a word. BM25 finds the candidates. Its scores depend on how many
lessons there are, so another measure says whether a candidate is similar to the question at all: the cosine of the
two questions' rare words. The questions of the shipped rows say how rare a word is. Two questions that each name
something rare which the other does not name are about different things ("the capital of France", "the capital of
Peru"). Words such as "which" name nothing, however rare they are there.
"""

import json
import math
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path

from data.database import chunks

# What the cosine must be at least. `python -m tests.bench.lessons` measures what it lets through (docs/lessons.md).
LIKE = 0.48
_CANDIDATES, _MOST = 30, 8  # lessons that BM25 finds, and that a search returns
_RARE = 4.6  # the weight of a word that one question in a hundred has
_LONGEST = 2000  # characters of a question that are looked at
_WORD = re.compile(r"\w+")
# Scripts without spaces between words: kana, Han with its extensions, Hangul.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+")
# English words that name nothing. "US", "May" and "am" are not among them, and neither is what tells two times or
# places apart, such as "before". Pairs of Chinese characters never count as names.
_FUNCTION_WORDS = """
a an the this that these those some any each every all both either neither no not
who whom whose which what when where why how whether if as than then because while though although
and or but nor so yet there here just also too only very please
i you he she it we they one me him her them my your his its our their mine yours myself yourself themselves
be is are was were been being do does did done doing have has had having
can could will would shall should might must ought
of in on at to from for with by about into onto upon
s t d m ll re ve don doesn didn isn aren wasn weren hasn haven hadn couldn wouldn shouldn
"""
_SEED = Path(__file__).with_name("seed")

Stems = frozenset[str]


def words(text: str) -> list[str]:
    """The words of a text before stemming: whole words, or pairs of characters where there are no spaces."""
    found: list[str] = []
    for word in _WORD.findall(text[:_LONGEST].lower()):
        place = 0
        for run in _UNSPACED.finditer(word):
            found += [word[place : run.start()]] if run.start() > place else []
            said = run[0]
            found += [said[at : at + 2] for at in range(len(said) - 1)] or [said]
            place = run.end()
        found += [word[place:]] if place < len(word) else []
    return found


class LessonIndex:
    """Questions by the numbers of their lessons. It may be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stems: dict[int, Stems] = {}
        self._rows, self._stemmer = _table(), _Stemmer()

    def missing(self, lessons: Collection[int]) -> list[int]:
        """Those of these lessons that the index does not hold yet."""
        return sorted(set(lessons) - self._stems.keys())

    def held(self) -> list[int]:
        """The lessons whose questions the index holds."""
        return list(self._stems)

    def add(self, questions: Mapping[int, str]) -> None:
        """Add questions by the numbers of their lessons, some at a time: other threads search in between."""
        for some in chunks(questions):
            with self._lock:
                for number in some:
                    said = words(questions[number])
                    self._rows.execute(
                        "INSERT OR REPLACE INTO said(rowid, words) VALUES (?, ?)", (number, " ".join(said))
                    )
                    self._stems[number] = self._stemmer.stems(said)

    def drop(self, lessons: Collection[int]) -> None:
        """Forget questions; what the index held of them is overwritten."""
        with self._lock:
            gone = [number for number in lessons if self._stems.pop(number, None) is not None]
            if gone:
                self._rows.executemany("DELETE FROM said WHERE rowid = ?", ((number,) for number in gone))
                self._rows.execute("INSERT INTO said(said) VALUES ('optimize')")

    def nearest(self, question: str, among: Collection[int]) -> list[tuple[int, float]]:
        """The lessons of `among` that are similar to a question, with the cosine: most similar first, then newest."""
        said = words(question)
        if not said or not among:
            return []
        asked = " OR ".join(f'"{word}"' for word in dict.fromkeys(said))
        # The plus keeps SQLite from searching once for each lesson: with 500 of them that takes 40 times as long.
        query = (
            "SELECT rowid FROM said WHERE said MATCH ? AND +rowid IN (SELECT value FROM json_each(?))"
            " ORDER BY bm25(said), rowid DESC LIMIT ?"
        )
        with self._lock:
            found = self._rows.execute(query, (asked, json.dumps(sorted(among)), _CANDIDATES)).fetchall()
            mine = self._stemmer.stems(said)
            scored = [(number, likeness(mine, self._stems[number])) for (number,) in found]
        scored.sort(key=lambda each: (-each[1], -each[0]))
        return [each for each in scored if each[1] >= LIKE][:_MOST]


def likeness(one: Stems, other: Stems) -> float:
    """How similar two questions are, from 0 to 1; 0 where each names something rare that the other does not."""
    if any(map(_names, one - other)) and any(map(_names, other - one)):
        return 0.0
    of_one, of_other = _weight(one), _weight(other)
    return _weight(one & other) / math.sqrt(of_one * of_other) if of_one and of_other else 0.0


def _names(stem: str) -> bool:
    """Whether a word names something; pairs of characters that cross two words would all seem rare."""
    return not _UNSPACED.match(stem) and stem not in _function_stems() and _rarity(stem) >= _RARE


def _weight(stems: Stems) -> float:
    return sum(_rarity(stem) ** 2 for stem in stems)


def _rarity(stem: str) -> float:
    """The logarithm of how many questions there are for each one with this word."""
    counts, questions = _background()
    return math.log((questions + 1) / (counts.get(stem, 0) + 0.5))


@cache
def _background() -> tuple[Mapping[str, int], int]:
    """In how many questions of the shipped rows each stem is, and how many questions there are."""
    said = list(shipped_questions())
    with closing(_table()) as table:
        table.executemany("INSERT INTO said(words) VALUES (?)", ((" ".join(words(each)),) for each in said))
        table.execute("CREATE VIRTUAL TABLE counts USING fts5vocab(said, 'row')")
        return dict(table.execute("SELECT term, doc FROM counts")), len(said)


def shipped_questions() -> Iterator[str]:
    """What people ask in the shipped rows."""
    for path in sorted(_SEED.glob("*/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for message in row.get("messages") or row.get("prompt") or ():
                if message["role"] == "user":
                    yield message["content"]


def _table() -> sqlite3.Connection:
    table = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    table.execute("PRAGMA secure_delete=ON")
    table.execute("CREATE VIRTUAL TABLE said USING fts5(words, tokenize='porter unicode61')")
    return table


@cache
def _function_stems() -> Stems:
    return _Stemmer().stems(_FUNCTION_WORDS.split())


class _Stemmer:
    """Finds the stems of words. FTS5 keeps its stemmer to itself, so the words are indexed and read back."""

    def __init__(self) -> None:
        self._table = _table()
        self._table.execute("CREATE VIRTUAL TABLE found USING fts5vocab(said, 'row')")

    def stems(self, said: list[str]) -> Stems:
        """The stems of some words."""
        self._table.execute("INSERT OR REPLACE INTO said(rowid, words) VALUES (1, ?)", (" ".join(said),))
        found = frozenset(term for (term,) in self._table.execute("SELECT term FROM found"))
        self._table.execute("DELETE FROM said")
        return found
