import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from data import schema
from data.folds import SHARES, Anchor, assign, fold_of, normalised
from data.home import installation_key
from data.store import Store
from tests.data.talk import script

KEY = b"k" * 32


def sentence(source: random.Random, length: int = 12) -> str:
    return " ".join("".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=6)) for _ in range(length))


SENTENCES = [sentence(random.Random(number)) for number in range(60)]


async def folds(store: Store, *anchors: Anchor | str, key: bytes = KEY) -> list[str | None]:
    wanted = [Anchor(anchor) if isinstance(anchor, str) else anchor for anchor in anchors]
    async with store.database.read() as session:
        return await assign(session, store.database.write, key, wanted)


async def groups(store: Store) -> int:
    async with store.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(schema.FoldGroup))).one()


def test_the_shares_are_kept() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    found = Counter(fold_of(KEY, f"group {number}") for number in range(2000))
    assert set(found) == set(SHARES)
    for fold, share in SHARES.items():
        spread = (share * (1 - share) / 2000) ** 0.5
        assert abs(found[fold] / 2000 - share) < 4 * spread, fold


def test_the_key_decides() -> None:
    names = [f"group {number}" for number in range(50)]
    assert [fold_of(KEY, name) for name in names] == [fold_of(KEY, name) for name in names]
    assert [fold_of(KEY, name) for name in names] != [fold_of(b"l" * 32, name) for name in names]


async def test_folds_are_permanent_in_any_order(store: Store) -> None:
    first = dict(zip(SENTENCES, await folds(store, *SENTENCES), strict=True))
    assert len(set(first.values())) > 1
    before = await groups(store)
    assert before == len(SENTENCES)
    shuffled = random.Random(1).sample(SENTENCES, 40)
    assert await folds(store, *shuffled) == [first[text] for text in shuffled]
    assert (await folds(store, "something new entirely", *SENTENCES))[1:] == list(first.values())
    assert await groups(store) == before + 1


async def test_texts_that_are_not_alike_get_the_same_folds_in_any_order(tmp_path: Path) -> None:
    found = []
    for number, order in enumerate([SENTENCES, SENTENCES[::-1]]):
        store = await Store.open(tmp_path / str(number))
        found.append(dict(zip(order, await folds(store, *order), strict=True)))
        await store.close()
    assert found[0] == found[1]


@pytest.mark.process
async def test_another_process_agrees(house: Path, store: Store) -> None:
    key = installation_key(house)
    mine = await folds(store, *SENTENCES[:20], key=key)
    await store.close()
    program = """
import asyncio, pathlib, sys
from data.folds import Anchor, assign
from data.home import installation_key
from data.store import Store
async def main():
    house = pathlib.Path(sys.argv[1])
    store = await Store.open(house)
    async with store.database.read() as session:
        wanted = [Anchor(text) for text in sys.argv[2:]]
        print(*await assign(session, store.database.write, installation_key(house), wanted))
asyncio.run(main())
"""
    # With small edits: the stored signatures must mean the same in another process.
    edited = [text + " x" for text in SENTENCES[:20]]
    process = script(house, "-c", program, str(house), *edited, PYTHONHASHSEED="7")
    out, errors = process.communicate()
    assert out.split() == mine, errors


QUESTION = "What is the best way to learn the violin as an adult who has never played an instrument before?"


@pytest.mark.parametrize(
    "other",
    [
        QUESTION.upper(),
        QUESTION.rstrip("?") + "!!!",
        "  " + QUESTION.replace(" ", "  \n"),
        QUESTION.replace("violin", "“violin”"),
        QUESTION.replace("an adult", "a adult"),
        QUESTION.replace("instrument", "instrumment"),
        "Hey, " + QUESTION,
        QUESTION.translate({ord(a): ord(a) + 0xFEE0 for a in "adult?"}),  # full-width letters
    ],
)
async def test_near_duplicates_share_a_group(store: Store, other: str) -> None:
    assert len(set(await folds(store, QUESTION, other))) == 1
    assert await groups(store) == 1
    assert len(set(await folds(store, other, QUESTION))) == 1


@pytest.mark.parametrize(("one", "other"), [("你好，世界！", "你好 世界"), ("Don't!", "dont"), ("HI", "hi...")])
async def test_short_texts_differ_by_words_only(store: Store, one: str, other: str) -> None:
    assert normalised(one) == normalised(other)
    await folds(store, one, other)
    assert await groups(store) == 1


async def test_texts_with_different_meanings_are_different_groups(store: Store) -> None:
    texts = [QUESTION, "How do I bake bread?", "How do I fix a bike?", "hi", "ho", "你好", "再见", "!!!", "???", ""]
    await folds(store, *texts)
    assert await groups(store) == len(texts)


async def test_rows_of_one_conversation_share_a_fold(store: Store) -> None:
    found = await folds(store, *(Anchor(text, "c1") for text in SENTENCES), Anchor("hi", "c2"))
    assert len(set(found[:-1])) == 1
    assert await groups(store) == 2
    # A text that opens like a row of that conversation belongs to its group, in any call.
    assert await folds(store, *SENTENCES) == found[:-1]
    assert await folds(store, Anchor("never seen", "c1"), Anchor("never seen too", "c1")) == found[:2]
    assert await groups(store) == 2


async def test_neither_text_nor_its_plain_hash_is_stored(store: Store, house: Path) -> None:
    await folds(store, Anchor("my secret text", "conversation-name"))
    async with store.database.read() as session:
        members = (await session.scalars(select(schema.FoldMember))).all()
    other = await Store.open(house.parent / "other")
    await folds(other, Anchor("my secret text", "conversation-name"), key=b"l" * 32)
    async with other.database.read() as session:
        others = (await session.scalars(select(schema.FoldMember))).all()
    await other.close()
    assert not {member.fingerprint for member in members} & {member.fingerprint for member in others}
    signature, theirs = (
        next(member.signature for member in found if member.signature) for found in (members, others)
    )
    assert len(signature) == len(theirs) == 256
    assert signature != theirs  # without the key a signature cannot be compared with a guess


async def test_a_conversation_of_one_fold_brings_no_words_of_another_into_it(store: Store) -> None:
    """An edited message or a trimmed history changes how a conversation opens, perhaps to a text that judges."""
    by_fold = dict(zip(await folds(store, *SENTENCES), SENTENCES, strict=True))
    await folds(store, Anchor(by_fold["train"], "c"), Anchor(by_fold["gate"], "d"))
    assert await folds(store, Anchor(by_fold["gate"], "c")) == [None]
    assert await folds(store, Anchor(by_fold["gate"] + " x", "c")) == [None]  # nearly the same words
    assert await folds(store, Anchor(by_fold["gate"], "d"), by_fold["gate"]) == ["gate", "gate"]
    assert await folds(store, Anchor("words that nobody said before", "c")) == ["train"]


async def test_a_fold_assigned_meanwhile_counts_and_nobody_waits_for_the_long_work(store: Store) -> None:
    opened: list[int] = []

    @asynccontextmanager
    async def writing() -> AsyncIterator[AsyncSession]:
        if not opened:
            opened.append(1)
            # Somebody else was faster, and put a near-duplicate into a group with another conversation.
            theirs.extend(await folds(store, Anchor(QUESTION, "c")))
        async with store.database.write() as session:
            yield session

    theirs: list[str | None] = []
    async with store.database.read() as session:
        mine = await assign(session, writing, KEY, [Anchor(QUESTION.upper(), "d"), Anchor("something else", "c")])
    assert mine == [theirs[0], theirs[0]]
    assert await groups(store) == 1

    def never() -> Any:
        raise AssertionError("nothing is new, so nothing is written")

    async with store.database.read() as session:
        assert await assign(session, never, KEY, [Anchor(QUESTION), Anchor("something else", "c")]) == mine
