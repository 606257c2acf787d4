"""Servers that do not do what the standard says: the answer arrives, or a sentence says what is wrong."""

import gzip
import json
import logging

import pytest

from bot.engine import external
from bot.engine import session as session_module
from bot.engine.api import (
    ContextTooLong,
    Delta,
    EngineAway,
    EngineBusy,
    EngineError,
    EngineFiltered,
    EngineLoading,
    EngineSilent,
    EngineSpent,
    Finished,
    Sampling,
    TakenBack,
    Thought,
)
from bot.engine.context import limit_in
from bot.engine.open import open_engine
from bot.engine.refusals import error_of
from bot.engine.refused import refused
from bot.texts import EN, ZH
from tests.fakes.odd import OddServer, body, chunk, error, events, page, raw, stream

HELLO = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 3?"}]
FIVE = "It is 5."


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("PARLEY_ENGINE_URL", "PARLEY_ENGINE_MODEL", "PARLEY_ENGINE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for module in (session_module, external):  # each reads its own name for it
        monkeypatch.setattr(module, "LOOK", 0.01)


@pytest.fixture
async def odd():
    async with OddServer() as odd:
        yield odd


@pytest.fixture
async def opened(tmp_path):
    engines = []

    async def open_it(odd, **more):
        engines.append(await open_engine(tmp_path, url=more.pop("url", odd.url), **more))
        return engines[-1]

    yield open_it
    for engine in engines:
        await engine.close()


async def asked(engine, messages=HELLO, sampling=Sampling()):  # noqa: B008 - frozen
    async with engine.session() as session:
        return [event async for event in session.stream(messages, sampling)]


async def said(engine, **more):
    """The answer's text, the thoughts, and why it ended."""
    text, thoughts, reason = "", "", ""
    for event in await asked(engine, **more):
        match event:
            case Delta(piece):
                text += piece
            case Thought(piece):
                thoughts += piece
            case TakenBack():
                text, thoughts = "", thoughts + text
            case Finished():
                reason = event.finish_reason
    return text, thoughts, reason


USAGE = {"prompt_tokens": 5, "completion_tokens": 7}
_JSON = json.dumps(chunk({"content": FIVE}), ensure_ascii=False)
_CHINESE = json.dumps(chunk({"content": "你好，世界。😀"}), ensure_ascii=False).encode()
_WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": FIVE}, "finish_reason": "stop"}]}
STREAMS = {
    "a thought of its own": (
        events(chunk({"reasoning_content": "PLAN"}), chunk({"content": FIVE}), chunk({}, "stop")),
        (FIVE, "PLAN", "stop"),
    ),
    "OpenRouter's": (
        events(chunk({"reasoning": "PLAN", "content": ""}), chunk({"content": FIVE}, "stop")),
        (FIVE, "PLAN", "stop"),
    ),
    "Ollama's": (events(chunk({"thinking": "PLAN"}), chunk({"content": FIVE}, "stop")), (FIVE, "PLAN", "stop")),
    "Mistral's parts": (
        events(
            chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "PLAN"}]}]}),
            chunk({"content": [{"type": "text", "text": FIVE}]}, "stop"),
        ),
        (FIVE, "PLAN", "stop"),
    ),
    "no delta": (
        events(chunk({"content": FIVE}), {"choices": [{"index": 0, "finish_reason": "stop"}]}),
        (FIVE, "", "stop"),
    ),
    "null delta": (
        events(chunk({"content": FIVE}), {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}),
        (FIVE, "", "stop"),
    ),
    "null choices": (events(chunk({"content": FIVE}, "stop"), {"choices": None, "usage": USAGE}), (FIVE, "", "stop")),
    "null content": (
        events(chunk({"content": None}), chunk({"content": FIVE}), chunk({"content": None}, "stop")),
        (FIVE, "", "stop"),
    ),
    "a list of texts": (events(chunk({"content": [{"type": "text", "text": FIVE}]}, "stop")), (FIVE, "", "stop")),
    "several choices": (
        events(
            {"choices": [{"index": 1, "delta": {"content": "other"}}]},
            {"choices": [{"index": 1, "delta": {"content": "x"}}, {"index": 0, "delta": {"content": FIVE}}]},
            chunk({}, "stop"),
        ),
        (FIVE, "", "stop"),
    ),
    "one bad line": (
        events(chunk({"content": "It is "}), 'data: {"choi\n\n', chunk({"content": "5."}, "stop")),
        (FIVE, "", "damaged"),
    ),
    "no reason": (events(chunk({"content": FIVE})), (FIVE, "", "unknown")),
    "no reason, but a count": (events(chunk({"content": FIVE}), {"choices": [], "usage": USAGE}), (FIVE, "", "stop")),
    "a reason without the end": (events(chunk({"content": FIVE}, "stop"), done=False), (FIVE, "", "stop")),
    "not a stream": (body(_WHOLE), (FIVE, "", "stop")),
    "not a stream, as text": (raw(json.dumps(_WHOLE, indent=1).encode(), kind="text/plain"), (FIVE, "", "stop")),
    "a thought in a whole answer": (
        body({"choices": [{"message": {"content": f"<think>PLAN</think>{FIVE}"}, "finish_reason": "stop"}]}),
        (FIVE, "PLAN", "stop"),
    ),
    "lines of Windows and a mark": (
        raw(f"\ufeffdata: {_JSON}\r\n\r\ndata: [DONE]\r\n\r\n".encode()),
        (FIVE, "", "unknown"),
    ),
    "no blank after the colon": (raw(f"data:{_JSON}\n\ndata:[DONE]\n\n".encode()), (FIVE, "", "unknown")),
    "no empty lines": (raw(f"data: {_JSON}\ndata: [DONE]\n".encode()), (FIVE, "", "unknown")),
    "several lines in an event": (
        raw(b'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "It is 5."}}]}\n\ndata: [DONE]\n\n'),
        (FIVE, "", "unknown"),
    ),
    "lines of JSON": (raw(f"{_JSON}\n".encode(), kind="application/x-ndjson"), None),
    "single bytes": (
        raw(*[bytes([byte]) for byte in b"data: " + _CHINESE + b"\n\ndata: [DONE]\n\n"]),
        ("你好，世界。😀", "", "unknown"),
    ),
    "gzip": (
        raw(gzip.compress(f"data: {_JSON}\n\ndata: [DONE]\n\n".encode()), headers={"Content-Encoding": "gzip"}),
        (FIVE, "", "unknown"),
    ),
    "comments and other fields": (
        raw(f": ping\n\nid: 1\nretry: 5\nevent: message\ndata: {_JSON}\n\ndata: [DONE]\n\n".encode()),
        (FIVE, "", "unknown"),
    ),
    "a huge line": (events(chunk({"content": "x" * 300_000}, "stop")), ("x" * 300_000, "", "stop")),
    "a tool": (
        events(chunk({"content": None, "tool_calls": [{"index": 0}]}), chunk({}, "tool_calls")),
        ("", "", "tool"),
    ),
    "a filter": (events(chunk({"content": "I think"}), chunk({}, "content_filter")), ("I think", "", "filtered")),
    "a control token": (stream(FIVE, "<|im_end|>"), (FIVE, "", "stop")),
    "an invented turn": (stream("It is 5.\nuser: and 3 + 4?\nassistant: 7"), (FIVE, "", "stop")),
    "all tokens for thinking": (
        events(chunk({"reasoning_content": "PLAN"}), chunk({}, "length")),
        ("", "PLAN", "length"),
    ),
    "other words for the end": (stream(FIVE, finish="MAX_TOKENS"), (FIVE, "", "length")),
}


@pytest.mark.parametrize("name", [name for name, (_, wanted) in STREAMS.items() if wanted])
async def test_a_stream_is_read_as_it_comes(odd, opened, name):
    reply, wanted = STREAMS[name]
    engine = await opened(odd)
    odd.reply(reply)
    assert await said(engine) == wanted
    assert len(odd.requests) == 1


async def test_what_came_before_an_error_is_kept_and_nothing_is_asked_twice(odd, opened):
    engine = await opened(odd)
    for bad in (
        {"error": {"message": "CUDA out of memory SECRETPROMPT", "code": 500}},
        'event: error\ndata: {"message": "SECRETPROMPT"}\n\n',
    ):
        odd.reply(events(chunk({"content": "It is "}), bad, done=False))
        async with engine.session() as session:
            answer = session.stream(HELLO, Sampling())
            assert await anext(answer) == Delta("It is ")
            with pytest.raises(EngineAway) as caught:
                await anext(answer)
        assert "SECRETPROMPT" not in str(caught.value)
    assert len(odd.requests) == 2


async def test_a_server_that_only_keeps_the_connection_open_is_given_up_and_not_asked_again(odd, opened):
    engine = await opened(odd, silence=0.3)
    odd.reply(raw(*[piece for _ in range(100) for piece in (b": keep-alive\n\n", 0.05)]))
    with pytest.raises(EngineSilent):
        await asked(engine)
    assert len(odd.requests) == 1


async def test_tokens_that_come_slowly_are_waited_for(odd, opened):
    engine = await opened(odd, silence=0.5)
    one = f"data: {json.dumps(chunk({'content': 'a'}))}\n\n".encode()
    odd.reply(raw(*[piece for _ in range(8) for piece in (one, 0.1)], b"data: [DONE]\n\n"))
    assert (await said(engine))[0] == "a" * 8


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


LISTED = {
    "vLLM": ([{"id": "odd", "max_model_len": 8192}], 8192),
    "an adapter of vLLM": (
        [{"id": "base", "max_model_len": 8192}, {"id": "odd", "parent": "base", "max_model_len": None}],
        8192,
    ),
    "OpenRouter": ([{"id": "odd", "context_length": 131072, "top_provider": {"context_length": 32768}}], 32768),
    "llama.cpp": ([{"id": "odd", "meta": {"n_ctx_train": 131072}}], 131072),
    "Groq": ([{"id": "odd", "context_window": 8192}], 8192),
    "nothing that can be one": ([{"id": "odd", "context_length": "many"}], 4096),
}


@pytest.mark.parametrize("name", LISTED)
async def test_the_context_is_read_where_the_list_tells_it(odd, opened, name):
    models, wanted = LISTED[name]
    odd.on("/v1/models", body({"object": "list", "data": models}))
    engine = await opened(odd, model="odd")
    async with engine.session() as session:
        assert session.context_length == wanted


PLACES = {
    "a loaded model of Ollama": (
        {
            "/api/show": body({"model_info": {"qwen3.context_length": 40960}}),
            "/api/ps": body({"models": [{"name": "odd", "context_length": 16384}]}),
        },
        16384,
    ),
    "Ollama's own setting": (
        {"/api/show": body({"model_info": {"q.context_length": 40960}, "parameters": "stop x\nnum_ctx    8192"})},
        8192,
    ),
    "Ollama's default": ({"/api/show": body({"model_info": {"q.context_length": 2048}})}, 2048),
    "TGI": ({"/info": body({"max_input_tokens": 1000, "max_total_tokens": 2048})}, 2048),
    "SGLang": ({"/get_server_info": body({"context_length": 8192})}, 8192),
    "LM Studio": ({"/api/v0/models": body({"data": [{"id": "odd", "loaded_context_length": 6000}]})}, 6000),
}


@pytest.mark.parametrize("name", PLACES)
async def test_the_context_is_read_where_other_servers_tell_it(odd, opened, name):
    paths, wanted = PLACES[name]
    for path, reply in paths.items():
        odd.on(path, reply)
    engine = await opened(odd)
    async with engine.session() as session:
        assert session.context_length == wanted


async def test_the_operators_context_wins(odd, opened):
    odd.on("/v1/models", body({"data": [{"id": "odd", "max_model_len": 8192}]}))
    engine = await opened(odd, context_length=3000)
    async with engine.session() as session:
        assert session.context_length == 3000


async def test_an_unknown_context_is_asked_for_again(odd, opened):
    engine = await opened(odd)
    odd.on("/v1/models", body({"data": [{"id": "odd", "max_model_len": 8192}]}))
    engine._again = 0.0  # the time has come
    async with engine.session() as session:
        assert session.context_length == 8192


TOO_LONG = {
    "OpenAI": (
        400,
        "This model's maximum context length is 2000 tokens. However, you requested 4927 tokens (3927 in "
        "the messages, 1000 in the completion).",
        2000,
    ),
    "TGI": (
        422,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1024. Given: 500 `inputs` "
        "tokens and 600 `max_new_tokens`",
        1024,
    ),
    "Mistral": (400, "Prompt contains 9000 tokens, too large for model with 3096 maximum context", 3096),
    "Groq": (413, "Request too large for model on tokens per minute (TPM): Limit 3000, Requested 9000", 3000),
    "llama.cpp": (
        400,
        "request (5000 tokens) exceeds the available context size (2048 tokens), try increasing it",
        2048,
    ),
    "Anthropic": (400, "prompt is too long: 5000 tokens > 2000 maximum", 2000),
    "Cohere": (
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 2081 - received 5000.",
        2081,
    ),
    "Gemini": (400, "The input token count (12000) exceeds the maximum number of tokens allowed (3048).", 3048),
    "Qwen": (400, "Range of input length should be [1, 3072]", 3072),
    "Moonshot": (400, "Invalid request: Your request exceeded model token limit: 3192 (requested: 9000)", 3192),
    "LM Studio": (
        400,
        "Trying to keep the first 1500 tokens when context the overflows. However, the model is loaded "
        "with context length of only 1000 tokens",
        1000,
    ),
    "in Chinese": (400, "输入内容的长度超过模型最大上下文长度 3192，请减少输入（当前 9000）", 3192),
    "vLLM": (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context length is "
        "1024 tokens and your request has 700 input tokens (512 > 1024 - 700).",
        1024,
    ),
}


@pytest.mark.parametrize("name", TOO_LONG)
async def test_the_context_is_learnt_from_a_refusal(odd, opened, name):
    status, message, limit = TOO_LONG[name]
    engine = await opened(odd)
    odd.reply(error(status, message))
    async with engine.session() as session:
        with pytest.raises(ContextTooLong):
            [event async for event in session.stream(HELLO, Sampling())]
        assert session.context_length == limit
    async with engine.session() as session:
        assert session.context_length == limit
    assert len(odd.requests) == 1


async def test_a_refusal_without_a_number_makes_the_context_smaller_each_time(odd, opened):
    engine = await opened(odd)
    odd.reply(error(400, "too long: the maximum context length is 9000"), error(400, "Prompt 超长"))
    lengths = []
    async with engine.session() as session:
        for _ in range(2):
            with pytest.raises(ContextTooLong):
                [event async for event in session.stream(HELLO, Sampling())]
            lengths.append(session.context_length)
    assert 64 <= lengths[1] < lengths[0] < 600
    async with engine.session() as session:  # a guess that nothing confirms counts for one answer
        assert session.context_length == 4096


async def test_a_guess_that_is_answered_is_kept(odd, opened):
    engine = await opened(odd)
    odd.reply(error(413, "no"))
    async with engine.session() as session:
        with pytest.raises(ContextTooLong):
            [event async for event in session.stream(HELLO, Sampling())]
        [event async for event in session.stream(HELLO, Sampling())]
        guess = session.context_length
    async with engine.session() as session:
        assert session.context_length == guess < 4096


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


async def test_a_server_that_loads_its_model_is_waited_for(odd, opened):
    loading = error(503, "Loading model", type="unavailable_error")
    asked_for = []

    def tokens(sent):
        asked_for.append(sent)
        return loading if len(asked_for) <= 2 else body({"prompt": "x"} if "messages" in sent else {"tokens": [1, 2]})

    odd.on("/apply-template", tokens)
    odd.on("/tokenize", tokens)
    odd.on("/props", body({"default_generation_settings": {"n_ctx": 32768}, "chat_template": "x"}))
    engine = await opened(odd)
    async with engine.session() as session:
        assert session.context_length == 32768
        assert await session.count_tokens(HELLO) == 2
    odd.reply(loading, loading)
    assert (await said(engine))[0] == FIVE


async def test_a_server_that_is_not_there_yet_is_asked_again(opened, caplog):
    async with OddServer() as gone:
        url = gone.url
    engine = await opened(gone, url=url)
    assert "starts without it" in caplog.text
    with pytest.raises(EngineAway) as caught:
        await asked(engine)
    assert caught.value.for_member(EN) == EN.engine_unreachable


STARTS = {
    "no list": error(404, "Not Found"),
    "a page as list": page("<!doctype html><html>"),
    "null as list": body({"object": "list", "data": None}),
    "an error as list": error(500, "Unexpected endpoint"),
    "a list of other things": body({"data": [1, None, {"name": 3}]}),
}


@pytest.mark.parametrize("elsewhere", [error(404, "no"), error(500, "Unexpected"), page("<html>app</html>")])
@pytest.mark.parametrize("name", STARTS)
async def test_a_list_is_not_needed_where_the_operator_names_the_model(odd, opened, name, elsewhere):
    odd.on("/v1/models", STARTS[name])
    odd.otherwise = elsewhere
    engine = await opened(odd, model="odd")
    assert (await said(engine))[0] == FIVE
    async with engine.session() as session:
        await session.reach()
        assert await session.count_tokens(HELLO) > 0


@pytest.mark.parametrize("name", ["no list", "a page as list", "null as list", "a list of other things"])
async def test_without_a_list_the_operator_is_told_to_name_the_model(odd, opened, name):
    odd.on("/v1/models", STARTS[name])
    with pytest.raises(EngineError, match="PARLEY_ENGINE_MODEL"):
        await opened(odd)


async def test_the_first_model_that_talks_is_asked(odd, opened):
    names = ["nomic-embed-text:latest", "bge-m3", "whisper-1", "qwen3:8b", "llama3"]
    odd.on("/v1/models", body({"data": [{"id": name} for name in names]}))
    await said(await opened(odd))
    assert odd.requests[0]["model"] == "qwen3:8b"
    odd.on("/v1/models", body({"data": [{"id": "some", "type": "embeddings"}]}))
    with pytest.raises(EngineError, match="lists no model that talks"):
        await opened(odd)


async def test_the_address_keeps_its_secrets(odd, opened, caplog):
    url = odd.url.replace("http://", "http://bob:hunter2@") + "?key=hunter3"
    with caplog.at_level(logging.DEBUG, logger="bot"):
        engine = await opened(odd, url=url)
        assert (await said(engine))[0] == FIVE
        odd.usual = error(400, "hunter2 hunter3 no")
        with pytest.raises(EngineError) as caught:
            await asked(engine)
    assert odd.headers[-1]["authorization"] == "Basic Ym9iOmh1bnRlcjI="
    assert odd.paths[-1] == "/v1/chat/completions?key=hunter3"
    assert "hunter" not in caplog.text + str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("prompt too long; exceeded max context length by 904 tokens", None),
        ("invalid params, context window exceeds limit (2013)", None),
        ("input length and max_tokens exceed context limit: 190000 + 20000 > 200000", 200_000),
    ],
)
def test_a_number_that_is_no_limit_is_not_taken_for_one(text: str, limit: int | None) -> None:
    assert limit_in(text) == limit
