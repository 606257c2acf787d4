"""Which types of models can be bases."""

import json

import pytest

from alignment.shelf.families import read_config, refuse_unsupported
from data.errors import BadInput


@pytest.mark.parametrize("kind", ["llama", "qwen3", "gpt2"])
def test_types_that_the_embedded_engine_serves_are_taken(kind):
    refuse_unsupported({"model_type": kind}, "it", served=True)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model_type": "qwen3_moe", "num_experts": 128}, r"a mixture of experts \(qwen3_moe\).*dense"),
        ({"model_type": "mixtral", "num_local_experts": 8}, "a mixture of experts"),
        ({"model_type": "deepseek_v3", "n_routed_experts": 256}, "a mixture of experts"),
        ({"model_type": "gemma3", "vision_config": {"x": 1}}, "pictures or sounds"),
        ({"model_type": "llama", "quantization_config": {"quant_method": "gptq"}}, r"stored quantised \(gptq\)"),
        ({"model_type": "mamba"}, r"the type 'mamba'.*known: .*llama.*--no_gguf"),
        ({"model_type": "qwen33"}, "Did you mean 'qwen3'"),
    ],
)
def test_other_types_are_refused_in_one_sentence(config, sentence):
    with pytest.raises(BadInput, match=f"it .*{sentence}|of it .*{sentence}"):
        refuse_unsupported(config, "it", served=True)


@pytest.mark.tiny
def test_without_a_gguf_any_type_that_writes_text_is_taken():
    refuse_unsupported({"model_type": "cohere"}, "it", served=False)
    with pytest.raises(BadInput, match="does not know as one that writes text"):
        refuse_unsupported({"model_type": "bert_and_ernie"}, "it", served=False)
    with pytest.raises(BadInput, match="mixture of experts"):
        refuse_unsupported({"model_type": "mixtral", "num_local_experts": 8}, "it", served=False)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"model_type": 3}', "{}"])
def test_a_damaged_configuration_is_a_sentence(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadInput, match=r"config\.json of it "):
        read_config(tmp_path, "it")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    assert read_config(tmp_path, "it") == {"model_type": "llama"}
