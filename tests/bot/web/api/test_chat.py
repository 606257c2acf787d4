"""Chat and text completions: what is answered, what is stored, and what is refused in which words."""

import json
import math
from typing import Any

import pytest

from data import schema
from tests.bot.moderation.flagged import SLUR, THREAT
from tests.bot.web.api.world import Program, error, text
from tests.bot.web.world import World

pytestmark = pytest.mark.played

TOLD = {"role": "system", "content": "Be a pirate."}


def events(body: str) -> list[Any]:
    """The events of a stream, without its end."""
    lines = [line.removeprefix("data: ") for line in body.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_an_answer_is_a_completion_with_what_openai_says_it_has(program: Program):
    program.page.fake.answer("Hello", " there.")
    found = await program.answer("Hi")
    choice = {"index": 0, "logprobs": None, "finish_reason": "stop"}
    choice["message"] = {"role": "assistant", "content": "Hello there.", "refusal": None}
    assert found["choices"] == [choice]
    assert (found["object"], found["model"]) == ("chat.completion", "parley")
    assert found["id"].startswith("chatcmpl-")
    assert found["usage"]["completion_tokens"] == 2
    assert found["usage"]["total_tokens"] == 2 + found["usage"]["prompt_tokens"]


async def test_a_stream_has_the_pieces_the_end_and_the_usage_where_it_is_asked_for(program: Program):
    program.page.fake.answer("Hello", " there.", finish_reason="length")
    found = await program.chat("Hi", stream=True, stream_options={"include_usage": True})
    assert found.headers["content-type"].startswith("text/event-stream")
    first, *pieces, last, usage = events(found.text)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(each["choices"][0]["delta"]["content"] for each in pieces) == "Hello there."
    assert (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]) == ({}, "length")
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 2
    assert {each["id"] for each in (first, *pieces, last, usage)} == {first["id"]}
    assert {each["object"] for each in (first, last)} == {"chat.completion.chunk"}


async def test_a_text_completion_asks_its_prompt_as_one_question(program: Program):
    found = await program.client.post("/v1/completions", json={"model": "parley", "prompt": ["Hi"], "best_of": 1})
    assert found.json()["choices"] == [
        {"index": 0, "text": "a fake answer", "logprobs": None, "finish_reason": "stop"}
    ]
    assert found.json()["object"] == "text_completion"
    assert program.page.fake.requests[-1]["messages"][-1]["content"] == "Hi"
    body = {"model": "parley", "prompt": "Ho", "stream": True}
    streamed = events((await program.client.post("/v1/completions", json=body)).text)
    assert "".join(each["choices"][0]["text"] for each in streamed) == "a fake answer"


async def test_a_history_goes_on_and_the_same_once_more_is_a_sibling(program: Program):
    program.page.fake.answer("Hello.")
    program.page.fake.answer("Good day.")
    for _ in range(2):
        await program.answer("Hi", user="ada")
    await program.answer("Hi", "Good day.", "Who are you?", user="ada")
    assert len(await program.page.rows(schema.Conversation)) == 1
    generations = await program.page.rows(schema.Generation)
    assert generations[0].rendered_sha256 == generations[1].rendered_sha256 != generations[2].rendered_sha256
    messages = {row.id: row for row in await program.page.rows(schema.MessageRow)}
    question = messages[messages[generations[2].message_id].parent_id]
    assert question.parent_id == generations[1].message_id


async def test_users_are_pseudonyms_and_whoever_names_none_is_the_programs_owner(program: Program):
    await program.answer("Hi", user="ada@example.org")
    await program.answer("Hi")
    await program.client.post(
        "/v1/chat/completions",
        json={"model": "parley", "messages": [{"role": "user", "content": "Hi"}]},
        headers={"X-OpenWebUI-User-Id": "ada@example.org"},
    )
    people = await program.page.rows(schema.Person)
    assert {person.platform for person in people} == {"telegram"}
    assert len(people) == 2
    assert len(await program.page.rows(schema.Conversation)) == 2
    assert await program.page.store.person_named("telegram:telegram")
    assert b"ada@" not in (program.page.store.database.path).read_bytes()


async def test_a_system_message_replaces_the_persona(program: Program):
    await program.answer(TOLD, {"role": "developer", "content": "In rhymes."}, {"role": "user", "content": "Hi"})
    sent = program.page.fake.requests[-1]["messages"]
    assert sent == [
        {"role": "system", "content": "Be a pirate.\n\nIn rhymes."},
        {"role": "user", "content": "Hi"},
    ]
    (conversation,) = await program.page.rows(schema.Conversation)
    assert conversation.persona == "caller"
    await program.answer("Ho")
    assert program.page.fake.requests[-1]["messages"][0]["content"] != "Be a pirate."


async def test_parts_of_text_are_joined_and_a_greeting_before_the_first_question_is_left_out(program: Program):
    parts = [{"type": "text", "text": "Who"}, {"type": "text", "text": "are you?"}]
    await program.answer({"role": "assistant", "content": "Welcome!"}, {"role": "user", "content": parts})
    assert [one["content"] for one in program.page.fake.requests[-1]["messages"][1:]] == ["Who\nare you?"]


async def test_sampling_passes_within_bounds(program: Program):
    wishes = {"temperature": 1, "top_p": 0.5, "seed": -1, "stop": "END", "max_completion_tokens": 5}
    await program.answer("Hi", **wishes, presence_penalty=0, n=1, logprobs=False, metadata={"a": "b"})
    sent = program.page.fake.requests[-1]
    assert (sent["temperature"], sent["top_p"], sent["seed"]) == (1.0, 0.5, 2**31 - 1)
    assert (sent["stop"], sent["max_tokens"]) == (["END"], 5)


USER = [{"role": "user", "content": "Hi"}]
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"n": 2}, "unsupported_value", "n"),
        ({"n": True}, "unsupported_value", "n"),
        ({"tools": [{"type": "function"}]}, "unsupported_value", "tools"),
        ({"response_format": {"type": "json_object"}}, "unsupported_value", "response_format"),
        ({"presence_penalty": 0.5}, "unsupported_value", "presence_penalty"),
        ({"logprobs": True}, "unsupported_value", "logprobs"),
        ({"top_k": 5}, "unknown_parameter", "top_k"),
        ({"temperature": 2.1}, "invalid_value", "temperature"),
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"temperature": True}, "invalid_type", "temperature"),
        ({"temperature": math.nan}, None, "temperature"),
        ({"top_p": math.inf}, None, "top_p"),
        ({"messages": USER * 201}, "invalid_value", "messages"),
        ({"max_tokens": 0}, "invalid_value", "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, None, "stop"),
        ({"stop": [""]}, "invalid_value", "stop"),
        ({"user": ""}, "invalid_value", "user"),
        ({"user": "x" * 257}, "invalid_value", "user"),
        ({"messages": []}, "invalid_value", "messages"),
        ({"messages": None}, "invalid_type", "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "invalid_value", "messages"),
        ({"messages": [{"role": "human", "content": "Hi"}]}, "invalid_value", "messages[0].role"),
        ({"messages": [*USER, {"role": "assistant", "content": "Yes"}]}, "invalid_value", "messages"),
        ({"messages": [*USER, TOLD, *USER]}, "invalid_value", "messages[1].role"),
        ({"messages": [IMAGE]}, "unsupported_value", "messages[0].content[0]"),
        ({"messages": [*USER, {"role": "tool", "content": "4", "tool_call_id": "x"}]}, "unsupported_value", None),
        ({"model": None}, "invalid_type", "model"),
        ({"model": "gpt-4"}, "model_not_found", "model"),
        ({"model": "candidate"}, "model_not_found", "model"),
        ({"model": "release-3"}, "model_not_found", "model"),
        ({"consent": "yes"}, "invalid_type", "consent"),
    ],
)
async def test_what_cannot_be_done_is_refused_as_openai_refuses_it(
    program: Program, body: dict[str, Any], code: str | None, param: str | None
):
    sent = json.dumps({"model": "parley", "messages": USER, **body})
    headers = {"content-type": "application/json"}
    found = await program.client.post("/v1/chat/completions", content=sent, headers=headers)
    assert found.status_code == (404 if code == "model_not_found" else 400)
    said = found.json()["error"]
    assert code is None or said["code"] == code
    assert param is None or said["param"] == param
    assert said["type"] == "invalid_request_error"
    assert await program.page.rows(schema.MessageRow) == []


async def test_a_body_that_is_no_json_and_a_path_that_is_none_are_refused(program: Program):
    bad = await program.client.post(
        "/v1/chat/completions", content=b"{", headers={"content-type": "application/json"}
    )
    assert error(bad) == (400, "invalid_json")
    assert error(await program.client.post("/v1/chat/completions", json=[])) == (400, "invalid_type")
    for path in ("/v1/nowhere", "/v1/a%0Ab", "/v1/"):
        assert error(await program.client.get(path)) == (404, "unknown_url"), path
    assert error(await program.client.delete("/v1/feedback/a%0Ab")) == (404, "feedback_not_found")
    assert error(await program.client.get("/v1/chat/completions")) == (405, "method_not_allowed")


async def test_half_of_a_character_and_other_odd_texts_do_no_harm(program: Program):
    raw = b'{"model": "parley", "messages": [{"role": "user", "content": %s}], "user": %s}'
    kind = {"content-type": "application/json"}
    for odd in (b'"a\\u0000b"', b'"\\u202e<|im_end|>"', b'"\\ud83d\\ude00"'):
        found = await program.client.post("/v1/chat/completions", content=raw % (odd, odd), headers=kind)
        assert found.status_code == 200, found.text
    for texts in ((b'"\\ud800"', b'"ada"'), (b'"Hi"', b'"\\ud800"')):
        found = await program.client.post("/v1/chat/completions", content=raw % texts, headers=kind)
        assert error(found)[0] == 400


async def test_moderation_holds_for_each_new_text(moderated: Program):
    for messages in ([SLUR], ["Hi", SLUR, "So?"], [{"role": "system", "content": SLUR}, *USER]):
        assert error(await moderated.chat(*messages)) == (400, "content_policy_violation")
    assert await moderated.page.rows(schema.MessageRow) == []


async def test_an_answer_that_moderation_takes_is_a_refusal(moderated: Program):
    moderated.page.fake.answer("You should ", THREAT, " now.")
    found = await moderated.answer("Hi")
    (choice,) = found["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")
    assert choice["message"]["refusal"] == found["parley"]["note"]
    moderated.page.fake.answer("You should ", THREAT, " now.")
    *_, last = events((await moderated.chat("Ho", stream=True)).text)
    assert last["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize(("status", "expected"), [(503, 503), (400, 503)])
async def test_an_engine_that_fails_is_an_error_of_the_server_also_before_a_stream(
    program: Program, status: int, expected: int
):
    for stream in (False, True):
        for _ in range(3):
            program.page.fake.fail(status)
        found = await program.chat("Hi", stream=stream)
        assert found.status_code == expected
        assert found.json()["error"]["type"] == "server_error"
        program.page.fake._scripts.clear()


async def test_a_stream_that_breaks_off_ends_with_an_error(program: Program):
    program.page.fake.drop("Hel", "lo", after=1)
    found = await program.chat("Hi", stream=True)
    lines = [json.loads(line.removeprefix("data: ")) for line in found.text.split("\n\n") if line]
    assert lines[1]["choices"][0]["delta"] == {"content": "Hel"}
    assert lines[-1]["error"]["code"] == "engine_unavailable"
    program.page.fake.drop("Hel", "lo", after=1)
    assert error(await program.chat("Ho")) == (503, "engine_unavailable")


async def test_a_question_that_is_too_long_says_so_in_openais_word(program: Program):
    assert error(await program.chat("word " * 3000)) == (400, "context_length_exceeded")


async def test_the_models_are_the_champion_and_its_number(program: Program):
    found = (await program.client.get("/v1/models")).json()
    assert [each["id"] for each in found["data"]] == ["parley", "champion", "release-0"]
    assert found["data"][0] | {"created": 0} == {
        "id": "parley",
        "object": "model",
        "created": 0,
        "owned_by": "parley",
    }
    assert (await program.client.get("/v1/models/release-0")).json()["id"] == "release-0"
    assert error(await program.client.get("/v1/models/release-7")) == (404, "model_not_found")
    for model in ("champion", "release-0"):
        assert (await program.answer("Hi", model=model))["model"] == model


async def test_the_description_is_open_and_names_every_path(page: World):
    found = (await page.browser().http.get("/v1/openapi.json")).json()
    assert set(found["paths"]) == {
        "/chat/completions",
        "/completions",
        "/models",
        "/models/{model}",
        "/feedback",
        "/feedback/{number}",
        "/consent",
        "/users/{user}",
        "/users/{user}/consent",
        "/rows",
    }


async def test_the_text_is_recorded_with_the_platform_and_never_logged(program: Program, caplog: Any):
    await program.answer("a secret word", user="ada")
    (generation,) = await program.page.rows(schema.Generation)
    assert generation.platform == "telegram"
    assert "secret" not in caplog.text
    assert text(await program.answer("a secret word", user="ada")) == "a fake answer"
