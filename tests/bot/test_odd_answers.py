"""What people see of an odd server, and what is kept: thoughts are left out, errors are two sentences."""

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.answers import Answered, Failed, Held, Piece, TakenBack, Thinking
from bot.conversation import Chat
from bot.engine import api
from bot.engine.open import open_engine
from bot.moderation.step import Moderation
from bot.moderation.words import Kind, WordLists
from bot.ratings import RatingResult, sentence
from bot.settings import load
from bot.texts import EN, ZH, Texts
from data.consent import CONSENT_VERSION
from data.errors import BadInput
from data.store import Store
from tests.bot.core import World, events
from tests.fakes.odd import OddServer, chunk, error, stream
from tests.fakes.odd import events as sent_events


class OddWorld:
    """A chat with an odd server; `ask` continues the conversation."""

    def __init__(self, odd: OddServer, world: World) -> None:
        self.odd = odd
        self.world = world
        self.parent: int | None = None

    async def ask(self, text: str) -> tuple[list[Any], Any]:
        *all_before, end = await events(self.world.chat.answer(self.world.ask(text, parent=self.parent)))
        if isinstance(end, Answered):
            self.parent = end.generation.message
        return all_before, end


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Any]:
    store = await Store.open(tmp_path)
    closing: list[Any] = []

    async def made(odd: OddServer, *, url: str = "", **options: Any) -> OddWorld:
        engine = await open_engine(tmp_path, url=url or odd.url)
        chat = Chat(store, engine, **options)
        closing.extend((chat.close, engine.close))
        world = World(store, None, chat)  # type: ignore[arg-type]  # there is no fake engine here
        world.ada = await store.person("terminal", "ada")
        world.conversation = await store.conversation("terminal", "k", persona="assistant")
        return OddWorld(odd, world)

    yield made
    for close in closing:
        await close()
    await store.close()


@pytest.fixture
async def odd() -> AsyncIterator[OddServer]:
    async with OddServer() as odd:
        yield odd


FORMS = {
    "tags": stream("<th", "ink>PLAN</think>\n\nIt is ", "5."),
    "a closing tag": stream("PLAN\n</think>\n\nIt is 5."),
    "channels": stream(
        "<|channel|>analysis<|message|>PLAN<|end|>", "<|start|>assistant<|channel|>final<|message|>It is 5."
    ),
    "a field": sent_events(chunk({"reasoning_content": "PLAN"}), chunk({"content": "It is 5."}), chunk({}, "stop")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("show", [False, True])
async def test_a_thought_is_not_kept_or_sent_back_and_is_shown_only_where_people_want_it(
    odd: OddServer, make: Any, form: str, show: bool
):
    talk = await make(odd, show_thinking=show)
    odd.reply(FORMS[form])
    before, end = await talk.ask("What is 2 + 3?")
    assert "".join(event.text for event in before if isinstance(event, Piece)) == "It is 5."
    assert (end.generation.text, end.finish_reason, end.note) == ("It is 5.", "stop", None)
    assert ("PLAN" in "".join(event.text for event in before if isinstance(event, Thinking))) is show
    assert any(isinstance(event, Held) for event in before) is not show  # something happens, and can be stopped
    await talk.ask("And 3 + 4?")
    assert "PLAN" not in str(odd.requests[-1])
    path = await talk.world.store.path(end.generation.message)
    assert "PLAN" not in str(path)


async def test_what_turns_out_to_be_a_thought_is_taken_back(odd: OddServer, make: Any):
    talk = await make(odd)
    await talk.ask("Hi")  # an ordinary answer, so the next one streams
    odd.reply(stream("PLAN", "\n</think>\n\n", "It is 5."))
    before, end = await talk.ask("What is 2 + 3?")
    after = before[[isinstance(event, TakenBack) for event in before].index(True) :]
    assert "".join(event.text for event in after if isinstance(event, Piece)) == end.generation.text == "It is 5."


async def test_thoughts_that_people_see_are_moderated(odd: OddServer, make: Any):
    words = WordLists({Kind.OWN: ["forbidden"]})
    talk = await make(odd, show_thinking=True, moderation=Moderation(words))
    odd.reply(stream("<think>a forbidden plan</think>It is 5."))
    before, end = await talk.ask("What is 2 + 3?")
    assert (end.generation.text, end.finish_reason) == ("", "moderated")
    assert "forbidden" not in str(before)


ENDS = {
    "thinking took all tokens": (
        sent_events(chunk({"reasoning": "PLAN"}), chunk({}, "length")),
        "no_word_left",
        "length",
    ),
    "only thoughts": (stream("<think>PLAN</think>"), "only_thoughts", "stop"),
    "nothing": (stream(""), "empty_answer", "stop"),
    "a filter": (stream("I think", finish="content_filter"), "filtered", "filtered"),
    "a hole": (
        sent_events(chunk({"content": "It is 5."}), "data: {\n\n", chunk({}, "stop")),
        "part_missing",
        "damaged",
    ),
    "a cut": (stream("It is", finish="length"), "cut_off", "length"),
}


@pytest.mark.parametrize("name", ENDS)
async def test_an_end_is_said_as_what_it_is(odd: OddServer, make: Any, name: str):
    reply, note, reason = ENDS[name]
    talk = await make(odd)
    odd.reply(reply)
    _, end = await talk.ask("What is 2 + 3?")
    assert end.note == getattr(EN, note).format(tokens=512)
    assert (await talk.world.row(end.generation)).finish_reason == reason


async def test_an_answer_that_a_filter_cut_cannot_be_rated(odd: OddServer, make: Any):
    talk = await make(odd)
    await talk.world.store.set_consent(talk.world.ada, True, CONSENT_VERSION)
    odd.reply(stream("I think", finish="content_filter"))
    _, end = await talk.ask("What is 2 + 3?")
    ratings, answer = talk.world.ratings, end.generation.generation
    for outcome in (
        await ratings.vote(talk.world.ada, answer, "up", platform="terminal", source_id="1"),
        await ratings.correct(talk.world.ada, answer, "It is 5.", platform="terminal", source_id="2"),
    ):
        assert outcome is RatingResult.FILTERED
        assert sentence(EN, outcome, "vote") == EN.filtered_not_rated


async def test_a_conversation_that_no_longer_fits_is_cut_and_goes_on(odd: OddServer, make: Any):
    def size(body: dict[str, Any]) -> int:
        return sum(len(message["content"]) for message in body["messages"]) // 4 + body["max_tokens"]

    talk = await make(odd)
    for number in range(8):
        odd.usual = error(400, "However, the model is loaded with context length of only 1000 tokens")
        refused = len(odd.requests)
        question = f"question {number} " + "about something " * 20

        class Limited(type(odd)):  # type: ignore[misc]  # a class that is chosen at run time
            def _chosen(self, path: str, asked: dict[str, Any]) -> Any:
                if path.endswith("/chat/completions") and size(asked) <= 1000:
                    self.requests.append(asked)
                    return stream("blah " * 150)
                return super()._chosen(path, asked)

        odd.__class__ = Limited
        _, end = await talk.ask(question)
        odd.__class__ = Limited.__bases__[0]
        assert isinstance(end, Answered), end
        assert len(odd.requests) - refused <= 6
        assert question.strip() in odd.requests[-1]["messages"][-1]["content"]


REFUSALS = [
    error(400, "some field"),
    error(401, "no key"),
    error(402, "no money"),
    error(403, "no"),
    error(404, "no such model"),
    error(413, "too long"),
    error(429, "slow down"),
    error(429, "insufficient_quota", code="insufficient_quota"),
    error(500, "boom"),
    error(503, "full"),
    error(400, "x", code="content_filter"),
]


@pytest.mark.parametrize(("number", "texts"), [*((number, EN) for number in range(len(REFUSALS))), (0, ZH)])
async def test_a_member_reads_no_address_and_no_setting_and_the_operator_does(
    odd: OddServer, make: Any, caplog: pytest.LogCaptureFixture, number: int, texts: Texts
):
    secret = odd.url.replace("http://", "http://bob:hunter2@") + "?key=hunter3"
    talk = await make(odd, url=secret)
    odd.usual = REFUSALS[number]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        *_, end = await events(talk.world.chat.answer(_in(talk.world.ask("Hi"), texts)))
    assert isinstance(end, Failed)
    assert not re.search(r"http|127\.0\.0|PARLEY|hunter|/v1", end.sentence)
    assert "hunter" not in caplog.text
    assert f"The engine at {odd.url}" in caplog.text


def _in(ask: Any, texts: Texts) -> Any:
    object.__setattr__(ask, "texts", texts)
    return ask


async def test_a_broken_off_answer_says_so_without_the_address(odd: OddServer, make: Any):
    talk = await make(odd)
    odd.reply(sent_events(chunk({"content": "It is "}), {"error": {"message": "SECRET", "code": 500}}, done=False))
    _, end = await talk.ask("What is 2 + 3?")
    assert end.note == EN.broke_off.format(reason=EN.engine_failed)
    assert (end.generation.text, end.finish_reason) == ("It is ", "error")


def _all(kind: type[api.EngineError]) -> list[type[api.EngineError]]:
    return [kind, *(below for each in kind.__subclasses__() for below in _all(each))]


@pytest.mark.parametrize("texts", [EN, ZH])
def test_every_error_of_the_engine_has_a_sentence_for_members(texts: Texts):
    for kind in _all(api.EngineError):
        said = kind("The engine at http://bob:hunter2@127.0.0.1 is bad; set PARLEY_X.").for_member(texts)
        assert said
        assert not re.search(r"http|PARLEY|hunter|127", said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PARLEY_ENGINE_EXTRA", "seed", "is not a JSON object"),
        ("PARLEY_ENGINE_EXTRA", "[1]", "is not a JSON object"),
        ("PARLEY_ENGINE_EXTRA", '{"messages": []}', "cannot be set here"),
        ("PARLEY_ENGINE_CONTEXT", "1", "greater than or equal to 64"),
        ("PARLEY_ENGINE_RELEASES", "9{release}", "use ollama, or an address such as"),
        ("PARLEY_ENGINE_TIMEOUT", "0", "greater than or equal to 1"),
        ("PARLEY_ENGINE_URL", "htp://bob:hunter2@host/v1", "use an address"),
        ("PARLEY_ENGINE_URL", "http://bob:hunter2@host:port/v1", "its port is not a number"),
    ],
)
def test_a_bad_setting_of_the_engine_is_named_without_its_secret(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as caught:
        load(None)
    assert str(caught.value).startswith(f"{name}:")
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_fields_of_every_request_are_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_ENGINE_EXTRA", '{"seed": null, "stop": ["\\nUser:"]}')
    assert load(None).engine_extra == {"seed": None, "stop": ["\nUser:"]}
