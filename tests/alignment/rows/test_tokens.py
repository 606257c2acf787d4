"""Which tokens of long, weighed and tool-using conversations are trained, and how long it takes to find them."""

import time

import pytest

from alignment import models
from alignment.rows import spans, tokens
from alignment.rows.prepare import prepare
from alignment.rows.rendering import Unrenderable
from alignment.rows.tokens import control_strings, encode, encode_answer, surely_longer
from data.chat import Message
from tests.alignment import tiny

pytestmark = pytest.mark.tiny

FAMILIES = ("qwen", "llama", "llama3", "gemma", "gpt2")
# A template that renders tools, calls, results and reasoning, and drops the reasoning of earlier turns.
TOOLS_TEMPLATE = """{%- if tools %}{{ '<|start_header_id|>system<|end_header_id|>' + (tools | tojson) + '<|eot_id|>' }}{% endif -%}
{%- for message in messages -%}
{{- '<|start_header_id|>' + message.role + '<|end_header_id|>' -}}
{%- if message.reasoning_content and loop.last -%}{{- '(' + message.reasoning_content + ')' -}}{%- endif -%}
{{- message.content -}}
{%- for call in message.tool_calls or [] -%}{{- (call.function | tojson) -}}{%- endfor -%}
{{- '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>' -}}{%- endif -%}"""  # noqa: E501 - a template is one line
CALL = {"type": "function", "function": {"name": "look<|eot_id|>", "arguments": {"at": "noon"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    made = {}
    for family in FAMILIES:
        made[family] = models.load_tokenizer(str(tiny.build(family, tmp_path_factory.mktemp(family))))
    folder = tiny.build("llama3", tmp_path_factory.mktemp("tools"), template=TOOLS_TEMPLATE)
    return {**made, "tools": models.load_tokenizer(str(folder))}


def turn(role: str, content: str, **more) -> Message:
    return Message(role=role, content=content, **more)


def talk(rounds: int, *, system: bool = True) -> list[Message]:
    """A conversation of short, repeating turns, some of which look like a turn's beginning."""
    head = [turn("system", "Be kind.")] if system else []
    said = [
        each
        for at in range(rounds)
        for each in (turn("user", ("user", f"What is {at}?", "assistant")[at % 3]), turn("assistant", f"{at // 4}"))
    ]
    return [*head, *said]


def trained(tokenizer, messages, **more) -> str:
    found = encode(tokenizer, messages, control_strings(tokenizer), **more)
    return tokenizer.decode([token for token, on in zip(found.ids, found.mask, strict=True) if on])


@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("family", [*FAMILIES, "tools"])
def test_a_long_conversation_is_encoded_as_if_each_answer_were_rendered_with_all_before_it(
    family, system, tokenizers, monkeypatch
):
    tokenizer, control = tokenizers[family], control_strings(tokenizers[family])
    messages = talk(24, system=system)
    messages[25:27] = [turn("user", "again"), *messages[25:27]]  # two turns of one role
    quick = encode(tokenizer, messages, control)
    monkeypatch.setattr(spans, "_FEW", 10_000)
    assert encode(tokenizer, messages, control) == quick
    assert sum(quick.mask) > 24


@pytest.mark.parametrize("family", ["qwen", "llama3", "gemma"])
def test_the_time_is_linear_in_the_turns(family, tokenizers):
    def seconds(rounds: int) -> float:
        began = time.process_time()
        encode(tokenizers[family], talk(rounds), control_strings(tokenizers[family]))
        return time.process_time() - began

    seconds(10)
    one, four = min(seconds(250) for _ in range(3)), seconds(1000)
    assert four < 8 * one  # 16 times if it were quadratic
    assert four < 10


def test_a_conversation_that_cannot_fit_is_known_before_its_turns_are_found(tokenizers, tmp_path, monkeypatch):
    tokenizer = tokenizers["llama3"]
    control = control_strings(tokenizer)
    assert surely_longer(tokenizer, talk(400), control, None, 256)
    assert not surely_longer(tokenizer, talk(400), control, None, 20_000)
    assert not surely_longer(tokenizer, talk(4), control, None, 256)
    rows = tiny.write(tmp_path / "rows.jsonl", [*tiny.demonstrations(3), {"messages": talk(400)}])

    real = tokens.trained_spans

    def short_only(tokenizer, messages, *more):
        assert len(messages) < 99, "the turns of a row that cannot fit were looked for"
        return real(tokenizer, messages, *more)

    monkeypatch.setattr(tokens, "trained_spans", short_only)
    found = prepare("demonstration", tokenizer, str(rows), eval_fraction=0, max_length=256, max_dropped=0.5)
    assert found.train.dropped == {"longer than max_length (256 tokens)": 1}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_of_weight_0_is_read_and_not_trained(family, tokenizers):
    asked, again = turn("user", "hello"), turn("user", "again")
    bad, good = turn("assistant", "wrong one", weight=0), turn("assistant", "right one")
    end = tokenizers[family].eos_token
    assert trained(tokenizers[family], [asked, bad, again, good]).strip() == f"right one{end}"
    # What comes after the last trained turn is left out.
    assert encode(tokenizers[family], [asked, good, again, bad], control_strings(tokenizers[family])) == encode(
        tokenizers[family], [asked, good], control_strings(tokenizers[family])
    )


def test_tool_calls_are_trained_where_the_template_renders_them(tokenizers):
    messages = [
        turn("user", "What time is it?"),
        turn("assistant", "", tool_calls=[CALL]),
        turn("tool", "noon"),
        turn("assistant", "It is noon.", reasoning_content="so"),
    ]
    text = trained(tokenizers["tools"], messages, tools=[TOOL])
    assert '"name": "look\\u003c |eot_id|\\u003e"' in text or '"name": "look< |eot_id|>"' in text
    assert text.endswith("(so)It is noon.<|eot_id|>")
    control = control_strings(tokenizers["tools"])
    called = encode_answer(tokenizers["tools"], messages[:1], messages[1], control, [TOOL])
    assert "look" in tokenizers["tools"].decode(called.answer)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("message", "tools", "named"),
    [
        (turn("assistant", "Hi", tool_calls=[CALL]), None, "tool_calls"),
        (turn("assistant", "Hi", reasoning_content="so"), None, "reasoning_content"),
        (turn("assistant", "Hi", thinking="so"), None, "thinking"),
        (turn("assistant", "Hi", name="bob"), None, "name"),
        (turn("assistant", "Hi"), [TOOL], "tools"),
    ],
)
def test_what_the_template_leaves_out_is_not_dropped_silently(family, message, tools, named, tokenizers):
    with pytest.raises(Unrenderable, match=f"leaves out its {named}"):
        trained(tokenizers[family], [turn("user", "hello"), message], tools=tools)


def test_a_result_of_a_tool_is_refused_by_a_template_without_tools(tokenizers):
    for family in FAMILIES:
        with pytest.raises(Unrenderable, match="messages of the role tool"):
            trained(tokenizers[family], [turn("user", "a"), turn("tool", "b"), turn("assistant", "c")])
