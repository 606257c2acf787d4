"""Which rows may be trained on, and which judge: permanent folds of groups of near-duplicate conversations.

A row's fold is decided by a keyed hash of its group, once, and stored; so no text is trained on in one round and
judges in the next, and nobody without the installation's key can aim a text at a fold. Near-duplicates are found by
MinHash (Broder, "On the resemblance and containment of documents", 1997) over character shingles.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from datasketch import MinHash, MinHashLSH
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from data.home import keyed_hash
from data.schema import FoldGroup, FoldMember

# The share of each fold. `gate` decides on promotion and trains nothing, ever; `judge_train` and `judge` are for
# judges, that learn from people's preferences and are checked against them.
SHARES: dict[str, float] = {"train": 0.70, "judge_train": 0.10, "judge": 0.05, "gate": 0.15}
_PERMUTATIONS = 64
_SCHEME: Literal["affine32"] = "affine32"  # of datasketch; stored signatures are only comparable within one
_SIMILAR = 0.7  # of two texts' shingles; one word of ten changed is about 0.8
_CANDIDATE = 0.5  # an index for 0.7 alone would miss half of what is just above it, so it proposes more
_SHINGLE = 5


@dataclass(frozen=True, slots=True)
class Anchor:
    """What decides a row's group: the conversation it comes from, if any, and the words that open it."""

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
    """The text without what does not make it another: case, width, punctuation, spacing."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(re.findall(r"\w+", plain)) or plain.strip()


async def assign(session: AsyncSession, key: bytes, anchors: Iterable[Anchor]) -> list[str]:
    """The folds of rows with these anchors, in order; new groups are stored in the session's transaction."""
    stored = await session.execute(select(FoldGroup.group_id, FoldGroup.fold))
    groups: dict[str, str] = dict(stored.all())
    members: dict[str, str] = {}
    signatures: dict[str, MinHash] = {}
    index = MinHashLSH(threshold=_CANDIDATE, num_perm=_PERMUTATIONS)
    for member in await session.scalars(select(FoldMember)):
        members[member.fingerprint] = member.group_id
        if member.signature:
            signatures[member.fingerprint] = _from_bytes(member.signature)
            index.insert(member.fingerprint, signatures[member.fingerprint], check_duplication=False)
    folds = []
    for anchor in anchors:
        text = normalised(anchor.text)
        fingerprint = keyed_hash(key, "text", text)
        conversation = keyed_hash(key, "conversation", anchor.conversation) if anchor.conversation else None
        known = members.get(conversation or "") or members.get(fingerprint)
        signature = None
        if fingerprint not in members:
            signature = _signature(text, key)
            alike = ((signature.jaccard(signatures[name]), name) for name in index.query(signature))
            near, name = max(alike, default=(0.0, ""))  # the nearest: the same answer in every process
            known = known or (members[name] if near >= _SIMILAR else None)
        group = known or fingerprint
        if group not in groups:
            groups[group] = fold_of(key, group)
            session.add(FoldGroup(group_id=group, fold=groups[group]))
            await session.flush()
        if signature is not None:
            members[fingerprint] = group
            signatures[fingerprint] = signature
            index.insert(fingerprint, signature, check_duplication=False)
            session.add(FoldMember(fingerprint=fingerprint, group_id=group, signature=_to_bytes(signature)))
        if conversation is not None and conversation not in members:
            members[conversation] = group
            session.add(FoldMember(fingerprint=conversation, group_id=group, signature=b""))
        folds.append(groups[group])
    return folds


def _keyed_shingle_hash(key: bytes) -> Callable[[bytes], int]:
    # Keyed, so that a signature that outlives an erased text tells nothing about it.
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
