"""Rows as other programs write them, and what they become."""

import json
from typing import Any

import pytest

from data.errors import BadInput
from data.row_checks import parse_row


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def model(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


ASKED = [user("Capital of France?")]
PARIS, LYON = [model("Paris.")], [model("Lyon.")]
DEMO = {"messages": [*ASKED, *PARIS]}
PAIR = {"prompt": ASKED, "chosen": PARIS, "rejected": LYON}
CALL = {"type": "function", "function": {"name": "time", "arguments": {"zone": "UTC"}}}
TOOL = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
HUMAN, GPT = {"from": "human", "value": "Capital of France?"}, {"from": "gpt", "value": "Paris."}

# What it is called, the row as it is found, its kind, and the row that it becomes.
UNDERSTOOD: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("ShareGPT", {"conversations": [HUMAN, GPT]}, "demonstration", DEMO),
    (
        "ShareGPT with a system prompt and a call",
        {
            "conversations": [
                HUMAN,
                {"from": "function_call", "value": '{"name": "time", "arguments": {"zone": "UTC"}}'},
                {"from": "observation", "value": "noon"},
                GPT,
            ],
            "system": "Be short.",
            "tools": '[{"name": "time", "parameters": {"type": "object"}}]',
        },
        "demonstration",
        {
            "messages": [
                system("Be short."),
                *ASKED,
                model("", tool_calls=[CALL]),
                {"role": "tool", "content": "noon"},
                *PARIS,
            ],
            "tools": [TOOL],
        },
    ),
    (
        "ShareGPT's preference",
        {"conversations": [HUMAN], "chosen": GPT, "rejected": {"from": "gpt", "value": "Lyon."}},
        "preference",
        PAIR,
    ),
    (
        "ShareGPT's thumb",
        {"conversations": [HUMAN, GPT], "kto_tag": False},
        "labelled",
        {"prompt": ASKED, "completion": PARIS, "label": False},
    ),
    (
        "Alpaca",
        {"instruction": "Translate.", "input": "Hello", "output": "Bonjour"},
        "demonstration",
        {"messages": [user("Translate.\nHello"), model("Bonjour")]},
    ),
    (
        "Alpaca with a history",
        {
            "instruction": "Capital of France?",
            "input": "",
            "output": "Paris.",
            "system": "Be short.",
            "history": [["Hi", "Hello"]],
        },
        "demonstration",
        {"messages": [system("Be short."), user("Hi"), model("Hello"), *ASKED, *PARIS]},
    ),
    (
        "Alpaca's preference",
        {"instruction": "Capital of France?", "input": "", "chosen": "Paris.", "rejected": "Lyon."},
        "preference",
        PAIR,
    ),
    (
        "Alpaca's thumb",
        {"instruction": "Capital of France?", "output": "Paris.", "kto_tag": True},
        "labelled",
        {"prompt": ASKED, "completion": PARIS, "label": True},
    ),
    (
        "OpenOrca",
        {"id": "niv.1", "system_prompt": "", "question": "Capital of France?", "response": "Paris."},
        "demonstration",
        DEMO,
    ),
    (
        "Dolly",
        {"instruction": "Capital?", "context": "France", "response": "Paris.", "category": "qa"},
        "demonstration",
        {"messages": [user("Capital?\nFrance"), *PARIS]},
    ),
    (
        "ms-swift's preference of texts",
        {"query": "Capital of France?", "response": "Paris.", "rejected_response": "Lyon."},
        "preference",
        PAIR,
    ),
    ("ms-swift's preference", {**DEMO, "rejected_response": "Lyon."}, "preference", PAIR),
    ("ms-swift's other preference", {**DEMO, "rejected_messages": [*ASKED, *LYON]}, "preference", PAIR),
    (
        "ms-swift's thumb",
        {**DEMO, "label": True},
        "labelled",
        {"prompt": ASKED, "completion": PARIS, "label": True},
    ),
    (
        "OpenAI's preference",
        {
            "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
            "preferred_output": PARIS,
            "non_preferred_output": LYON,
        },
        "preference",
        PAIR,
    ),
    (
        "OpenAI's call",
        {
            "messages": [
                {"role": "developer", "content": "Be short."},
                {"role": "user", "content": [{"type": "text", "text": "Capital of France?"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "time", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "noon"},
                *PARIS,
            ],
            "parallel_tool_calls": False,
        },
        "demonstration",
        {
            "messages": [
                system("Be short."),
                *ASKED,
                model(
                    "", tool_calls=[{"id": "c1", "type": "function", "function": {"name": "time", "arguments": {}}}]
                ),
                {"role": "tool", "tool_call_id": "c1", "content": "noon"},
                *PARIS,
            ]
        },
    ),
    (
        "UltraFeedback",
        {
            "prompt": "Capital of France?",
            "prompt_id": "abc",
            "chosen": [*ASKED, *PARIS],
            "rejected": [*ASKED, *LYON],
            "messages": [*ASKED, *PARIS],
            "score_chosen": 8.5,
            "score_rejected": 3,
        },
        "preference",
        PAIR,
    ),
    ("UltraChat", {"prompt": "Capital of France?", "prompt_id": "a", **DEMO}, "demonstration", DEMO),
    ("the implicit prompt", {"chosen": [*ASKED, *PARIS], "rejected": [*ASKED, *LYON]}, "preference", PAIR),
    (
        "the prompt repeated in the answers",
        {"prompt": ASKED, "chosen": [*ASKED, *PARIS], "rejected": [*ASKED, *LYON]},
        "preference",
        PAIR,
    ),
    (
        "hh-rlhf",
        {
            "chosen": "\n\nHuman: Capital of France?\n\nAssistant: Paris.",
            "rejected": "\n\nHuman: Capital of France?\n\nAssistant: Lyon.",
        },
        "preference",
        PAIR,
    ),
    (
        "hh-rlhf with a prompt",
        {"prompt": "\n\nHuman: Capital of France?\n\nAssistant:", "chosen": " Paris.", "rejected": " Lyon."},
        "preference",
        PAIR,
    ),
    (
        "TRL's texts",
        {"prompt": "Capital of France?", "completion": " Paris."},
        "demonstration",
        {"prompt": ASKED, "completion": PARIS},
    ),
    (
        "TRL's labelled texts",
        {"prompt": "Capital of France?", "completion": "Paris.", "label": False},
        "labelled",
        {"prompt": ASKED, "completion": PARIS, "label": False},
    ),
    (
        "TRL's texts with two answers",
        {"prompt": "Capital of France?", "chosen": "Paris.", "rejected": "Lyon."},
        "preference",
        PAIR,
    ),
    ("a text as prompt", {"prompt": "Capital of France?"}, "prompt", {"prompt": ASKED}),
    ("messages as JSON in a cell", {"messages": json.dumps(DEMO["messages"])}, "demonstration", DEMO),
    (
        "messages in columns",
        {"messages": {"role": ["user", "assistant"], "content": ["Capital of France?", "Paris."]}},
        "demonstration",
        DEMO,
    ),
    (
        "a table's empty keys",
        {
            "messages": [{**ASKED[0], "tool_calls": None, "name": None}, model("Paris.", weight=None, tool_calls=[])],
            "prompt": None,
            "label": None,
            "tools": None,
            "system": "",
            "weight": None,
            "images": [],
        },
        "demonstration",
        DEMO,
    ),
    (
        "the same system prompt twice",
        {"system": "Be short.", "messages": [system("Be short."), *ASKED, *PARIS]},
        "demonstration",
        {"messages": [system("Be short."), *ASKED, *PARIS]},
    ),
]


@pytest.mark.parametrize(("name", "row", "kind", "becomes"), UNDERSTOOD, ids=[case[0] for case in UNDERSTOOD])
def test_other_programs_rows_are_understood(
    name: str, row: dict[str, Any], kind: str, becomes: dict[str, Any]
) -> None:
    found = parse_row(row)
    assert (found.kind, found.data) == (kind, becomes)
    assert parse_row({**found.data, **found.extra}).data == becomes  # ours is left as it is


# The row, the field that the sentence names, and what it says.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({**DEMO, "label": "good"}, "label", "expected true or false"),
    ({**DEMO, "chosen": PARIS}, "messages", "keep the keys of one kind"),
    ({**DEMO, "rejected": LYON}, "messages", "keep the keys of one kind"),
    ({**DEMO, "chosen": [*ASKED, *LYON], "rejected": [*ASKED, model("Rome.")]}, "messages", "keep the keys"),
    ({**DEMO, "chosen": PARIS, "rejected": LYON}, "messages", "keep the keys of one kind"),
    ({**DEMO, "completion": PARIS}, "completion", "keep one of them"),
    ({**DEMO, "chosen_response": "Paris."}, "chosen_response", "no better and worse answer"),
    ({**DEMO, "prompt": "Something else"}, "prompt", "something else than the messages"),
    ({**PAIR, "label": True}, "label", "keep the keys of one kind"),
    ({"prompt": ASKED, "rejected_response": "Lyon."}, "rejected_response", "no better and worse answer"),
    ({**DEMO, "system": "One.", "messages": [system("Two."), *DEMO["messages"]]}, "system", "something else than"),
    ({**DEMO, "system": 3}, "system", "expected a text"),
    ({**DEMO, "tools": "time"}, "tools", "not JSON"),
    ({**DEMO, "score": -1}, "score", "may say that the answer is bad"),
    ({**DEMO, "thumbs": "down"}, "thumbs", "may say that the answer is bad"),
    ({"prompt;completion": "a;b"}, "", "save the file with commas"),
    ({**DEMO, "images": ["a.png"]}, "images", "trains texts only"),
    ({**DEMO, "loss_mask": [0, 1]}, "loss_mask", "give a message weight 0"),
    ({**DEMO, "chat_template_kwargs": {"x": 1}}, "chat_template_kwargs", "nothing but messages and tools"),
    ({"conversations": "Hi"}, "conversations", "expected a list"),
    ({"conversations": [{"from": "alien", "value": "x"}]}, "conversations[0].from", "expected human, gpt"),
    ({"conversations": [HUMAN, {"from": "gpt", "value": None}]}, "conversations[1].value", "expected a text"),
    ({"conversations": [HUMAN, GPT], **DEMO}, "conversations", "keep one of them"),
    ({"instruction": 3, "output": "x"}, "instruction", "expected a text"),
    ({"instruction": "x", "output": "y", "history": ["z"]}, "history[0]", "a question and its answer"),
    ({"chosen": PARIS, "rejected": LYON}, "prompt", "do not begin with the same question"),
    ({"prompt": "Else?", "chosen": [*ASKED, *PARIS], "rejected": [*ASKED, *LYON]}, "prompt", "not what chosen"),
    ({"preferred_output": PARIS, "non_preferred_output": LYON}, "input", "an object with messages"),
    ({"text": "Once upon a time"}, "", "Running text has no turns"),
]


@pytest.mark.parametrize(("row", "field", "says"), REFUSED)
def test_a_row_that_says_two_things_is_refused(row: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse_row(row)
    assert str(caught.value).startswith(f", field '{field}'" if field else ":")


@pytest.mark.parametrize("key", ["weight", "train", "training", "trainable", "loss", "loss_mask"])
@pytest.mark.parametrize("value", [0, 0.0, False])
def test_a_turn_that_is_only_read_is_known_by_any_programs_key(key: str, value: float) -> None:
    turns = [*ASKED, model("Lyon.", **{key: value}), user("Sure?"), model("Paris.", **{key: 1})]
    assert parse_row({"messages": turns}).data == {
        "messages": [*ASKED, model("Lyon.", weight=0), user("Sure?"), *PARIS]
    }


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (model("Paris.", weight=0.5), "expected 0 .* or 1 .*, found 0.5"),
        (model("Paris.", weight=0), "nothing to train"),
        (model("Paris.", weight=1, train=False), "contradict each other"),
        (model("Paris.", label=False), "does not know how to train with this key"),
        (model("Paris.", train_detail=[{"train": True}]), "does not know how"),
        (model("Paris.", images=["x"]), "does not know how"),
        (model("Paris.", tool_calls=[{"name": 3}]), "expected calls with a function's name"),
        (model("Paris.", reasoning_content=3), "expected a text"),
        (model("\u200b\ufeff\x07"), "nothing to see"),
        (model("\u3164\u2800\ufe0f"), "nothing to see"),
    ],
)
def test_a_message_whose_keys_cannot_be_followed_is_refused(message: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        parse_row({"messages": [*ASKED, message]})
    assert str(caught.value).startswith(", field 'messages")


def test_only_answers_can_be_trained() -> None:
    with pytest.raises(BadInput, match="only the assistant's turns"):
        parse_row({"messages": [{**ASKED[0], "train": True}, *PARIS]})
    with pytest.raises(BadInput, match="a prompt is read, not trained"):
        parse_row({"prompt": [*DEMO["messages"][:1], model("x", weight=1), *ASKED], "completion": PARIS})
    with pytest.raises(BadInput, match="what the row teaches"):
        parse_row({"prompt": ASKED, "completion": [model("Paris.", weight=0)]})
    read = {"prompt": [*ASKED, model("x", weight=0), *ASKED], "completion": [model("Paris.", weight=1)]}
    assert parse_row(read).data == {"prompt": [*ASKED, model("x"), *ASKED], "completion": PARIS}


def test_a_number_is_an_id_and_reasoning_is_kept() -> None:
    found = parse_row({"messages": [*ASKED, model("Paris.", reasoning_content="France.")], "id": 7})
    assert (found.id, found.data["messages"][1]["reasoning_content"]) == ("7", "France.")
