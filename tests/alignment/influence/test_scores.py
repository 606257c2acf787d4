"""Which rows an answer owes most to."""

from pathlib import Path

import pytest
import torch

from alignment.influence.gradients import Adapted, Loss
from alignment.influence.scores import POINTS, SAMPLE, scores
from alignment.models import load_tokenizer
from data.row import Row
from data.rows import write_rows
from tests.alignment import tiny
from tests.alignment.influence import made
from tests.alignment.running import train

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.build("llama", tmp_path_factory.mktemp("llama"))


def pairs() -> list[Row]:
    """Eleven corrections, each of another answer to another question."""
    found = []
    for number, answer in enumerate(made.ANSWERS):
        parts = {"chosen": answer, "rejected": f"No {number}."}
        said = {part: [{"role": "assistant", "content": text}] for part, text in parts.items()}
        prompt = [{"role": "user", "content": f"What is {number} and {'abcdefghijk'[number] * 3}?"}]
        found.append(Row("preference", {"prompt": prompt, **said}, {"id": f"pair-{number}"}))
    return found


def adapted(base: Path, adapter: Path) -> Adapted:
    return Adapted(str(base), None, adapter, load_tokenizer(str(base)).pad_token_id)


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto"])
def test_a_rows_own_answer_owes_most_to_it(base: Path, tmp_path: Path, stage: str) -> None:
    given = pairs()
    if stage != "dpo":
        more = {"label": True} if stage == "kto" else {}
        kind = "labelled" if stage == "kto" else "demonstration"
        given = [
            Row(kind, {"prompt": row.data["prompt"], "completion": row.data["chosen"], **more}, row.extra)
            for row in given
        ]
    answers = [made.encoded(base, row, "chosen" if stage == "dpo" else "completion") for row in given]
    model = adapted(base, made.adapter(base, tmp_path / "adapter"))
    found = scores(
        model, made.examples(base, given), Loss(stage, demonstration_weight=float(stage == "dpo")), answers
    )
    assert found.shape == (11, 11)
    assert found.argmax(dim=1).tolist() == list(range(11))
    assert bool((found.abs() <= 1 + 1e-5).all())


@pytest.mark.long
def test_the_row_that_trained_an_answer_comes_first_after_the_training(base: Path, tmp_path: Path) -> None:
    given = pairs()
    write_rows(tmp_path / "rows.jsonl", given)
    more = {"demonstration_weight": 1.0, "kept_weight": 0.25, "num_train_epochs": 4, "eval_fraction": 0}
    train("dpo", base, tmp_path / "rows.jsonl", tmp_path / "out", **more)
    model, loss = adapted(base, tmp_path / "out" / "adapter"), Loss("dpo", 0.1, 1.0, 0.25)
    answers = [made.encoded(base, row, "chosen") for row in given]
    counted: list[int] = []
    found = scores(model, made.examples(base, given), loss, answers, computed=lambda: counted.append(1))
    assert found.argmax(dim=1).tolist() == list(range(11))
    assert len(counted) == 11 * len(POINTS)
    model.move(0)
    before = [model.likelihood(each) for each in answers]
    model.move(1)
    assert all(model.likelihood(each) > old for each, old in zip(answers, before, strict=True))


def test_the_order_of_rows_changes_no_score(base: Path, tmp_path: Path) -> None:
    given, count = made.examples(base, pairs()), 11
    model = adapted(base, made.adapter(base, tmp_path / "adapter"))
    answer = [made.encoded(base, pairs()[2], "chosen")]
    assert count <= SAMPLE  # so that all rows are in the sample
    forwards, backwards = (scores(model, rows, Loss("dpo"), answer)[0] for rows in (given, given[::-1]))
    torch.testing.assert_close(forwards, backwards.flip(0), rtol=1e-3, atol=1e-5)
