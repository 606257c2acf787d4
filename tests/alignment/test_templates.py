"""A base's own chat template: what is trained and what is asked has the token ids that the original gives."""

import pytest

from alignment import templates
from alignment.rows.rendering import render
from alignment.rows.tokens import control_strings, encode, encode_answer, prompt_ids
from data.asked_to_think import OURS
from data.errors import BadInput
from tests.alignment import own_templates, tiny

pytestmark = pytest.mark.tiny

SYSTEM = {"role": "system", "content": "You are kind."}
TURNS = [
    {"role": "user", "content": "hello"},
    {"role": "assistant", "content": "I am fine"},
    {"role": "user", "content": "And 你呢?"},
    {"role": "assistant", "content": "Paris, **of course**."},
    {"role": "user", "content": "thank you"},
    {"role": "assistant", "content": "yes"},
]
CONVERSATIONS = [[*head, *TURNS[:count]] for head in ([], [SYSTEM]) for count in (2, 4, 6)]
ENDS = {
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "gemma2": "<end_of_turn>",
    "mistral": "</s>",
    "mistral7": "</s>",
}


@pytest.fixture(scope="module", params=sorted(own_templates.STYLES))
def style(request):
    return request.param


def made_for(template):
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    return tiny.tokenizer(names, own_templates.EXTRA_TOKENS, template=template)


@pytest.fixture(scope="module")
def original(style):
    return made_for(own_templates.STYLES[style])


@pytest.fixture(scope="module")
def composed(original):
    return templates.compose(original, "the base")


@pytest.fixture(scope="module")
def tokenizer(style, composed):
    made = made_for(composed.text)
    templates.name_end_of_turn(made)
    return made


def ids_of(original, style, messages, *, ask=False):
    """What transformers makes of a conversation by the original template, thinking switched off."""
    off = {own_templates.SWITCHES[style]: False} if style in own_templates.SWITCHES else {}
    return original.apply_chat_template(messages, tokenize=True, return_dict=False, add_generation_prompt=ask, **off)


def test_only_what_a_template_needs_is_put_in_front_of_it(style, original, composed):
    assert composed.front == own_templates.FRONTS.get(style, "")
    assert composed.switch == own_templates.SWITCHES.get(style, "")
    assert composed.thinks == (style in ("qwen3", "smollm3"))
    assert original.chat_template == own_templates.STYLES[style]  # it was only lent


@pytest.mark.parametrize("messages", CONVERSATIONS, ids=lambda messages: f"{len(messages)}")
def test_prompts_have_the_ids_of_the_original(style, original, composed, tokenizer, messages):
    if messages[0] is SYSTEM and composed.front == "fold":
        pytest.skip("the original refuses it, or forgets it")
    found = prompt_ids(tokenizer, messages[:-1], control_strings(tokenizer))
    assert found == ids_of(original, style, messages[:-1], ask=True)


@pytest.mark.parametrize("messages", CONVERSATIONS, ids=lambda messages: f"{len(messages)}")
def test_rows_have_the_ids_of_the_original_and_train_the_answer_alone(style, original, composed, tokenizer, messages):
    if messages[0] is SYSTEM and composed.front == "fold":
        pytest.skip("the original refuses it, or forgets it")
    control = control_strings(tokenizer)
    coded = encode(tokenizer, messages, control)
    whole = ids_of(original, style, messages)
    # Templates add a line end after the last turn, which no model generates.
    assert coded.ids == whole[: len(coded.ids)]
    assert tokenizer.decode(whole[len(coded.ids) :]) in ("", "\n")
    prompt = prompt_ids(tokenizer, messages[:-1], control)
    assert coded.ids[: len(prompt)] == prompt
    answer = coded.ids[len(prompt) :]
    assert coded.mask[len(prompt) :] == [1] * len(answer)
    lead = " " if style.startswith("mistral") else ""
    assert tokenizer.decode(answer) == lead + messages[-1]["content"] + ENDS.get(style, "<|im_end|>")
    trained = tokenizer.decode([token for token, on in zip(coded.ids, coded.mask, strict=True) if on])
    assert "think" not in trained
    assert "<|im_start|>" not in trained
    pair = encode_answer(tokenizer, messages[:-1], messages[-1]["content"], control)
    assert [*pair.prompt, *pair.answer] == coded.ids


def test_a_base_that_thinks_gets_the_empty_thought_in_its_prompt(style, tokenizer, original):
    prompt = render(tokenizer, TURNS[:1], add_generation_prompt=True)
    assert prompt.rstrip().endswith("</think>") == (style in own_templates.SWITCHES)
    if style in own_templates.SWITCHES:
        asked = {"tokenize": False, "add_generation_prompt": True}
        thinking = tokenizer.apply_chat_template(TURNS[:1], **asked, **{OURS: True})
        assert thinking == original.apply_chat_template(TURNS[:1], **asked, enable_thinking=True)
        assert "</think>" not in thinking


def test_two_turns_of_one_role_and_a_system_message_are_rendered(tokenizer):
    text = render(tokenizer, [SYSTEM, TURNS[0], TURNS[2], TURNS[3], TURNS[4]], add_generation_prompt=True)
    assert all(each["content"] in text for each in (SYSTEM, TURNS[0], TURNS[2], TURNS[4]))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (own_templates.ALWAYS_THINKS, "always thinks before it answers"),
        ("{{ raise_exception('never') }}", "renders no plain conversation"),
        ("{{ messages[0]['content'] }}", "renders no plain conversation"),
        ("{% for m in messages %}{{ m['content'] }}{% endfor", "renders no plain conversation"),
        (own_templates.CHATML + "{% if not add_generation_prompt %}{{ 'bye' }}{% endif %}", None),
        ("{{ messages | length }}" + own_templates.CHATML, "cannot be trained with"),
    ],
)
def test_templates_that_cannot_be_used_are_refused(template, sentence):
    tokenizer = made_for(template)
    if sentence is None:
        assert templates.compose(tokenizer, "the base").front == ""
        return
    with pytest.raises(BadInput, match=rf"the base .*{sentence}|of the base .*{sentence}"):
        templates.compose(tokenizer, "the base")
    assert tokenizer.chat_template == template


@pytest.mark.parametrize("marks", [("", ""), ("-", ""), ("", "-"), ("-", "-")])
def test_markers_of_other_trainers_go_and_leave_every_blank_where_it_was(marks):
    left, right = marks
    body = "a \n {%L generation R%} \n b \n {%L endgeneration R%} \n c".replace("L", left).replace("R", right)
    tokenizer = made_for(body)
    with_markers = tokenizer.apply_chat_template(TURNS[:1], tokenize=False)
    tokenizer.chat_template = templates.without_markers(body)
    assert "generation" not in tokenizer.chat_template
    assert tokenizer.apply_chat_template(TURNS[:1], tokenize=False) == with_markers


def test_variables_that_only_the_engine_sets_get_other_names_and_texts_stay():
    body = (
        "date_string {% if not date_string is defined %}{% set date_string = 'date_string' %}{% endif %}"
        "{{ date_string ~ messages[0].datetime ~ \"a 'datetime'\" ~ xdate_string }}"
    )
    found = templates.without_dates(body)
    assert found == (
        "date_string {% if not parley_date_string is defined %}{% set parley_date_string = 'date_string' %}{% endif "
        "%}{{ parley_date_string ~ messages[0].datetime ~ \"a 'datetime'\" ~ xdate_string }}"
    )
    made = made_for(own_templates.LLAMA3)
    made.chat_template = templates.compose(made, "the base").text
    asked = {"tokenize": False, "date_string": "today"}
    assert "26 Jul 2024" in made.apply_chat_template(TURNS[:1], **asked)


def test_the_default_is_taken_where_a_base_brings_several_templates():
    tokenizer = made_for({"default": own_templates.CHATML, "tool_use": "{{ tools }}"})
    assert templates.own_template(tokenizer) == own_templates.CHATML
    assert templates.compose(tokenizer, "the base").text.endswith(own_templates.CHATML)
    assert templates.own_template(made_for(None)) is None
