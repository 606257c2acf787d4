"""Which rows train and which judge: permanent folds of groups of near-duplicate conversations.

A keyed hash of a row's group decides its fold once, and the fold is stored; so no text trains in one round and judges
in the next, and nobody without the installation's key can aim a text at a fold. Near-duplicates are found by MinHash
(Broder, "On the resemblance and containment of documents", 1997) over character shingles.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from datasketch import MinHash, MinHashLSH
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from data.home import keyed_hash
from data.schema import FoldGroup, FoldMember

# The share of each fold. `gate` decides on promotion and never trains anything; `judge_train` trains judges, that is,
# models of people's preferences, and `judge` checks them.
SHARES: dict[str, float] = {"train": 0.70, "judge_train": 0.10, "judge": 0.05, "gate": 0.15}
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


def fold_of(key: bytes, group: str) -> str:
    """The fold of a group: a keyed hash of its name, compared with the shares."""
    point = int(keyed_hash(key, "fold", group)[:13], 16) / 16**13
    for fold, share in SHARES.items():
        if point < share:
            return fold
        point -= share
    return next(reversed(SHARES))


def normalised(text: str) -> str:
    """The text without differences that do not matter: case, width, punctuation and spacing."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(re.findall(r"\w+", plain)) or plain.strip()


async def assign(
    reading: AsyncSession,
    writing: Callable[[], AbstractAsyncContextManager[AsyncSession]],
    key: bytes,
    anchors: Sequence[Anchor],
) -> list[str | None]:
    """The folds of rows with these anchors, in order; new groups are stored in a session of `writing`.

    None where the conversation belongs to one fold and the text to another: such a row would carry training text into
    judging, so it can be used for neither. The long work is done before `writing` is opened, because other writers
    wait from then on.
    """
    book = await _Book.read(reading, key, {})
    folds = [book.place(anchor) for anchor in anchors]
    if not book.new:
        return folds
    async with writing() as session:
        if await session.scalar(select(func.count()).select_from(FoldMember)) != book.stored:
            # Somebody else assigned folds meanwhile, or `reading` is a snapshot and the live database knows more.
            book = await _Book.read(session, key, book.signatures)
            folds = [book.place(anchor) for anchor in anchors]
        session.add_all([each for each in book.new if isinstance(each, FoldGroup)])
        await session.flush()
        session.add_all([each for each in book.new if isinstance(each, FoldMember)])
    return folds


class _Book:
    """The groups and their members: the stored ones and the new ones."""

    def __init__(self, key: bytes, made: Mapping[str, MinHash]) -> None:
        self.key, self.made = key, made
        self.groups: dict[str, str] = {}  # group -> fold
        self.members: dict[str, str] = {}  # fingerprint of a text or a conversation -> group
        self.signatures: dict[str, MinHash] = {}
        self.index = MinHashLSH(threshold=_CANDIDATE, num_perm=_PERMUTATIONS)
        self.stored = 0
        self.new: list[FoldGroup | FoldMember] = []

    @classmethod
    async def read(cls, session: AsyncSession, key: bytes, made: Mapping[str, MinHash]) -> "_Book":
        """The groups and members in a database. `made` holds signatures that need not be computed again."""
        book = cls(key, made)
        book.groups = dict((await session.execute(select(FoldGroup.group_id, FoldGroup.fold))).all())
        for member in await session.scalars(select(FoldMember)):
            book.stored += 1
            book.members[member.fingerprint] = member.group_id
            if member.signature:
                book._index(member.fingerprint, _from_bytes(member.signature))
        return book

    def place(self, anchor: Anchor) -> str | None:
        """The fold of an anchor; its group and members are added when they are new. None for two folds."""
        text = normalised(anchor.text)
        fingerprint = keyed_hash(self.key, "text", text)
        conversation = keyed_hash(self.key, "conversation", anchor.conversation) if anchor.conversation else None
        by_conversation, by_text = self.members.get(conversation or ""), self.members.get(fingerprint)
        signature = None
        if by_text is None:
            signature = self.made.get(fingerprint) or _signature(text, self.key)
            alike = ((signature.jaccard(self.signatures[name]), name) for name in self.index.query(signature))
            near, name = max(alike, default=(0.0, ""))  # the nearest, so that every process decides alike
            by_text = self.members[name] if near >= _SIMILAR else None
        if by_conversation and by_text and self.groups[by_conversation] != self.groups[by_text]:
            return None
        group = by_conversation or by_text or fingerprint
        if group not in self.groups:
            self.groups[group] = fold_of(self.key, group)
            self.new.append(FoldGroup(group_id=group, fold=self.groups[group]))
        if signature is not None:
            self._index(fingerprint, signature)
            self._add(fingerprint, group, _to_bytes(signature))
        if conversation is not None and conversation not in self.members:
            self._add(conversation, group, b"")
        return self.groups[group]

    def _index(self, fingerprint: str, signature: MinHash) -> None:
        self.signatures[fingerprint] = signature
        self.index.insert(fingerprint, signature, check_duplication=False)

    def _add(self, fingerprint: str, group: str, signature: bytes) -> None:
        self.members[fingerprint] = group
        self.new.append(FoldMember(fingerprint=fingerprint, group_id=group, signature=signature))


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
