"""Streams as odd servers send them: the answer arrives, or a sentence says what is wrong."""

import gzip
import json

import pytest

from bot.engine.api import (
    Delta,
    EngineAway,
    EngineSilent,
    Sampling,
)
from tests.bot.engine.asked import FIVE, HELLO, asked, said
from tests.fakes.odd import body, chunk, events, raw, stream

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
    "a number": (events(chunk({"content": 5}), chunk({}, "stop")), ("5", "", "stop")),
    "a delta in a list": (
        events({"choices": [{"index": 0, "delta": [{"content": FIVE}], "finish_reason": "stop"}]}),
        (FIVE, "", "stop"),
    ),
    "a reason with a type": (
        events(chunk({"content": FIVE}), chunk({}, {"type": "max_tokens"})),  # type: ignore[arg-type]  # a reason of a wrong type
        (FIVE, "", "length"),
    ),
    "halves of a character": (
        raw(
            rb'data: {"choices": [{"delta": {"content": "so \ud83d"}}]}',
            b"\n\n",
            rb'data: {"choices": [{"delta": {"content": "\ude00!", "reasoning": "\ud83d"}',
            rb', "finish_reason": "stop"}]}',
            b"\n\n",
        ),
        ("so \U0001f600!", "\ufffd", "stop"),
    ),
    "the text so far in each chunk": (stream("It", "It is", "It is 5."), (FIVE, "", "stop")),
    "the text so far, and once more": (
        events(
            chunk({"reasoning_content": "PL"}),
            chunk({"reasoning_content": "PLA"}),
            chunk({"reasoning_content": "PLAN", "content": "It is"}),
            chunk({"reasoning_content": "PLAN", "content": "It is 5."}),
            chunk({"reasoning_content": "PLAN", "content": "It is 5."}, "stop"),
        ),
        (FIVE, "PLAN", "stop"),
    ),
    "two chunks of which the second has all": (stream("It is", "It is 5."), (FIVE, "", "stop")),
    "pieces that begin like the one before": (stream("ha", "haha", "!"), ("hahaha!", "", "stop")),
    "two pieces that begin alike": (stream("1", "10"), ("110", "", "stop")),
    "the same piece again": (stream("na ", "na ", "na ", "na na "), ("na na na na na ", "", "stop")),
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


async def test_the_whole_answer_once_more_and_what_follows_the_end_are_not_said_twice(odd, opened):
    again = {"choices": [{"index": 0, "message": {"content": FIVE}, "finish_reason": "stop"}]}
    pieces = chunk({"content": "It is"}), chunk({"content": " 5."})
    after = [json.dumps(value) for value in (*pieces, again)]
    odd.reply(raw("".join(f"data: {each}\n\n" for each in [*after, "[DONE]", json.dumps(pieces[0])]).encode()))
    assert (await said(await opened(odd)))[0] == FIVE
