"""What a server refuses, and how that is told: fields, quotas, filters and pauses."""

import pytest

from bot.engine import session as session_module
from bot.engine.api import (
    EngineAway,
    EngineBusy,
    EngineError,
    EngineFiltered,
    EngineLoading,
    EngineSpent,
    Sampling,
)
from bot.engine.dialect import Dialect
from bot.engine.refusals import error_of
from bot.engine.refused import refused
from bot.texts import EN, ZH
from tests.bot.engine.asked import FIVE, HELLO, asked, said
from tests.fakes.odd import body, error, stream

REFUSED_FIELDS = {
    "max_tokens": error(
        400,
        "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
        param="max_tokens",
    ),
    "frequency_penalty": error(400, "Penalty is not enabled for this model"),
    "stream_options": body({"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}, 422),
    "seed": error(422, "property 'seed' is unsupported"),
    "temperature": error(400, "Unsupported value: 'temperature' does not support 0.3 with this model."),
    "top_p": error(400, "`temperature` is fine, but `top_p` is not", param="top_p"),
    "system": error(400, "Developer instruction is not enabled for models/gemma-3"),
}


@pytest.mark.parametrize("name", REFUSED_FIELDS)
async def test_a_refused_field_is_left_out_from_then_on(odd, opened, name):
    engine = await opened(odd)
    odd.refuse(name, REFUSED_FIELDS[name])
    for _ in range(2):
        assert (await said(engine, sampling=Sampling(seed=3)))[0] == FIVE
    assert len(odd.requests) == 3
    sent = odd.requests[-1]
    if name == "system":
        assert sent["messages"] == [{"role": "user", "content": "Be brief.\n\nWhat is 2 + 3?"}]
    else:
        assert name not in sent
        assert ("max_completion_tokens" in sent) == (name == "max_tokens")
        assert sent["messages"] == HELLO


@pytest.mark.parametrize(
    "refusal",
    [
        error(400, "Your organization must be verified to stream this model.", param="stream"),
        error(422, "Streaming is not supported for this model"),
        error(400, "This deployment does not support streaming."),
        error(400, "stream=true is not supported"),
        error(400, "This endpoint only supports non-streaming requests"),
        error(400, "please set stream to false"),
    ],
)
async def test_a_server_that_does_not_stream_is_asked_for_the_whole_answer(odd, opened, refusal):
    engine = await opened(odd)
    odd.reply(refusal)
    odd.usual = body({"choices": [{"message": {"content": FIVE}, "finish_reason": "stop"}]})
    assert await said(engine) == (FIVE, "", "stop")
    assert [sent["stream"] for sent in odd.requests] == [True, False]
    assert "stream_options" not in odd.requests[-1]


async def test_settings_are_recorded_as_they_are_sent(odd, opened):
    engine = await opened(odd, extra={"temperature": 0.9, "frequency_penalty": None})
    odd.refuse("seed", error(422, "property 'seed' is unsupported"))
    odd.refuse("max_tokens", REFUSED_FIELDS["max_tokens"])
    wanted = Sampling(seed=3, max_tokens=50)
    assert (await said(engine, sampling=wanted))[0] == FIVE
    async with engine.session() as session:
        assert session.sampled(wanted) == {
            "temperature": 0.9,
            "top_p": wanted.top_p,
            "frequency_penalty": None,
            "max_tokens": 50,
            "seed": None,
            "stop": [],
        }


async def test_a_server_that_refuses_everything_is_not_asked_for_ever(odd, opened):
    engine = await opened(odd)
    odd.usual = error(422, "Extra inputs are not permitted")
    with pytest.raises(EngineError):
        await asked(engine, sampling=Sampling(seed=3, stop=("x",)))
    assert len(odd.requests) <= session_module.CHANGES + 1


async def test_a_longest_answer_that_a_server_names_is_kept_to(odd, opened):
    engine = await opened(odd)
    odd.reply(error(400, "max_tokens is too large: 512. This model supports at most 256 completion tokens"))
    assert (await said(engine))[0] == FIVE
    assert odd.requests[-1]["max_tokens"] == 256


async def test_the_operators_own_fields_are_sent_and_null_takes_one_out(odd, opened):
    extra = {"seed": None, "top_k": 20, "stop": ["\nQ:"], "chat_template_kwargs": {"enable_thinking": False}}
    engine = await opened(odd, extra=extra)
    odd.reply(stream("It is 5.\nQ: more"))
    assert (await said(engine, sampling=Sampling(seed=3)))[0] == FIVE
    sent = odd.requests[0]
    assert "seed" not in sent
    assert (sent["top_k"], sent["stop"], sent["chat_template_kwargs"]) == (20, ["\nQ:"], {"enable_thinking": False})


KINDS = {
    "no credit": (
        429,
        {"error": {"message": "You exceeded your current quota", "type": "insufficient_quota"}},
        {},
        EngineSpent,
    ),
    "payment": (402, {"error": {"message": "Insufficient Balance"}}, {}, EngineSpent),
    "余额": (429, {"error": {"code": "1113", "message": "您的账户余额不足"}}, {}, EngineSpent),
    "a quota for a minute": (
        429,
        {"error": {"message": "You exceeded your current quota"}},
        {"retry-after": "33"},
        EngineBusy,
    ),
    "a rate limit": (429, {"error": {"message": "Rate limit reached"}}, {}, EngineBusy),
    "overloaded": (529, {"type": "error", "error": {"type": "overloaded_error"}}, {}, EngineBusy),
    "loading": (503, {"error": {"message": "Loading model", "type": "unavailable_error"}}, {}, EngineLoading),
    "a filter": (400, {"error": {"code": "content_filter", "message": "..."}}, {}, EngineFiltered),
    "a low balance": (
        400,
        {"error": {"message": "Your credit balance is too low"}},
        {},
        EngineSpent,
    ),
    "a limit of the key": (403, {"error": {"message": "Key limit exceeded (total limit)"}}, {}, EngineSpent),
    "MiniMax's balance": (200, {"status_code": 1008, "status_msg": "insufficient balance"}, {}, EngineSpent),
    "a month's limit": (429, {"error": {"message": "You have reached your monthly limit"}}, {}, EngineSpent),
    "warming up": (503, {"error": {"message": "The model is warming up"}}, {}, EngineLoading),
    "busy": (500, {"error": {"message": "server is busy"}}, {}, EngineBusy),
    "DeepSeek's filter": (400, {"error": {"message": "Content Exists Risk"}}, {}, EngineFiltered),
    "Qwen's filter": (
        400,
        {"error": {"message": "Output may have inappropriate content."}},
        {},
        EngineFiltered,
    ),
    "a policy": (400, {"error": {"message": "content violates our usage policy"}}, {}, EngineFiltered),
    "a page": (502, "<html>Bad Gateway</html>", {}, EngineAway),
    "a key": (401, {"error": {"message": "no"}}, {}, EngineError),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_refusal_is_told_as_what_it_is(name):
    status, answer, headers, kind = KINDS[name]
    found = error_of(refused(status, answer, headers), "http://127.0.0.1:1/v1", "odd")
    assert isinstance(found, kind)
    for texts in (EN, ZH):
        sentence = found.for_member(texts)
        assert sentence
        assert "PARLEY" not in sentence
        assert "127.0.0.1" not in sentence


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "7"}, "", 7),
        ({"retry-after-ms": "500"}, "", 0.5),
        ({}, "Please try again in 1m3.5s.", 63.5),
        ({}, "try again in 250ms", 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "", 0),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "99999999999"}, "", None),
        ({}, "no", None),
    ],
)
def test_a_pause_is_read_wherever_a_server_names_it(headers, message, seconds):
    assert refused(429, {"error": {"message": message}}, headers).seconds == seconds


async def test_a_short_pause_is_made_once_and_a_long_one_is_told(odd, opened):
    engine = await opened(odd)
    odd.reply(error(429, "slow down", headers={"Retry-After": "0"}))
    assert (await said(engine))[0] == FIVE
    odd.reply(*[error(429, "slow down", headers={"Retry-After": "0"})] * 2)
    with pytest.raises(EngineBusy):
        await asked(engine)
    odd.reply(error(429, "slow down", headers={"Retry-After": "90"}))
    with pytest.raises(EngineBusy) as caught:
        await asked(engine)
    assert "90 s" in caught.value.for_member(EN)


@pytest.mark.parametrize("code", ["sk-live-0123456789abcdef", "banana", "0123456789abcdef0123", "hunter2_secret_1"])
def test_a_word_of_the_server_that_may_be_a_secret_is_not_shown(code: str) -> None:
    assert refused(400, {"error": {"code": code, "message": "no"}}).shown == "HTTP 400"


@pytest.mark.parametrize("code", ["my_secret_passphrase", "Invalid_my_secret_passphrase", "MY_SECRET_PASSPHRASE"])
def test_a_server_that_repeats_the_key_as_its_word_for_an_error_is_not_quoted(code: str) -> None:
    body = {"error": {"code": code, "message": "no"}}
    assert refused(400, body, key="my_secret_passphrase").shown == "HTTP 400"


async def test_a_key_that_a_server_repeats_is_in_no_sentence(odd, opened):
    engine = await opened(odd, api_key="my_secret_passphrase")
    odd.usual = body({"error": {"code": "my_secret_passphrase", "message": "my_secret_passphrase"}}, 400)
    with pytest.raises(EngineError) as caught:
        await asked(engine)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "InvalidParameter", "context_length_exceeded"])
def test_the_name_of_an_error_is_shown(code: str) -> None:
    assert refused(400, {"error": {"code": code, "message": "no"}}).shown == f"HTTP 400, {code}"


def test_a_refused_option_of_streaming_does_not_end_the_streaming() -> None:
    dialect = Dialect()
    body = dialect.body("m", HELLO, Sampling())
    assert dialect.learn(refused(400, {"error": {"message": "unsupported parameter: 'stream_options'"}}), body)
    assert dialect.body("m", HELLO, Sampling())["stream"]


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("max_tokens: 512 > 256, which is the maximum allowed number of output tokens", 256),
        ("max_tokens should be in [1, 256]", 256),
        ("max_tokens must be between 1 and 256", 256),
    ],
)
def test_the_longest_answer_is_read_from_a_refusal(text: str, most: int) -> None:
    dialect = Dialect()
    body = dialect.body("m", HELLO, Sampling(max_tokens=512))
    assert dialect.learn(refused(400, {"error": {"message": text}}), body)
    assert dialect.body("m", HELLO, Sampling(max_tokens=512))["max_tokens"] == most


@pytest.mark.parametrize(
    "text",
    [
        "'system' is not one of ['user', 'assistant']",
        "messages.0.role: Input should be 'user' or 'assistant'",
        "Expected first message to be from user",
        "'messages' must start with a user message",
    ],
)
def test_a_refused_system_role_is_known_in_other_words(text: str) -> None:
    dialect = Dialect()
    assert dialect.learn(refused(422, {"error": {"message": text}}), dialect.body("m", HELLO, Sampling()))
    assert [message["role"] for message in dialect.messages(HELLO)] == ["user"]


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "top_p"),
        ("maxTokens is not supported, use maxCompletionTokens", "max_tokens"),
        ("Argument not supported on this model: presencePenalty", "frequency_penalty"),
        ("schema validation failed: additionalProperties", "stream_options"),
    ],
)
def test_a_refused_field_is_known_in_other_words(text: str, left_out: str) -> None:
    dialect = Dialect()
    body = dialect.body("m", HELLO, Sampling())
    assert dialect.learn(refused(400, {"error": {"message": text}}), body)
    assert body.keys() - dialect.body("m", HELLO, Sampling()).keys() == {left_out}


@pytest.mark.parametrize(
    ("status", "text"),
    [(400, "odd is not a valid model ID"), (422, "unknown model odd"), (400, "Model odd is not supported")],
)
def test_a_model_that_a_server_lacks_is_known_in_other_words(status: int, text: str) -> None:
    found = error_of(refused(status, {"error": {"message": text}}), "http://127.0.0.1:1/v1", "odd")
    assert "has no model 'odd'" in str(found)
