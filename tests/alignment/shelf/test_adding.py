"""`add`, from a tiny model to a base: what is written, what is refused, and that nothing half made stays."""

import json
import os
import shutil
import signal
from dataclasses import replace

import pytest
import torch
from transformers import AutoTokenizer

from alignment import models
from alignment.conversion.admission import Admission
from alignment.rows.tokens import control_strings, encode_answer
from alignment.serving.passages import NotServable
from alignment.shelf import adding, form
from alignment.shelf.adding import Wanted
from alignment.shelf.speed import Forms
from data.base_files import base_problems
from data.bases import base_info, base_template, known_bases
from data.chat import engine_template, template_sha256
from data.errors import BadInput
from data.home import file_sha256
from tests.alignment import own_templates, tiny
from tests.data.talk import script

pytestmark = pytest.mark.tiny

ADMITTED = Admission(texts=2, conversations=1, positions=3, mean=0.001, max=0.01, limit=0.2, quantisation="q8_0")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny model that thinks, with its card and with what must stay behind."""
    torch.manual_seed(1)
    folder = tiny.build("llama", tmp_path_factory.mktemp("fern-1b"), template=own_templates.QWEN3)
    made = AutoTokenizer.from_pretrained(folder)
    made.add_special_tokens({"additional_special_tokens": list(own_templates.EXTRA_TOKENS)})
    made.chat_template = own_templates.QWEN3
    made.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 400}))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: [en, zh]\n---\n# Fern\n")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "modeling_fern.py").write_text("raise SystemExit('programs of a model are never run')")
    return folder


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty shelf; llama.cpp's part is played, as `tests/alignment/conversion` tests it."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))

    def convert(folder, out, quantise, *, pre, say):
        assert (pre, folder.name) == ("gpt-2", "hf")
        out.write_bytes(b"GGUF")
        return quantise

    monkeypatch.setattr(adding, "find_pretokenizer", lambda *_, **__: "gpt-2")
    monkeypatch.setattr(adding, "convert", convert)
    monkeypatch.setattr(adding, "admit", lambda *_, **__: ADMITTED)
    monkeypatch.setattr(form, "compare_forms", lambda _: Forms(lora=3.0, merged=2.0))
    return tmp_path / "bases"


def kept(shelf):
    return sorted(path.name for path in shelf.iterdir() if not path.name.endswith(".lock")) if shelf.is_dir() else []


def add(model, say=lambda _: None, **wanted):
    return adding.add(Wanted("fern", str(model), **wanted), say)


def test_base_json_says_everything_and_the_folder_has_what_training_needs(shelf, model):
    said = []
    info = add(model, said.append)
    folder = shelf / "fern"
    assert info == base_info("fern")
    assert kept(shelf) == ["fern"] == [name for name in known_bases() if name != "smollm2-135m"]
    assert {path.name for path in (folder / "hf").iterdir()}.isdisjoint({"modeling_fern.py", "pytorch_model.bin"})
    assert replace(info, files={}, control=()) == replace(
        info,
        files={},
        control=(),
        alias="fern",
        source=str(model),
        revision="",
        licence="apache-2.0",
        languages=("en", "zh"),
        architecture="llama",
        context_length=512,
        eos_token="<|im_end|>",
        template_name="",
        template_sha256=template_sha256(base_template(info)),
        weights_sha256=file_sha256(model / "model.safetensors"),
        config_sha256=file_sha256(model / "config.json"),
        tokenizer_sha256=file_sha256(model / "tokenizer.json"),
        gguf_sha256=file_sha256(folder / "model.gguf"),
        quantisation="q8_0",
        converter=adding.VERSION,
        thinks=True,
        thinking_switch="enable_thinking",
        nats=0.001,
        served="merged",
    )
    assert {"<|im_start|>", "<think>", "</s>"} <= set(info.control)
    assert info.sha256 == models.base_sha256(models.Base(str(model), str(model)))
    assert set(info.files) == {f"hf/{path.name}" for path in (folder / "hf").iterdir()} | {"template.jinja"}
    assert list(base_problems(info)) == []
    assert (folder / ".checked.json").is_file()
    assert all(not path.stat().st_mode & 0o077 for path in (folder, *folder.rglob("*")))
    assert "It thinks before it answers; that is switched off." in said[0]
    assert said[-2:] == [
        "Its licence: apache-2.0.",
        "The base model fern is in place. A new home takes it with PARLEY_BASE=fern; a home that has another begins "
        "anew with `python -m alignment.bases switch fern`.",
    ]


def test_an_added_base_is_trained_with_its_own_template_and_end_of_turn(shelf, model):
    add(model)
    tokenizer = models.load_tokenizer("fern")
    assert tokenizer.chat_template == base_template(base_info("fern"))
    assert tokenizer.eos_token == "<|im_end|>"
    assert models.load_tokenizer(str(model)).chat_template != tokenizer.chat_template  # a bare folder is as before
    coded = encode_answer(tokenizer, [{"role": "user", "content": "hi"}], "yes", control_strings(tokenizer))
    assert tokenizer.decode(coded.prompt).endswith("<think>\n\n</think>\n\n")
    assert tokenizer.decode(coded.answer) == "yes<|im_end|>"


def test_a_damaged_base_is_not_loaded(shelf, model):
    add(model)
    models.locate("fern")
    path = shelf / "fern" / "hf" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(BadInput, match=r"fern is damaged: .*model\.safetensors was changed"):
        models.load_model("fern")


def test_a_name_is_taken_once(shelf, model):
    add(model)
    with pytest.raises(BadInput, match=r"There is a base fern already.*alignment\.bases remove fern"):
        add("/no/such/folder")
    shutil.rmtree(shelf / "fern" / "hf")
    (shelf / "fern" / "base.json").unlink()
    with pytest.raises(BadInput, match="is there and is not a base"):
        add(model)


def test_without_a_gguf_only_other_engines_serve_it(shelf, model, monkeypatch):
    def never(*_, **__):
        raise AssertionError("there is nothing to convert")

    for name in ("convert", "find_pretokenizer", "admit"):
        monkeypatch.setattr(adding, name, never)
    said = []
    info = add(model, said.append, quantise=None)
    assert (info.gguf_sha256, info.quantisation, info.converter, info.nats) == ("", "", "", None)
    assert info.sha256 == info.weights_sha256
    assert not (shelf / "fern" / "model.gguf").exists()
    assert any("PARLEY_ENGINE_URL" in each for each in said)


def test_a_licence_that_nobody_tells_is_said(shelf, model, tmp_path):
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "README.md").unlink()
    said = []
    assert add(copy, said.append).licence == "unknown"
    assert any("under which licence" in each for each in said)


def test_a_base_without_a_template_gets_ours(shelf, tmp_path):
    info = add(tiny.build("gpt2", tmp_path / "model"))
    assert (info.template_name, info.eos_token, info.thinks) == ("eos", "<|endoftext|>", False)
    assert info.template_sha256 == template_sha256(base_template(info))
    # Other engines are given the file, which has no markers of the trainer.
    assert (shelf / "fern" / "template.jinja").read_text() == engine_template(base_template(info))
    assert models.load_tokenizer("fern").chat_template == base_template(info)


@pytest.mark.parametrize("refusal", [NotServable("they differ"), OSError("the disk is full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["copy", "convert", "admit"])
def test_nothing_half_made_stays(shelf, model, monkeypatch, step, refusal):
    def stop(*_, **__):
        raise refusal

    with monkeypatch.context() as patch:
        patch.setattr(adding, step, stop)
        with pytest.raises(type(refusal)):
            add(model)
    assert kept(shelf) == []
    assert add(model).alias == "fern"


def test_tokens_are_compared_before_the_weights_are_copied(shelf, model, monkeypatch):
    def differ(*_, **__):
        raise BadInput("other tokens")

    monkeypatch.setattr(adding, "find_pretokenizer", differ)
    monkeypatch.setattr(adding, "copy", None)
    with pytest.raises(BadInput, match="other tokens"):
        add(model)
    assert kept(shelf) == []


def changed(model, tmp_path, name, value):
    """A copy of the model with another value in a JSON file."""
    copy = shutil.copytree(model, tmp_path / "changed")
    path = copy / name
    path.write_text(json.dumps(json.loads(path.read_text()) | value))
    return copy


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("config.json", {"num_local_experts": 8}, "mixture of experts"),
        ("config.json", {"model_type": "mamba"}, "the type 'mamba'"),
        ("config.json", {"vocab_size": 300}, "has 4.. tokens, and its configuration says 300|has 3.. tokens"),
        ("config.json", {"quantization_config": {"quant_method": "awq"}}, r"stored quantised \(awq\)"),
    ],
)
def test_configurations_that_cannot_be_a_base_are_refused_before_anything_is_copied(
    shelf, model, tmp_path, monkeypatch, name, value, sentence
):
    monkeypatch.setattr(adding, "copy", None)
    with pytest.raises(BadInput, match=sentence):
        add(changed(model, tmp_path, name, value))


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (own_templates.ALWAYS_THINKS, "always thinks"),
        ("{{ raise_exception('no') }}", "renders no plain conversation"),
    ],
)
def test_templates_that_cannot_be_used_are_refused_before_anything_is_copied(
    shelf, model, tmp_path, monkeypatch, template, sentence
):
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "chat_template.jinja").write_text(template)
    monkeypatch.setattr(adding, "copy", None)
    with pytest.raises(BadInput, match=sentence):
        add(copy)


@pytest.mark.parametrize("damage", ["cut", "no tokenizer", "no end of text"])
def test_other_folders_that_cannot_be_a_base_are_refused(shelf, model, tmp_path, monkeypatch, damage):
    copy = tiny.build("gpt2", tmp_path / "copy") if damage == "no end of text" else tmp_path / "copy"
    if damage == "no end of text":
        made = AutoTokenizer.from_pretrained(copy)
        made.eos_token = None
        made.save_pretrained(copy)
        sentence = "neither a chat template nor an end-of-text token"
    else:
        shutil.copytree(model, copy)
        sentence = {"cut": "breaks off", "no tokenizer": "has no tokenizer: there is no tokenizer.json"}[damage]
        path = copy / "model.safetensors"
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-10])
        else:
            (copy / "tokenizer.json").unlink()
    monkeypatch.setattr(adding, "find_pretokenizer", None)  # all of this is found before any work
    with pytest.raises(BadInput, match=sentence):
        add(copy)
    assert kept(shelf) == []


def test_a_disk_that_is_too_small_is_named_before_anything_is_copied(shelf, model, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(BadInput, match=r"The base takes about .*, and .* has 1000 bytes left\. Make room"):
        add(model)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ": it does not begin"),
        (b"GGUF", r" \(.*\)\. Fetch it again"),
        (b"no GGUF at all", ": it does not begin"),
    ],
)
def test_a_file_that_is_no_gguf_is_refused(shelf, model, tmp_path, content, reason):
    (tmp_path / "own.gguf").write_bytes(content)
    with pytest.raises(BadInput, match=rf"own\.gguf is not a readable GGUF{reason}"):
        add(model, gguf=tmp_path / "own.gguf", quantise=None)


def gguf(path, kind="llama", layers=2, file_type=15, general="model"):
    from gguf import GGUFWriter

    writer = GGUFWriter(path, kind)
    writer.add_type(general)
    writer.add_block_count(layers)
    writer.add_file_type(file_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_of_ones_own_is_taken_and_its_quantisation_read(shelf, model, tmp_path):
    path = gguf(tmp_path / "own.gguf")
    info = add(model, gguf=path, quantise=None)
    assert (info.quantisation, info.converter) == ("q4_k_m", "given with --gguf")
    assert info.gguf_sha256 == file_sha256(path) == file_sha256(shelf / "fern" / "model.gguf")


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"kind": "qwen2"}, "of the type 'qwen2', and --model names one of the type 'llama'"),
        ({"layers": 3}, "a model of 3 layers, and --model names one of 2"),
        ({"general": "adapter"}, "a GGUF of the kind 'adapter'"),
    ],
)
def test_a_gguf_of_another_model_is_refused(shelf, model, tmp_path, made, sentence):
    with pytest.raises(BadInput, match=sentence):
        add(model, gguf=gguf(tmp_path / "own.gguf", **made), quantise=None)


@pytest.mark.process
@pytest.mark.parametrize(("step", "name"), [("copy", "fern"), ("convert", "moss"), ("admit", "fern")])
def test_a_kill_half_way_leaves_no_base_and_the_next_add_cleans_up(shelf, model, step, name):
    program = f"""
import sys, time
from alignment.shelf import adding
def hang(*_, **__):
    print("half way", flush=True)
    time.sleep(60)
def convert(folder, out, quantise, **_):
    out.write_bytes(b"GGUF")
    return quantise
adding.find_pretokenizer = lambda *_, **__: "gpt-2"
adding.convert = convert
adding.{step} = hang
adding.add(adding.Wanted("fern", {str(model)!r}), lambda _: None)
"""
    process = script(shelf.parent, "-c", program, PARLEY_BASES=str(shelf))
    assert process.stdout.readline() == "half way\n", process.communicate()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert [name[:6] for name in kept(shelf)] == [".fern."]
    assert known_bases() == ["smollm2-135m"]
    assert adding.add(Wanted(name, str(model)), lambda _: None).alias == name
    assert kept(shelf) == [name]


def test_two_at_a_time_are_refused(shelf, model, monkeypatch):
    def meanwhile(*_, **__):
        with pytest.raises(BadInput, match="Another process is adding fern right now"):
            add(model)
        return "gpt-2"

    monkeypatch.setattr(adding, "find_pretokenizer", meanwhile)
    add(model)


def test_a_merged_models_folder_keeps_the_template_of_its_base(shelf, model, tmp_path):
    add(model)
    tokenizer = models.load_tokenizer("fern")
    tokenizer.save_pretrained(tmp_path / "merged")
    shutil.copy(model / "config.json", tmp_path / "merged")
    merged = models.load_tokenizer(str(tmp_path / "merged"))
    assert (merged.chat_template, merged.eos_token) == (tokenizer.chat_template, "<|im_end|>")
