"""What the model sees of a conversation."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import history
from data.chat import GENERIC_CONTROL, harmless_messages
from data.store import StoredMessage


def stored(number: int, role: str, text: str, author: int | None = 1) -> StoredMessage:
    return StoredMessage(number, number, 1, role, text, author, number - 1 or None, datetime.now(UTC))


def cost(turns: list[StoredMessage]) -> int:
    return sum(4 + len(turn.text) for turn in turns)


conversations = st.lists(st.tuples(st.sampled_from(["user", "assistant"]), st.text(max_size=30)), max_size=24).map(
    lambda turns: [
        stored(number, role, text) for number, (role, text) in enumerate([*turns, ("user", "the newest")], start=1)
    ]
)


class Counted:
    """Counts the tokens of the prompt that begins at a turn, and keeps which were counted."""

    def __init__(self, turns: list[StoredMessage], token_bytes: float = 0.0) -> None:
        self.turns = turns
        self.token_bytes = token_bytes
        self.asked: list[int] = []

    async def __call__(self, start: int) -> int:
        self.asked.append(start)
        if not self.token_bytes:
            return cost(self.turns[start:])
        return 60 + sum(5 + int(len(turn.text.encode()) / self.token_bytes) for turn in self.turns[start:])


@settings(deadline=None)
@given(conversations, st.integers(0, 900))
async def test_trimming_keeps_the_budget_the_order_the_pairs_and_the_newest(turns: list[StoredMessage], budget: int):
    shown = history.shown(turns)
    count = Counted(shown)
    start = await history.beginning(shown, count, budget)
    assert shown[-1].text == "the newest"
    if start is None:
        assert cost(shown[-1:]) > budget
        return
    kept = shown[start:]
    assert cost(kept) <= budget
    assert kept == [turn for turn in turns if turn in kept]
    assert kept[-1] is turns[-1]
    assert kept[0].role == "user"
    # never inside a pair: what was dropped ends with an answer, or the newest message stands alone
    assert start == 0 or shown[start - 1].role == "assistant" or len(kept) == 1
    assert start == 0 or cost(shown) > budget
    assert len(set(count.asked)) == len(count.asked) <= 12


@settings(deadline=None)
@given(st.lists(st.integers(1, 400), min_size=4, max_size=150), st.integers(900, 2000), st.data())
async def test_a_history_begins_at_the_same_place_for_many_turns(sizes: list[int], budget: int, data: st.DataObject):
    """Tokens that no cache has: those of new messages, and the whole prompt whenever its beginning moves."""
    turns: list[StoredMessage] = []
    begun: list[int] = []
    computed = 0
    for number, size in enumerate(sizes, start=1):
        role = "user" if number % 2 else "assistant"
        turns.append(stored(number, role, data.draw(st.sampled_from("aé")) * size))
        if role == "user":
            start = await history.beginning(turns, Counted(turns), budget)
            assert start is not None
            moved = bool(begun) and start != begun[-1]
            computed += cost(turns[start:]) if moved else cost(turns[-2:])
            begun.append(start)
    assert begun == sorted(begun)
    assert computed <= 4.5 * cost(turns)


async def test_an_early_turn_begins_where_it_did_when_it_is_asked_again():
    turns = [stored(number, "user" if number % 2 else "assistant", "word " * 20) for number in range(1, 200)]
    begun = [await history.beginning(turns[:end], Counted(turns[:end]), 2000) for end in range(1, 200, 2)]
    branch = [*turns[:99], stored(500, "assistant", "another answer"), stored(501, "user", "and another question")]
    assert await history.beginning(branch, Counted(branch), 2000) == begun[50]
    assert [await history.beginning(turns[:end], Counted(turns[:end]), 2000) for end in range(1, 200, 2)] == begun
    assert len(set(begun)) < 30  # of 100 turns with 208 tokens each


@pytest.mark.simulation
async def test_more_turns_than_are_ever_sent_begin_at_the_same_place_too():
    turns = [stored(number, "user" if number % 2 else "assistant", "hm") for number in range(1, 1400)]
    begun = [await history.beginning(turns[:end], Counted(turns[:end]), 10**6) for end in range(1, 1400, 2)]
    kept = [end - start for end, start in zip(range(1, 1400, 2), begun, strict=True) if start is not None]
    assert max(kept) <= history.TURNS
    assert min(kept[history.TURNS :]) >= history.TURNS // 3
    assert len(set(begun)) < 16


@pytest.mark.parametrize(
    ("text", "token_bytes", "most"),
    [("word ", 4.5, 2.0), ("ein Wort, 2. ", 3.5, 2.5), ("字", 3.0, 2.5), ("字", 1.5, 3.5)],
)
async def test_where_a_history_begins_takes_few_counts(text: str, token_bytes: float, most: int):
    asked: list[int] = []
    for end in range(1, 300, 2):
        turns = [
            stored(number, "user" if number % 2 else "assistant", text * (1 + number * number % 30))
            for number in range(1, end + 1)
        ]
        count = Counted(turns, token_bytes)
        if await history.beginning(turns, count, 1000):
            asked.append(len(count.asked))
        else:
            assert len(count.asked) <= 2  # the second where it looks longer than it is
    assert len(asked) > 20
    assert sum(asked) <= most * len(asked)
    assert max(asked) <= 5


async def test_a_conversation_that_fits_is_counted_once():
    turns = [stored(1, "user", "a"), stored(2, "assistant", "b"), stored(3, "user", "c")]
    count = Counted(turns)
    assert await history.beginning(turns, count, 100) == 0
    assert count.asked == [0]


def test_erased_and_empty_messages_and_orphaned_answers_are_not_shown():
    turns = [stored(1, "assistant", "left over"), stored(2, "user", "a"), stored(3, "assistant", " ")]
    assert [turn.message for turn in history.shown([*turns, stored(4, "user", "b")])] == [2, 4]


@given(st.lists(st.sampled_from([*GENERIC_CONTROL, "a", " ", "<|", "|>", "im_end"]), max_size=12).map("".join))
def test_nothing_that_is_sent_holds_a_control_string(text: str):
    prompt = history.prompt(text, [stored(1, "user", text)], GENERIC_CONTROL)
    for message in prompt.messages:
        assert not any(control in message["content"] for control in GENERIC_CONTROL)
    assert list(prompt.messages) == harmless_messages(prompt.messages, GENERIC_CONTROL)


def test_people_are_called_the_same_wherever_the_history_is_cut():
    talk = [("user", 7), ("assistant", None), ("user", 8), ("assistant", None), ("user", 9), ("user", 8)]
    path = [stored(number, role, f"text {number}", author) for number, (role, author) in enumerate(talk, start=1)]
    called = {9: "Ida"}

    def said(start: int) -> tuple[list[str], list[str]]:
        found = history.prompt(
            "", path, (), lambda people: {p: called[p] for p in people if p in called}, start=start
        )
        return [m["content"] for m in found.messages], [m["content"] for m in found.recorded]

    whole, cut = said(0), said(4)
    assert whole[0][-1] == cut[0][0] == "Ida: text 5\nPerson 2: text 6"
    assert whole[1][-1] == "Person 3: text 5\nPerson 2: text 6"
    assert cut[1] == ["Person 1: text 5\nPerson 2: text 6"]  # as rows number them, which know what was given only
    assert said(2)[0] == whole[0][2:]


@given(st.integers(1, 4096), st.integers(2, 8192))
def test_the_answer_never_takes_more_than_half_of_the_context(max_tokens: int, context: int):
    assert 1 <= history.answer_room(max_tokens, context) <= max(1, context // 2)
