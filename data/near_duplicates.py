"""Finds near-duplicates among many texts by an index, never by comparing all pairs.

A text's signature is its MinHash (Broder, "On the resemblance and containment of documents", 1997) over character
shingles, as `datasketch` computes it, for many texts at once. The index is locality-sensitive hashing (Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3): a signature is cut into bands, and only texts that
share a band, a bucket, are compared. Buckets are found by sorting, so the index of the new texts is a few arrays; the
stored signatures pass by it once, and nothing about them is kept in memory.

A bucket that holds `FULL` texts is full: it is how one text in a hundred thousand variations stays a linear
amount of work.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from data.spool import Spool

PERMUTATIONS = 64
BYTES = 4 * PERMUTATIONS  # of a signature
FULL = 200  # texts in a bucket
_BANDS, _WIDTH = 14, 4  # datasketch's choice for the threshold 0.5: pairs just above 0.7 are seldom missed
_SIMILAR = 0.7  # the shared part of two texts' shingles; changing one word of ten leaves about 0.8
_SHINGLE = 5
_HASH = 4  # bytes
_KNOWN = 1 << 19  # shingles whose hash is remembered: 10 MiB

Signatures = NDArray[np.uint32]  # (texts, PERMUTATIONS)
Buckets = NDArray[np.uint32]  # (texts, _BANDS)


class Signer:
    """Computes signatures with the installation's key: one that outlives an erased text reveals nothing about it.

    The shingles of many texts are looked up at once, in a table whose slots hold the hash of the last one in each.
    """

    def __init__(self, key: bytes) -> None:
        self._hash = hashlib.blake2b(digest_size=_HASH, key=key)  # copied for each shingle: twice as fast
        # The scheme is datasketch's; stored signatures can be compared within one scheme only.
        self._scale, self._shift = MinHash(num_perm=PERMUTATIONS, scheme="affine32").permutations
        self._one, self._other = np.zeros((2, _KNOWN), dtype=np.uint64)
        self._hashes = np.zeros(_KNOWN, dtype=np.uint32)

    def sign(self, texts: Sequence[str]) -> Signatures:
        """The signatures of normalised texts."""
        sizes = np.fromiter(map(len, texts), np.int64, len(texts))
        counts = np.maximum(1, sizes - _SHINGLE + 1)
        starts = np.cumsum(counts) - counts
        joined = "".join([text.ljust(_SHINGLE, "\0") for text in texts])
        lengths = np.maximum(sizes, _SHINGLE)
        places = np.arange(counts.sum()) + np.repeat(np.cumsum(lengths) - lengths - starts, counts)
        mixed = _mixed(self._hashed(joined, places, np.repeat(np.minimum(sizes, _SHINGLE), counts)))
        found = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
        for column in range(PERMUTATIONS):
            values = mixed * self._scale[column] + self._shift[column]
            found[:, column] = np.minimum.reduceat(values, starts)
        return found

    def forget(self) -> None:
        """Forget the shingles."""
        self._one[:] = self._other[:] = self._hashes[:] = 0

    def _hashed(self, joined: str, places: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The hashes of the shingles at these places, of these sizes."""
        one, other = _names(joined, places, sizes)
        slots = ((_spread(one, other) * np.uint64(_KNOWN)) >> np.uint64(32)).astype(np.int64)
        found = self._hashes[slots]
        left = np.flatnonzero((self._one[slots] != one) | (self._other[slots] != other))
        while len(left):
            # Of the shingles that share a slot one is learnt at a time.
            slot = slots[left]
            new = left[np.unique(slot, return_index=True)[1]]
            self._one[slots[new]], self._other[slots[new]] = one[new], other[new]
            self._hashes[slots[new]] = self._learnt(joined, places[new].tolist(), sizes[new].tolist())
            there = (self._one[slot] == one[left]) & (self._other[slot] == other[left])
            found[left] = self._hashes[slot]
            left = left[~there]
        return found

    def _learnt(self, joined: str, places: list[int], sizes: list[int]) -> NDArray[np.uint32]:
        hashes = []
        for place, size in zip(places, sizes, strict=True):
            state = self._hash.copy()
            state.update(joined[place : place + size].encode())
            hashes.append(state.digest())
        return np.frombuffer(b"".join(hashes), dtype="<u4").astype(np.uint32)


def _names(
    joined: str, places: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Two numbers for each shingle that no other has: its characters and its size. The second is never 0, as it is
    in a slot that holds no shingle yet."""
    characters = np.frombuffer(joined.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    one, two, three, four, five = (characters[places + at] for at in range(_SHINGLE))
    bits = np.uint64(21)  # a character is below 2**21
    size = sizes.astype(np.uint64) + np.uint64(1)
    return ((one << bits) | two) << bits | three, ((four << bits) | five) << bits | size


def _spread(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers below 2**32 that look random."""
    with np.errstate(over="ignore"):
        mixed = one * np.uint64(0x9E3779B97F4A7C15) + other * np.uint64(0xC2B2AE3D27D4EB4F)
    return mixed >> np.uint64(32)


def _mixed(hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """MurmurHash3's finalizer, as datasketch applies it before its permutations."""
    hashes = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    hashes = (hashes ^ (hashes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return hashes ^ (hashes >> np.uint32(16))


def buckets_of(signatures: Signatures) -> Buckets:
    """The bucket of each text in each band. Two texts share one by chance only once in 2**32."""
    halves = np.ascontiguousarray(signatures).view(np.uint64)[:, : _BANDS * _WIDTH // 2]
    return _spread(halves[:, ::2], halves[:, 1::2]).astype(np.uint32)


def alike(signature: NDArray[np.uint32], others: Signatures) -> NDArray[np.bool_]:
    """Which of the others are near-duplicates."""
    found: NDArray[np.bool_] = (others == signature).sum(axis=1) >= _SIMILAR * PERMUTATIONS
    return found


class Shelf:
    """Signatures by number, out of memory: a million of them are a quarter of a gigabyte."""

    def __init__(self, folder: Path) -> None:
        self._spool = Spool(folder)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._spool.size // BYTES

    def add(self, signatures: Signatures) -> None:
        """Write some more."""
        for signature in signatures:
            self._spool.append(signature.tobytes())

    def some(self, numbers: Iterable[int]) -> Signatures:
        """Those with these numbers."""
        raw = b"".join(self._spool.read(BYTES * int(number), BYTES) for number in numbers)
        return np.frombuffer(raw, dtype=np.uint32).reshape(-1, PERMUTATIONS)


class Index:
    """The index of some texts, numbered from 0, by their buckets.

    `neighbours` returns near-duplicates among the texts that were `put` before, each time in the same order.
    """

    def __init__(self, buckets: Buckets, shelf: Shelf) -> None:
        self._shelf = shelf
        shared = [_shared(buckets[:, band], band) for band in range(_BANDS)]
        self._in: dict[int, list[int]] = {}  # text -> its buckets that hold other texts too
        for texts, names in shared:
            for text, name in zip(texts.tolist(), names.tolist(), strict=True):
                self._in.setdefault(text, []).append(name)
        numbers = np.array(sorted(self._in), dtype=np.int64)
        self._place = {number: at for at, number in enumerate(numbers.tolist())}
        self._signatures = shelf.some(numbers)
        self._held: dict[int, list[int]] = {}

    def neighbours(self, text: int) -> list[int]:
        """The near-duplicates of a text among those that were put into the index before."""
        candidates = sorted({other for name in self._in.get(text, ()) for other in self._held.get(name, ())})
        if not candidates:
            return []
        places = [self._place[other] for other in candidates]
        near = alike(self._signatures[self._place[text]], self._signatures[places])
        return [candidates[at] for at in np.flatnonzero(near)]

    def put(self, text: int) -> None:
        """Let later texts find this one."""
        for name in self._in.get(text, ()):
            held = self._held.setdefault(name, [])
            if len(held) < FULL:
                held.append(text)


def _shared(column: NDArray[np.uint32], band: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The texts that share their bucket of one band, and the buckets' names, which no other band uses."""
    order = np.argsort(column, kind="stable")
    values = column[order]
    same = np.zeros(len(values) + 1, dtype=bool)
    same[1:-1] = values[1:] == values[:-1]
    kept = same[1:] | same[:-1]
    return order[kept], (values[kept].astype(np.int64) << 4) | band


def stored_neighbours(
    buckets: Buckets, shelf: Shelf, stored: Iterable[tuple[Sequence[int], Signatures]]
) -> Mapping[int, set[int]]:
    """For each new text the groups of the stored texts that are near-duplicates of it.

    `stored` are batches of groups with signatures.
    """
    found: dict[int, set[int]] = {}
    stored = iter(stored)
    some = next(stored, None)
    if not len(buckets) or some is None:
        return found
    orders = [np.argsort(buckets[:, band], kind="stable").astype(np.int32) for band in range(_BANDS)]
    columns = [buckets[order, band] for band, order in enumerate(orders)]
    taken = np.zeros((_BANDS, len(buckets)), dtype=np.uint8)  # by band and the first place of the bucket
    for groups, signatures in chain([some], stored):
        theirs = buckets_of(signatures)
        pairs: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
        for band, (order, column) in enumerate(zip(orders, columns, strict=True)):
            first = np.searchsorted(column, theirs[:, band], "left")
            there = first < len(column)
            there[there] = column[first[there]] == theirs[there, band]
            for at in np.flatnonzero(there).tolist():
                start = int(first[at])
                size = int(np.searchsorted(column, column[start], "right")) - start
                # As many comparisons for a bucket as if `FULL` new texts met `FULL` stored ones.
                if taken[band, start] < (FULL if size <= FULL else max(1, FULL**2 // size)):
                    taken[band, start] += 1
                    pairs.append(order[start : start + size].astype(np.int64) * len(signatures) + at)
        _compare(np.unique(np.concatenate(pairs)), groups, signatures, shelf, found)
    return found


def _compare(
    pairs: NDArray[np.int64],
    groups: Sequence[int],
    signatures: Signatures,
    shelf: Shelf,
    found: dict[int, set[int]],
) -> None:
    """Add the near-duplicates among pairs of a new text (times the number of stored ones) and a stored one."""
    for start in range(0, len(pairs), 20_000):
        new, old = np.divmod(pairs[start : start + 20_000], len(signatures))
        numbers, places = np.unique(new, return_inverse=True)
        near = (shelf.some(numbers)[places] == signatures[old]).sum(axis=1) >= _SIMILAR * PERMUTATIONS
        for at in np.flatnonzero(near).tolist():
            found.setdefault(int(new[at]), set()).add(groups[int(old[at])])
