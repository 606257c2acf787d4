"""Which rows train and which judge: permanent folds of groups of near-duplicate conversations.

A group gets its fold once, and the fold is stored; so no text trains in one round and judges in the next. The first
group trains. A new group goes to one of the folds that have fewer rows than their share, drawn by a keyed hash: the
shares hold from the first conversations on, and nobody without the installation's key can aim a text at a fold.
Near-duplicates are found by MinHash (Broder, "On the resemblance and containment of documents", 1997) over character
shingles.
"""

import hashlib
import math
import re
import secrets
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from datasketch import MinHash, MinHashLSH
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.fold_shares import NEW, SHARES
from data.home import keyed_hash
from data.schema import FoldGroup, FoldMember

_PERMUTATIONS = 64
_SCHEME: Literal["affine32"] = "affine32"  # datasketch's; stored signatures are only comparable within one scheme
_SIMILAR = 0.7  # the shared part of two texts' shingles; changing one word of ten leaves about 0.8
_CANDIDATE = 0.5  # an index for 0.7 would miss half of the pairs just above it, so it proposes more
_SHINGLE = 5


@dataclass(frozen=True, slots=True)
class Anchor:
    """What decides a row's group: the conversation that it comes from, if any, and the text that opens it."""

    text: str
    conversation: str | None = None


def draw(key: bytes, group: str, rows: int, held: Mapping[str, int]) -> str:
    """The fold of a new group with `rows` rows, where `held` counts the rows that each fold has so far.

    The keyed hash of the group's name draws among the folds that lack rows, each as likely as it lacks many. So no
    fold ever takes more than its share of all rows and one group. Two rules are for the first conversations: no other
    fold gets more rows than train has, and folds that are empty and should have a whole group go first.
    """
    total = sum(held.values()) + rows
    lacks = {fold: share * total - held.get(fold, 0) for fold, share in SHARES.items()}
    most = {fold: float(held.get("train", 0)) for fold in SHARES} | {"train": math.inf}
    open_ = {fold: lack for fold, lack in lacks.items() if lack > 0 and held.get(fold, 0) + rows <= most[fold]}
    open_ = {fold: lack for fold, lack in open_.items() if lack >= rows and not held.get(fold)} or open_
    point = int(keyed_hash(key, "fold", group)[:13], 16) / 16**13 * sum(open_.values())
    for fold, lack in open_.items():
        if point < lack:
            return fold
        point -= lack
    return next(reversed(open_))


def normalised(text: str) -> str:
    """The text without differences that do not matter: case, width, punctuation and spacing."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(re.findall(r"\w+", plain)) or plain.strip()


def fingerprint(key: bytes, text: str) -> str:
    """The name of a text among the members of groups."""
    return keyed_hash(key, "text", normalised(text))


async def assign(
    reading: AsyncSession,
    writing: Callable[[], AbstractAsyncContextManager[AsyncSession]] | None,
    key: bytes,
    anchors: Sequence[Anchor],
) -> list[str | None]:
    """The folds of rows with these anchors, in order; new groups are stored in a session of `writing`.

    `anchors` are those of all rows that may be used now, one a row: their number says which folds lack rows. None
    where a row touches two folds, as when its conversation belongs to one and its text to another: it would carry
    training text into judging, so it can be used for neither. The long work is done before `writing` is opened,
    because other writers wait from then on. Without `writing` nothing is drawn and stored: new groups have the fold
    `NEW`, so that whoever may only look never learns which fold something will get.
    """
    book = await _Book.read(reading, key, {})
    folds = book.place(anchors, draws=writing is not None)
    if writing is None or not book.new:
        return folds
    async with writing() as session:
        if await session.scalar(select(func.count()).select_from(FoldMember)) != book.stored:
            # Somebody else assigned folds meanwhile, or `reading` is a snapshot and the live database knows more.
            book = await _Book.read(session, key, book.signatures)
            folds = book.place(anchors)
        session.add_all([each for each in book.new if isinstance(each, FoldGroup)])
        await session.flush()
        session.add_all([each for each in book.new if isinstance(each, FoldMember)])
    return folds


class _Book:
    """The groups and their members: the stored ones and the new ones.

    New groups that turn out to be one are merged; `merged` says into which. Stored groups stay as they are.
    """

    def __init__(self, key: bytes, made: Mapping[str, MinHash]) -> None:
        self.key, self.made = key, made
        self.folds: dict[str, str] = {}  # group -> fold, for groups that have one
        self.merged: dict[str, str] = {}
        self.members: dict[str, str] = {}  # fingerprint of a text or a conversation -> group
        self.signatures: dict[str, MinHash] = {}
        self.unread: dict[str, bytes] = {}  # stored signatures, read when the first new text comes
        self.index = MinHashLSH(threshold=_CANDIDATE, num_perm=_PERMUTATIONS)
        self.stored = 0
        self.added: list[str] = []  # the fingerprints of new members
        self.new: list[FoldGroup | FoldMember] = []

    @classmethod
    async def read(cls, session: AsyncSession, key: bytes, made: Mapping[str, MinHash]) -> "_Book":
        """The groups and members in a database. `made` holds signatures that need not be computed again."""
        book = cls(key, made)
        book.folds = dict((await session.execute(select(FoldGroup.group_id, FoldGroup.fold))).all())
        members = select(FoldMember.fingerprint, FoldMember.group_id, FoldMember.signature)
        for fingerprint, group, signature in await session.execute(members):
            book.stored += 1
            book.members[fingerprint] = group
            if signature:
                book.unread[fingerprint] = signature
        return book

    def place(self, anchors: Sequence[Anchor], *, draws: bool = True) -> list[str | None]:
        """The fold of each anchor.

        New groups get theirs one after the other, the small ones first: otherwise a large one would fill its fold,
        and people with many small ones would get more of the others. Groups of one size come in the order of a keyed
        hash, so that the order of people's questions decides nothing.
        """
        groups = [self._group(anchor) for anchor in anchors]
        rows = Counter(self._root(group) for group in groups if group is not None)
        held = Counter[str]()
        for group in rows.keys() & self.folds.keys():
            held[self.folds[group]] += rows[group]
        new = [(count, keyed_hash(self.key, "order", name), name) for name, count in rows.items()]
        stored: dict[str, str] = {}  # a group's name as it is stored: one that is made of a text would outlive it
        for _, _, group in sorted(each for each in new if each[2] not in self.folds):
            fold = self.folds[group] = draw(self.key, group, rows[group], held) if draws else NEW
            held[fold] += rows[group]
            stored[group] = secrets.token_hex(32)
            self.new.append(FoldGroup(group_id=stored[group], fold=fold))
        for name in self.added:
            signature, group = self.signatures.get(name), self._root(self.members[name])
            self.new.append(
                FoldMember(
                    fingerprint=name,
                    group_id=stored.get(group, group),
                    signature=_to_bytes(signature) if signature is not None else b"",
                )
            )
        return [None if group is None else self.folds[self._root(group)] for group in groups]

    def _group(self, anchor: Anchor) -> str | None:
        """The group of an anchor; its members are added when they are new. None for two folds."""
        text = normalised(anchor.text)
        name = fingerprint(self.key, text)
        if name not in self.members:
            signature = self.made.get(name) or _signature(text, self.key)
            alike = self._alike(signature)
            if len({self.folds[group] for group in alike if group in self.folds}) > 1:
                return None
            self._add(name, name)
            self._index(name, signature)
            for group in sorted(alike):
                self._join(name, group)
        group = self.members[name]
        if anchor.conversation:
            conversation = keyed_hash(self.key, "conversation", anchor.conversation)
            if conversation not in self.members:
                self._add(conversation, group)
            elif not self._join(group, self.members[conversation]):
                return None
        return group

    def _alike(self, signature: MinHash) -> set[str]:
        """The groups that hold a near-duplicate of a text."""
        while self.unread:
            name, raw = self.unread.popitem()
            self._index(name, _from_bytes(raw))
        found: set[str] = set()
        for name in self.index.query(signature):
            group = self._root(self.members[name])
            if group not in found and signature.jaccard(self.signatures[name]) >= _SIMILAR:
                found.add(group)
        return found

    def _join(self, one: str, other: str) -> bool:
        """Make one group of two, as far as they have no fold yet. False if they belong to different folds."""
        one, other = self._root(one), self._root(other)
        if one in self.folds and other in self.folds:
            return self.folds[one] == self.folds[other]
        if one != other:
            # The name is the same in whatever order the texts come: it decides the fold.
            kept = one if one in self.folds else other if other in self.folds else min(one, other)
            self.merged[other if kept == one else one] = kept
        return True

    def _root(self, group: str) -> str:
        while (kept := self.merged.get(group)) is not None:
            if (next_ := self.merged.get(kept)) is not None:
                self.merged[group] = next_  # a shorter way next time
            group = kept
        return group

    def _index(self, fingerprint: str, signature: MinHash) -> None:
        self.signatures[fingerprint] = signature
        self.index.insert(fingerprint, signature, check_duplication=False)

    def _add(self, fingerprint: str, group: str) -> None:
        self.members[fingerprint] = group
        self.added.append(fingerprint)


def _keyed_shingle_hash(key: bytes) -> Callable[[bytes], int]:
    # Keyed, so that a signature that outlives an erased text reveals nothing about it.
    return lambda raw: int.from_bytes(hashlib.blake2b(raw, digest_size=4, key=key).digest(), "little")


def _signature(text: str, key: bytes) -> MinHash:
    signature = MinHash(num_perm=_PERMUTATIONS, scheme=_SCHEME, hashfunc=_keyed_shingle_hash(key))
    shingles = {text[start : start + _SHINGLE] for start in range(max(1, len(text) - _SHINGLE + 1))}
    signature.update_batch([shingle.encode() for shingle in sorted(shingles)])
    return signature


def _to_bytes(signature: MinHash) -> bytes:
    return np.asarray(signature.hashvalues, dtype="<u4").tobytes()


def _from_bytes(raw: bytes) -> MinHash:
    values = np.frombuffer(raw, dtype="<u4").astype(np.uint32)
    return MinHash(num_perm=_PERMUTATIONS, scheme=_SCHEME, hashvalues=values)
