"""Conversations of clients that keep none: found again by their history, reached by erasure and consent."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from data import schema
from data.candidates import NO_CONSENT
from data.chat import Message, rendered_hash
from data.histories import Histories, Said, chain
from data.keys import accept_key
from data.store import Store, StoredGeneration, StoredMessage
from tests.data.collected import data, dropped, model, rows, user
from tests.data.talk import Talk, generated

PLATFORM = "telegram"


def said(*texts: str, system: str | None = None) -> list[Said]:
    """A history: questions and answers in turn, after a system message."""
    turns = [Said("assistant" if number % 2 else "user", text) for number, text in enumerate(texts)]
    return turns if system is None else [Said("system", system), *turns]


async def ask(store: Store, person: int, *texts: str, system: str | None = None) -> StoredMessage:
    return await store.histories.add(PLATFORM, person, said(*texts, system=system), persona="tutor")


async def answer(store: Store, question: StoredMessage, text: str) -> StoredGeneration:
    """What the bot does: the system message of the client is the first of what the model was given."""
    path = await store.path(question.message)
    messages = [Message(role=one.role, content=one.text) for one in path]
    new = generated(
        question.conversation,
        question.message,
        tuple(one.version for one in path),
        system_prompt="",
        rendered_sha256=rendered_hash(messages, ""),
        text=text,
        platform=PLATFORM,
    )
    return await store.add_generation(new)


async def hashes(store: Store) -> int:
    async with store.database.read() as session:
        return await session.scalar(select(func.count()).select_from(schema.History)) or 0


@pytest.fixture
async def ada(store: Store) -> int:
    person = await store.person(PLATFORM, "ada")
    await store.set_consent(person, True)
    return person


async def test_a_history_goes_on_below_the_answer_that_it_holds(store: Store, ada: int) -> None:
    first = await ask(store, ada, "Hi")
    one, other = await answer(store, first, "Hello."), await answer(store, first, "Good day.")
    second = await ask(store, ada, "Hi", " Hello.\n", "Who are you?")
    assert (second.parent, second.conversation) == (one.message, first.conversation)
    assert (await ask(store, ada, "Hi", "Good day.", "Who?")).parent == other.message
    again = await ask(store, ada, "Hi")
    assert again.message == first.message


async def test_the_same_words_of_another_person_are_another_conversation(store: Store, ada: int) -> None:
    bob = await store.person(PLATFORM, "bob")
    mine, theirs = await ask(store, ada, "Hi"), await ask(store, bob, "Hi")
    assert mine.conversation != theirs.conversation
    assert (await store.histories.find(bob, said("Hi"))).message == theirs


async def test_what_nobody_said_here_is_the_persons_own(store: Store, ada: int) -> None:
    question = await ask(store, ada, "Hi", "I am another model.", "Really?", system="Be a pirate.")
    path = await store.path(question.message)
    assert [(one.role, one.text, one.author) for one in path] == [
        ("system", "Be a pirate.", ada),
        ("user", "Hi", ada),
        ("assistant", "I am another model.", ada),
        ("user", "Really?", ada),
    ]
    # Once more, and it is known, with the answer that nobody here gave.
    assert (await ask(store, ada, "Hi", "I am another model.", "Really?", system="Be a pirate.")) == question
    place = await store.histories.find(ada, said("Hi", "I am changed.", "Really?", system="Be a pirate."))
    assert place.known == 2


async def test_each_first_question_begins_a_conversation_whatever_the_system_message(store: Store, ada: int) -> None:
    one = await ask(store, ada, "Hi", system="Be a pirate.")
    two = await ask(store, ada, "Ho", system="Be a pirate.")
    three = await ask(store, ada, "Hi", system="Be a parrot.")
    assert len({one.conversation, two.conversation, three.conversation}) == 3


async def test_rows_hold_the_clients_system_message_and_need_its_authors_consent(store: Store, ada: int) -> None:
    question = await ask(store, ada, "Hi", system="Be a pirate.")
    ahoy, hello = await answer(store, question, "Ahoy!"), await answer(store, question, "Hello.")
    talk = Talk(store, PLATFORM, question.conversation)
    await talk.rate(ada, "comparison", ahoy, other=hello, value="a")
    head = [{"role": "system", "content": "Be a pirate."}, user("Hi")]
    wanted = [{"prompt": head, "chosen": [model("Ahoy!")], "rejected": [model("Hello.")]}]
    assert data(await rows(store), "preference") == wanted
    await store.set_consent(ada, False)
    assert data(await rows(store), "preference") == []


async def test_a_system_message_from_before_the_consent_keeps_a_row_out(store: Store) -> None:
    ada = await store.person(PLATFORM, "ada")
    conversation = await store.conversation(PLATFORM, "k", persona="tutor")
    told = await store.add_message(conversation, "system", "Be a pirate.", author=ada)
    await store.set_consent(ada, True)
    question = await store.add_message(conversation, "user", "Hi", author=ada, parent=told.message)
    ahoy = await answer(store, question, "Ahoy!")
    await Talk(store, PLATFORM, conversation).rate(ada, "vote", ahoy, value="up")
    found = await rows(store)
    assert data(found, "labelled") == []
    assert dropped(found)["labelled"] == {NO_CONSENT: 1}


async def test_another_models_answer_from_before_the_consent_keeps_a_row_out(store: Store) -> None:
    ada = await store.person(PLATFORM, "ada")
    conversation = await store.conversation(PLATFORM, "k", persona="tutor")
    other = await store.add_message(conversation, "assistant", "I am another model.", author=ada)
    await store.set_consent(ada, True)
    question = await store.add_message(conversation, "user", "Hi", author=ada, parent=other.message)
    await Talk(store, PLATFORM, conversation).rate(ada, "vote", await answer(store, question, "Ahoy!"), value="up")
    assert dropped(await rows(store))["labelled"] == {NO_CONSENT: 1}


async def test_a_person_reads_what_their_client_said_for_them(store: Store, ada: int) -> None:
    await answer(store, await ask(store, ada, "Hi", "I am another model.", "So?", system="Be a pirate."), "Ahoy!")
    kept = (await store.kept_of(ada))["messages"]
    assert [(one["text"], one.get("as")) for one in kept] == [
        ("Be a pirate.", "system"),
        ("Hi", None),
        ("I am another model.", "assistant"),
        ("So?", None),
    ]


async def test_whoever_is_forgotten_leaves_no_text_and_no_hash(store: Store, ada: int) -> None:
    bob = await store.person(PLATFORM, "bob")
    await answer(store, await ask(store, ada, "Hi", "I am another model.", "So?", system="Be a pirate."), "Ahoy!")
    await ask(store, bob, "Hi")
    await store.eraser.forget(ada)
    assert await hashes(store) == 1
    async with store.database.read() as session:
        texts = select(schema.MessageVersion.text).where(schema.MessageVersion.text.is_not(None))
        assert list(await session.scalars(texts)) == ["Hi"]
    assert (await store.histories.find(bob, said("Hi"))).known == 1


async def test_after_the_retention_a_history_begins_anew(store: Store) -> None:
    eve = await store.person(PLATFORM, "eve")
    question = await ask(store, eve, "Hi", system="Be a pirate.")
    await answer(store, question, "Ahoy!")
    assert await store.eraser.purge(datetime.now(UTC) + timedelta(days=1)) == 3
    assert await hashes(store) == 0
    again = await ask(store, eve, "Hi", "Ahoy!", "So?", system="Be a pirate.")
    assert again.conversation != question.conversation


async def test_a_message_below_an_answer_is_found_as_if_it_had_been_sent_with_its_history(
    store: Store, ada: int
) -> None:
    question = await ask(store, ada, "Hi", system="Be a pirate.")
    one = await answer(store, question, "Ahoy!")
    await answer(store, question, "Hello.")
    below = await store.histories.add_below(one.message, ada, "Thanks!", platform_id="fb-1")
    assert below is not None
    assert below.parent == one.message
    assert await ask(store, ada, "Hi", "Ahoy!", "Thanks!", system="Be a pirate.") == below
    assert await store.eraser.erase_message(PLATFORM, "fb-1")
    assert await store.histories.add_below(10_000, ada, "Thanks!", platform_id="fb-2") is None


async def test_another_key_of_the_installation_finds_nothing(store: Store, ada: int) -> None:
    await ask(store, ada, "Hi")
    other = Histories(store.database, b"k" * 32)
    assert (await other.find(ada, said("Hi"))).known == 0
    async with store.database.write() as session:
        await accept_key(session, b"k" * 32)
    assert await hashes(store) == 0


messages = st.lists(
    st.builds(Said, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=8)), max_size=5
)


@settings(deadline=None)
@given(messages, messages)
def test_two_histories_have_one_hash_only_if_they_say_the_same(one: list[Said], other: list[Said]) -> None:
    same = [(each.role, each.text.strip()) for each in one] == [(each.role, each.text.strip()) for each in other]
    found, theirs = chain(b"k" * 32, 1, one), chain(b"k" * 32, 1, other)
    assert (found == theirs) is same
    assert not set(found) & set(chain(b"k" * 32, 2, one))


async def test_what_is_sent_again_under_another_beginning_was_said_before_the_consent(store: Store) -> None:
    bea = await store.person(PLATFORM, "bea")
    first = await ask(store, bea, "before the yes", system="Monday")
    await store.set_consent(bea, True)
    last = await ask(store, bea, "before the yes", "an answer", "after the yes", system="Tuesday")
    again = await store.path(last.message)
    assert [one.text for one in again] == ["Tuesday", "before the yes", "an answer", "after the yes"]
    assert again[1].version != first.version
    assert again[1].created_at == first.created_at < again[3].created_at
