"""A tiny random model becomes a base with llama.cpp's real converter; the real engine renders as the trainer does."""

from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from alignment import bases as command
from alignment.conversion.admission import conversations
from alignment.conversion.converter import FOLDER
from alignment.models import load_tokenizer
from alignment.rows.tokens import control_strings
from alignment.serving.engine import serve
from alignment.serving.passages import compare_tokens
from alignment.templates import compose
from data.bases import base_info
from data.chat import template_sha256
from tests.alignment import own_templates
from tests.fakes import tiny_bases

pytestmark = [pytest.mark.tiny, pytest.mark.process]


@pytest.fixture(scope="module")
def shelf(fetched, tmp_path_factory):
    """A shelf with the converter that `make test-all` fetched, and a home."""
    folder = tmp_path_factory.mktemp("bases")
    (folder / FOLDER).symlink_to(fetched)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARLEY_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("PARLEY_BASES", str(folder))
        yield folder


def beginning(template):
    """The template with the token at the beginning that a base of the Llama kind has before every text."""
    return template if "bos_token" in template else "{{- bos_token }}" + template


@pytest.fixture(scope="module")
def added(shelf, tmp_path_factory):
    """A base of the Llama kind with a template that thinks, as `add` makes it."""
    model = tiny_bases.build("llama", tmp_path_factory.mktemp("fern"))
    (model / "chat_template.jinja").write_text(beginning(own_templates.QWEN3))
    assert command.main(["add", "fern", "--model", str(model), "--quantise", "f16"]) == 0
    return base_info("fern")


def test_it_computes_what_transformers_computes_and_says_how_it_was_made(added, shelf):
    assert added.nats is not None
    assert added.nats < 0.02
    assert (added.quantisation, added.thinking_switch, added.template_name) == ("f16", "enable_thinking", "")
    assert "llama.cpp" in added.converter
    assert sorted(path.name for path in (shelf / "fern").iterdir()) == [
        ".checked.json",
        "base.json",
        "hf",
        "model.gguf",
        "template.jinja",
    ]


@pytest.mark.parametrize("style", sorted(own_templates.STYLES))
def test_the_engine_makes_the_trainers_token_ids_of_every_template(style, added, shelf):
    tokenizer = AutoTokenizer.from_pretrained(shelf / "fern" / "hf")
    tokenizer.chat_template = beginning(own_templates.STYLES[style])
    template = compose(tokenizer, style).text
    other = shelf / style
    other.mkdir()
    for name in ("hf", "model.gguf"):
        (other / name).symlink_to(shelf / "fern" / name)
    (other / "template.jinja").write_text(template)
    info = replace(added, alias=style, template_sha256=template_sha256(template), files={})
    info.save(other / "base.json")
    tokenizer = load_tokenizer(style)
    assert tokenizer.chat_template == template
    talks = conversations(tokenizer, control_strings(tokenizer))
    assert len(talks) == 8  # none is refused
    with serve(style, None) as engine:
        compare_tokens(engine, talks)


def test_a_request_can_have_it_think(added, shelf):
    """With the variable the prompt is the one that the base's own template makes for thinking."""
    question = [{"role": "user", "content": "Hello"}]
    tokenizer = AutoTokenizer.from_pretrained(shelf / "fern" / "hf")
    wanted = [
        tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True, enable_thinking=thinks)
        for thinks in (True, False)
    ]
    with serve("fern", None) as engine:
        made = [
            engine.post("/apply-template", {"messages": question, "chat_template_kwargs": told})["prompt"]
            for told in ({"parley_thinks": True, "enable_thinking": True}, {})
        ]
    # The engine leaves the first token to its tokenizer.
    assert made == [text.removeprefix(tokenizer.bos_token) for text in wanted]
    assert made[0] != made[1]


def test_check_finds_a_changed_file(added, shelf, capsys):
    assert command.main(["check", "fern"]) == 0
    path = shelf / "fern" / "model.gguf"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert command.main(["check", "fern"]) == 1
    assert "model.gguf was changed or is damaged" in capsys.readouterr().out
    path.write_bytes(whole)
    assert command.main(["check", "fern"]) == 0
