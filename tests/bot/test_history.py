"""What the model sees of a conversation."""

from datetime import UTC, datetime

from hypothesis import given
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


@given(conversations, st.integers(0, 900))
async def test_trimming_keeps_the_budget_the_order_the_pairs_and_the_newest(turns: list[StoredMessage], budget: int):
    shown = history.shown(turns)
    starts = history.starts([turn.role for turn in shown])

    async def fits(start: int) -> bool:
        return cost(shown[start:]) <= budget

    start = await history.first_fitting(starts, fits)
    assert shown[-1].text == "the newest"
    if start is None:
        assert cost(shown[-1:]) > budget
        return
    kept = shown[start:]
    assert cost(kept) <= budget
    assert kept == turns_in_order(turns, kept)
    assert kept[-1] is turns[-1]
    assert kept[0].role == "user"
    # never inside a pair: what was dropped ends with an answer, or the newest message stands alone
    assert start == 0 or shown[start - 1].role == "assistant" or len(kept) == 1
    # and nothing more could have been kept
    earlier = [other for other in starts if other < start]
    assert not earlier or cost(shown[earlier[-1] :]) > budget


def turns_in_order(turns: list[StoredMessage], kept: list[StoredMessage]) -> list[StoredMessage]:
    return [turn for turn in turns if turn in kept]


async def test_a_conversation_that_fits_is_counted_once():
    counts = []

    async def fits(start: int) -> bool:
        counts.append(start)
        return True

    assert await history.first_fitting([0, 2, 4, 6], fits) == 0
    assert counts == [0]


def test_erased_and_empty_messages_and_orphaned_answers_are_not_shown():
    turns = [stored(1, "assistant", "left over"), stored(2, "user", "a"), stored(3, "assistant", " ")]
    assert [turn.message for turn in history.shown([*turns, stored(4, "user", "b")])] == [2, 4]


@given(st.lists(st.sampled_from([*GENERIC_CONTROL, "a", " ", "<|", "|>", "im_end"]), max_size=12).map("".join))
def test_nothing_that_is_sent_holds_a_control_string(text: str):
    prompt = history.prompt(text, [stored(1, "user", text)], GENERIC_CONTROL)
    for message in prompt.messages:
        assert not any(control in message["content"] for control in GENERIC_CONTROL)
    assert list(prompt.messages) == harmless_messages(prompt.messages, GENERIC_CONTROL)


@given(st.integers(1, 4096), st.integers(2, 8192))
def test_the_answer_never_takes_more_than_half_of_the_context(max_tokens: int, context: int):
    assert 1 <= history.answer_room(max_tokens, context) <= max(1, context // 2)
