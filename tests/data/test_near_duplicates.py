"""The index finds what `datasketch` finds, text by text, and never compares everything with everything."""

import asyncio
import hashlib
import random
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH

from data import near_duplicates
from data.anchors import Anchor
from data.database import NAME
from data.folds import assign
from data.near_duplicates import FULL, Index, Shelf, Signer, buckets_of, stored_neighbours
from data.store import Store

KEY = b"k" * 32


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of few words, many of them nearly the same."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(2, 6))) for _ in range(300)]
    found = ["".join(draw.choices(words, k=draw.randint(0, 14))) for _ in range(count)]
    for _ in range(count // 4):
        copy = list(draw.choice(found) or "abc")
        copy[draw.randrange(len(copy))] = "z"
        found.append("".join(copy))
    return list(
        dict.fromkeys([*found, "", "a", "a\0\0", "a\0\0\0\0", "你好，世界", "请问明天下午博物馆几点开门😀谢谢"])
    )


def plainly(text: str) -> MinHash:
    """The signature of one text as earlier versions computed it."""
    made = MinHash(
        num_perm=64,
        scheme="affine32",
        hashfunc=lambda raw: int.from_bytes(hashlib.blake2b(raw, digest_size=4, key=KEY).digest(), "little"),
    )
    made.update_batch([text[at : at + 5].encode() for at in range(max(1, len(text) - 4))])
    return made


def test_signatures_are_those_that_are_stored_already() -> None:
    some = texts(60)
    for text, signature in zip(some, Signer(KEY).sign(some), strict=True):
        assert (signature == plainly(text).hashvalues).all(), text


def test_signatures_do_not_depend_on_the_texts_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    some = texts(40)
    whole = Signer(KEY).sign(some)
    monkeypatch.setattr(near_duplicates, "_KNOWN", 3)  # shingles are forgotten all the time
    signer = Signer(KEY)
    assert (np.concatenate([signer.sign([text]) for text in some]) == whole).all()


def test_the_index_and_the_stored_texts_that_pass_by_find_what_datasketch_finds(tmp_path: Path) -> None:
    some = texts(400)
    half = len(some) // 2
    signatures = Signer(KEY).sign(some)
    plain = [plainly(text) for text in some]
    known = MinHashLSH(threshold=0.5, num_perm=64)
    wanted: list[set[int]] = []
    for number, signature in enumerate(plain):
        wanted.append({int(o) for o in known.query(signature) if signature.jaccard(plain[int(o)]) >= 0.7})
        known.insert(number, signature)
    assert sum(map(len, wanted)) > 50

    shelf = Shelf(tmp_path)
    shelf.add(signatures)
    index = Index(buckets_of(signatures), shelf)
    for number, others in enumerate(wanted):
        assert set(index.neighbours(number)) == others
        index.put(number)

    new = Shelf(tmp_path)
    new.add(signatures[half:])
    parts = [(list(range(at, min(at + 50, half))), signatures[at : min(at + 50, half)]) for at in range(0, half, 50)]
    found = stored_neighbours(buckets_of(signatures[half:]), new, parts)
    for number in range(half, len(some)):
        assert found.get(number - half, set()) == {other for other in wanted[number] if other < half}


@pytest.mark.played
def test_a_thousand_variations_of_a_text_are_not_compared_with_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = 0
    alike = near_duplicates.alike

    def counting(signature: object, others: object) -> object:
        nonlocal compared
        compared += len(others)  # type: ignore[arg-type]  # handed on as they came
        return alike(signature, others)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(near_duplicates, "alike", counting)
    question = "what is the best way to learn the violin as an adult who has never played an instrument before"
    some = [Anchor(f"{question} {number}") for number in range(1000)]
    asyncio.run(_made(tmp_path))
    found = assign(tmp_path / NAME, KEY, some)
    assert set(found) == {"train"}
    assert compared < 1000 * 3 * FULL  # all pairs are half a million


async def _made(home: Path) -> None:
    await (await Store.open(home)).close()
