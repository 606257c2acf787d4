"""Answers scored together get the log-probabilities that they get row by row."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from alignment import models
from alignment.evaluation.likelihood import answer_logprobs
from alignment.fast import scoring
from alignment.fast.install import sharing_of
from alignment.rows.tokens import EncodedAnswer
from tests.alignment import tiny

pytestmark = pytest.mark.tiny

SHARED = list(range(5, 45))
ANSWERS = [
    EncodedAnswer(SHARED, [7, 8, 9]),
    EncodedAnswer(SHARED, [7, 8, 10, 11]),
    EncodedAnswer([3], [4, 5, 6, 7, 8]),  # a text outside any conversation
    EncodedAnswer([*SHARED, 7, 8], [2]),
    EncodedAnswer(SHARED, [7, 8, 9]),
]


def frozen(family: str, folder, *, adapted: bool):
    model = models.load_model(str(tiny.build(family, folder)))
    if adapted:
        torch.manual_seed(0)
        lora = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        model = get_peft_model(model, lora).eval().requires_grad_(False)
    return model


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("batch_tokens", [2048, 60])
def test_together_is_as_row_by_row(family, adapted, batch_tokens, tmp_path, monkeypatch):
    model = frozen(family, tmp_path, adapted=adapted)
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "scores_together", lambda _: False)
        plain = answer_logprobs(model, 0, ANSWERS, batch_tokens=batch_tokens)
    found = answer_logprobs(model, 0, ANSWERS, batch_tokens=batch_tokens)
    assert sharing_of(model.get_base_model() if adapted else model) is not None
    assert [tokens for _, tokens in found] == [tokens for _, tokens in plain] == [3, 4, 5, 1, 3]
    assert [total for total, _ in found] == pytest.approx([total for total, _ in plain], abs=1e-4)
    assert found[0] == found[4]


def test_a_model_that_trains_is_left_as_it_is(tmp_path):
    model = frozen("llama", tmp_path, adapted=False)
    forward = model.forward
    model.lm_head.weight.requires_grad_(True)
    assert not scoring.scores_together(model)
    assert sharing_of(model) is None
    assert model.forward == forward
