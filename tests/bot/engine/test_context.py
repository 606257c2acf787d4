"""How much a server holds: where it tells that, and what a refusal teaches."""

import pytest

from bot.engine.api import (
    ContextTooLong,
    Sampling,
)
from bot.engine.context import limit_in, too_long
from bot.engine.refused import refused
from tests.bot.engine.asked import HELLO
from tests.fakes.odd import body, error

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
    engine._model._again = 0.0  # the time has come
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


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("prompt too long; exceeded max context length by 904 tokens", None),
        ("invalid params, context window exceeds limit (2013)", None),
        ("the max input characters is 20000", None),
        ("longer than the specified maximum sequence length for this model (5000 > 4096)", 4096),
        ("This request is bigger than the model's window of 4096 tokens", 4096),
        ("输入文本长度不能超过4096", 4096),
        ("input length and max_tokens exceed context limit: 190000 + 20000 > 200000", 200_000),
    ],
)
def test_a_number_that_is_no_limit_is_not_taken_for_one(text: str, limit: int | None) -> None:
    assert limit_in(text) == limit


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        "Prompt exceeds max length",
        "Please reduce the length of the messages.",
        "The provided prompt is 4000 tokens long, but the maximum supported sequence length is just 4096!",
        "the max input characters is 20000",
        "The total length of the messages (5000) is over the limit of 4096",
        "This request is bigger than the model's window of 4096 tokens",
        "the prompt does not fit into the context",
        "Not enough context left for the answer",
        "Too large prompt",
        "Your input exceeds the limit",
        "token数量超过上限",
        "输入文本长度不能超过4096",
        "max_tokens must be at least 1, got -34.",
        "Token indices sequence length is longer than the specified maximum sequence length (5000 > 4096)",
        "Not enough KV cache for this request",
    ],
)
def test_a_conversation_that_is_too_long_is_known_in_other_words(text: str) -> None:
    assert too_long(refused(400, {"error": {"message": text}}))


@pytest.mark.parametrize(
    "text", ["Tokens per minute exceeded", "Request's max_tokens is larger than the allowed 256"]
)
def test_a_limit_of_tokens_a_minute_or_of_the_answer_is_none_of_the_context(text: str) -> None:
    assert not too_long(refused(400, {"error": {"message": text}}))
