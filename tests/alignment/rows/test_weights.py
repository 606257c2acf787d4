"""Rows' weights are honoured by sampling, in every stage."""

import pytest

from tests.alignment import tiny
from tests.alignment.running import built

pytestmark = pytest.mark.tiny

FAVOURED = "What is a fern?"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("qwen", tmp_path_factory.mktemp("base"))


def rows(stage):
    """Rows of weight 1, with one of weight 3 and one of weight 0 among them."""
    question, answer = [{"role": "user", "content": FAVOURED}], [{"role": "assistant", "content": "Green. " * 3}]
    if stage == "sft":
        ordinary, favoured = tiny.demonstrations(9), {"messages": question + answer}
    else:
        ordinary, favoured = tiny.preferences(9), {"prompt": question, "chosen": answer, "rejected": tiny_no()}
    if stage == "kto":
        ordinary = [
            {"prompt": row["prompt"], "completion": row["chosen"], "label": bool(at % 2)}
            for at, row in enumerate(ordinary)
        ]
        favoured = {"prompt": question, "completion": answer, "label": True}
    return [*ordinary[:4], {**favoured, "weight": 3}, {**ordinary[4], "weight": 0}, *ordinary[5:]]


def tiny_no():
    return [{"role": "assistant", "content": "No."}]


@pytest.mark.parametrize(
    ("stage", "flags"),
    [
        ("sft", {}),
        ("sft", {"packing": "true"}),
        ("dpo", {"precompute_ref_log_probs": "true"}),
        ("dpo", {"precompute_ref_log_probs": "false"}),
        ("kto", {}),
    ],
)
def test_a_row_of_weight_three_is_seen_three_times_an_epoch(stage, flags, base, tmp_path):
    path = tiny.write(tmp_path / "rows.jsonl", rows(stage))
    trainer, tokenizer = built(stage, base, path, tmp_path / "out", max_dropped=0, eval_fraction=0, **flags)
    loader = trainer.get_train_dataloader()
    for epoch in range(2):
        loader.set_epoch(epoch)
        text = "\n".join(line for batch in loader for line in tokenizer.batch_decode(batch["input_ids"]))
        sides = 2 if stage == "dpo" else 1
        assert text.count(FAVOURED) == 3 * sides
        assert text.count("What is 8" if stage == "sft" else "water fern 8?") == sides
        assert text.count("What is 4" if stage == "sft" else "water fern 4?") == 0
