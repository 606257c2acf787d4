"""The stored groups of near-duplicate conversations, with their folds and members, read and written in bulk.

Fingerprints are keyed hashes; in memory 8 bytes of each stand for it.
"""

import hashlib
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.bulk import batches, reading, writing
from data.near_duplicates import PERMUTATIONS, Shelf, Signatures
from data.times import now

_BATCH = 5000  # members that are written in one transaction: other writers wait for it
_MEMBER = "INSERT INTO fold_members (fingerprint, group_id, signature) VALUES (?, ?, ?)"
_GROUP = "INSERT INTO folds (group_id, fold, assigned_at) VALUES (?, ?, ?)"
_NEWEST = "SELECT coalesce(max(rowid), 0) FROM fold_members"

Names = NDArray[np.uint64]


class Meanwhile(Exception):
    """Somebody else stored members since these were read."""


class Member(NamedTuple):
    """A new member of a group. `fold` is that of a new group; `signed` is the number of its signature, or -1."""

    fingerprint: bytes
    group: str
    fold: str | None
    signed: int


class Book:
    """What a database knows of groups at one moment. Groups are numbered from 0."""

    def __init__(self, connection: sqlite3.Connection, database: Path) -> None:
        self._connection, self._database = connection, database
        self._newest: int = connection.execute(_NEWEST).fetchone()[0]
        self.folds: list[str] = []
        self._rowids: list[int] = []
        names: list[Names] = [np.empty(0, dtype=np.uint64)]
        for some in batches(connection, "SELECT rowid, group_id, fold FROM folds ORDER BY rowid"):
            self._rowids += [row[0] for row in some]
            self.folds += [_FOLD.setdefault(row[2], row[2]) for row in some]
            names.append(_names([row[1] for row in some]))
        all_names = np.concatenate(names)
        self._order = np.argsort(all_names)
        self._names = all_names[self._order]

    @classmethod
    @contextmanager
    def open(cls, database: Path) -> "Iterator[Book]":
        """Read the groups of a database; their members are read when they are asked for."""
        with reading(database) as connection:
            yield cls(connection, database)

    def name(self, group: int) -> str:
        """The whole name of a group."""
        query = "SELECT group_id FROM folds WHERE rowid = ?"
        found: str = self._connection.execute(query, (self._rowids[group],)).fetchone()[0]
        return found

    def texts(self) -> Names:
        """The names of all texts that have a signature, sorted."""
        query = "SELECT substr(fingerprint, 1, 16) FROM fold_members WHERE signature != x''"
        found = [np.empty(0, dtype=np.uint64)]
        found += [_names([row[0] for row in some]) for some in batches(self._connection, query)]
        return np.sort(np.concatenate(found))

    def groups_of(self, fingerprints: Sequence[int]) -> "array[int]":
        """The group of each of these texts or conversations; -1 for those that are not stored."""
        wanted = np.array(fingerprints, dtype=np.uint64)
        order = np.argsort(wanted)
        ordered = wanted[order]
        found = np.full(len(wanted), -1, dtype=np.int64)
        for some in batches(self._connection, "SELECT substr(fingerprint, 1, 16), group_id FROM fold_members"):
            members = _names([row[0] for row in some])
            places = np.searchsorted(ordered, members)
            there = places < len(ordered)
            there[there] = ordered[places[there]] == members[there]
            at = np.flatnonzero(there)
            if len(at):
                found[order[places[at]]] = self._numbers([some[each][1] for each in at.tolist()])
        return array("q", found.tobytes())

    def signatures(self) -> Iterator[tuple[list[int], Signatures]]:
        """The stored signatures with the groups of their texts, some at a time."""
        query = "SELECT group_id, signature FROM fold_members WHERE signature != x'' ORDER BY rowid"
        for some in batches(self._connection, query):
            raw = np.frombuffer(b"".join(row[1] for row in some), dtype="<u4").astype(np.uint32)
            yield self._numbers([row[0] for row in some]).tolist(), raw.reshape(len(some), PERMUTATIONS)

    def _numbers(self, groups: Sequence[str]) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self._order[np.searchsorted(self._names, _names(groups))]
        return found

    def store(self, members: Iterator[Member], shelf: Shelf) -> None:
        """Write new members, group by group, and the groups that they begin. Raises `Meanwhile` if there are others
        now.

        Each group is written with a member, so that a kill leaves none without any.
        """
        begun = ""
        at = now().strftime("%Y-%m-%d %H:%M:%S.%f")
        while some := list(islice(members, _BATCH)):
            groups = []
            for member in some:
                if member.fold is not None and member.group != begun:
                    begun = member.group
                    groups.append((member.group, member.fold, at))
            raw = iter(shelf.some(member.signed for member in some if member.signed >= 0).astype("<u4"))
            rows = [(m.fingerprint.hex(), m.group, next(raw).tobytes() if m.signed >= 0 else b"") for m in some]
            self._write(groups, rows)

    def _write(self, groups: list[tuple[str, str, str]], members: list[tuple[str, str, bytes]]) -> None:
        with writing(self._database) as connection:
            if connection.execute(_NEWEST).fetchone()[0] != self._newest:
                raise Meanwhile
            connection.executemany(_GROUP, sorted(groups))
            connection.executemany(_MEMBER, sorted(members))
            self._newest = connection.execute(_NEWEST).fetchone()[0]


_FOLD: dict[str, str] = {}  # one text for each fold's name, however many groups have it


def _names(texts: Sequence[str]) -> Names:
    """The numbers that stand for hexadecimal names; a name of another form stands for itself by a hash."""
    try:
        raw = bytes.fromhex("".join(text[:16].rjust(16, "g") for text in texts))
        return np.frombuffer(raw, dtype=">u8").astype(np.uint64)
    except ValueError:
        return np.array([_named(text) for text in texts], dtype=np.uint64)


def _named(text: str) -> int:
    try:
        return int(text[:16].rjust(16, "g"), 16)
    except ValueError:
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
