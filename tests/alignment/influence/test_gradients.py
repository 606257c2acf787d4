"""Gradients of rows and answers: those of the stages' losses, along the way on which a stage moved the weights."""

from pathlib import Path

import pytest
import torch

from alignment.fast.install import sharing_of
from alignment.influence.gradients import Adapted, Loss
from alignment.models import load_adapter, load_base, load_model, load_tokenizer
from alignment.rows.tokens import EncodedAnswer
from tests.alignment import tiny
from tests.alignment.influence import made

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.adapter(base, tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def adapted(base: Path, trained: Path) -> Adapted:
    return Adapted(str(base), None, trained, load_tokenizer(str(base)).pad_token_id)


def plain(model: object, answer: EncodedAnswer) -> torch.Tensor:
    """An answer's log-likelihood, by transformers alone."""
    ids = torch.tensor([[*answer.prompt, *answer.answer]])
    logits = model(input_ids=ids).logits[0, len(answer.prompt) - 1 : -1]  # type: ignore[operator]  # a module is called
    return logits.log_softmax(dim=1).gather(1, torch.tensor(answer.answer)[:, None]).sum()


def test_an_answers_gradient_is_that_of_its_log_likelihood(base: Path, trained: Path, adapted: Adapted) -> None:
    answer = made.encoded(base, made.rows("preference", 1)[0], "chosen")
    model = load_adapter(load_base(str(base)), trained, trainable=True).eval()
    value = plain(model, answer)
    expected = torch.autograd.grad(value, [each for each in model.parameters() if each.requires_grad])
    found = adapted.of_answer(answer)
    assert found.shape == (adapted.size,)
    torch.testing.assert_close(found, torch.cat([each.flatten() for each in expected]), rtol=1e-3, atol=1e-4)
    assert adapted.likelihood(answer) == pytest.approx(float(value), abs=1e-3)
    assert sharing_of(adapted.model.get_base_model()) is not None  # and it was computed the fast way


def test_the_losses_are_those_of_the_stages(base: Path, adapted: Adapted) -> None:
    row = made.rows("preference", 4)[3]
    good, bad = (adapted.of_answer(made.encoded(base, row, part)) for part in ("chosen", "rejected"))
    (pair,) = made.examples(base, [row])
    here = adapted.sums(pair, Loss("dpo"))
    # Where the stage begins, sigmoid(0) is one half.
    torch.testing.assert_close(
        adapted.of_row(pair, Loss("dpo", beta=0.4), here), 0.2 * (bad - good), rtol=1e-3, atol=1e-4
    )
    tokens = sum(label >= 0 for label in pair.labels[0])
    both = adapted.of_row(pair, Loss("dpo", beta=0.4, demonstration_weight=2.0), here)
    torch.testing.assert_close(both, 0.2 * (bad - good) - 2 / tokens * good, rtol=1e-3, atol=1e-4)
    up, down, *_ = made.examples(base, made.rows("labelled", 4)[6:8])
    assert (up.label, down.label) == (True, False)
    for thumb, gradient in ((up, -0.1 * good), (down, 0.1 * bad)):
        reference = adapted.sums(thumb, Loss("kto"))
        found = adapted.of_row(thumb, Loss("kto", beta=0.4), reference)
        torch.testing.assert_close(found, gradient, rtol=1e-3, atol=1e-4)


def test_a_demonstrations_loss_is_the_mean_over_its_trained_tokens(base: Path, adapted: Adapted) -> None:
    (shown,) = made.examples(base, made.rows("demonstration", 2)[1:])
    first = next(at for at, label in enumerate(shown.labels[0]) if label >= 0)
    answer = EncodedAnswer(shown.ids[0][:first], shown.ids[0][first:])
    expected = -adapted.of_answer(answer) / len(answer.answer)
    torch.testing.assert_close(adapted.of_row(shown, Loss("sft"), torch.zeros(())), expected, rtol=1e-3, atol=1e-5)


def test_words_that_a_person_kept_count_less(base: Path, adapted: Adapted) -> None:
    row = made.rows("preference", 1)[0]
    text = "Little and often; never let the pot stand in water. "
    for part, end in (("chosen", "Paris."), ("rejected", "Be brief.")):
        row.data[part][0]["content"] = text + end
    (pair,) = made.examples(base, [row])
    whole, less = (adapted.sums(pair, Loss("dpo", kept_weight=weight)) for weight in (1.0, 0.25))
    assert torch.all(less > whole + 1)


def test_the_way_begins_at_the_base_or_at_the_adapter_that_was_continued(
    base: Path, trained: Path, tmp_path: Path
) -> None:
    answer = made.encoded(base, made.rows("preference", 1)[0], "chosen")
    before = made.adapter(base, tmp_path / "before", seed=1)
    pad = load_tokenizer(str(base)).pad_token_id

    def said(adapter: Path | None) -> float:
        with torch.no_grad():
            return float(plain(load_model(str(base), adapter), answer))

    for start in (None, before):
        adapted = Adapted(str(base), start, trained, pad)
        for share, expected in ((0.0, said(start)), (1.0, said(trained))):
            adapted.move(share)
            assert adapted.likelihood(answer) == pytest.approx(expected, abs=1e-3)
    # An adapter of another rank cannot be moved to: the way begins at the base.
    adapted = Adapted(str(base), made.adapter(base, tmp_path / "other", rank=2), trained, pad)
    adapted.move(0)
    assert adapted.likelihood(answer) == pytest.approx(said(None), abs=1e-3)
