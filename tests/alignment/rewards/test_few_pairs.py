"""The benchmark of few pairs: what is held out, and the features of a tiny base against plain forward passes."""

import numpy as np
import pytest
import torch

from alignment import models
from alignment.rows.tokens import control_strings, encode_answer
from data.errors import BadInput
from data.rows import parse_row
from tests.alignment import tiny
from tests.bench.few_pairs import LENGTH, PARTS, Pairs, drawn, parts_of, ranked
from tests.bench.few_pairs_features import features, group_of, name_of

pytestmark = pytest.mark.tiny


def made(pairs=120, seed=0):
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(pairs, 4))
    rows *= np.sign(rows[:, :1])
    return Pairs([str(number // 3) for number in range(pairs)], draw.normal(size=pairs), {"first": rows})


def test_a_conversation_is_held_out_whole():
    groups = made().groups
    part = parts_of(groups, 0)
    assert all(len({part[at] for at, name in enumerate(groups) if name == each}) == 1 for each in set(groups))
    assert set(part) == set(range(PARTS))
    assert (parts_of(groups, 1) != part).any()


def test_pairs_are_drawn_from_what_is_allowed_only():
    groups = made().groups
    allowed = parts_of(groups, 0) != 0
    found = drawn(groups, allowed, 50, 0)
    assert len(found) == len(set(found.tolist())) == 50
    assert allowed[found].all()


def test_what_decides_is_found_and_chance_is_not():
    pairs = made()
    assert ranked(pairs, "first", 60, 0).mean() > 0.8
    assert 0.3 < ranked(pairs, LENGTH, 60, 0).mean() < 0.7
    turned = Pairs(pairs.groups, pairs.longer, {"first": -100 * pairs.differences["first"]})
    assert ranked(pairs, "first", 10, 0, start=turned).mean() < 0.2


@pytest.mark.tiny
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_features_are_those_of_plain_passes_and_are_kept(family, tmp_path, monkeypatch):
    base = tiny.build(family, tmp_path / "base")
    rows = [parse_row(row, "preference") for row in tiny.preferences(6)]
    (tmp_path / "out").mkdir()
    found = features(rows, str(base), 200, tmp_path / "out")
    tokenizer, model = models.load_tokenizer(str(base)), models.load_model(str(base), dtype=torch.float32)
    row = rows[3]
    text = row.data["chosen"][0]["content"]
    coded = encode_answer(tokenizer, row.data["prompt"], text, control_strings(tokenizer))
    ids, start = torch.tensor([[*coded.prompt, *coded.answer]]), len(coded.prompt)
    at = found.names[name_of(row, "chosen")]
    with torch.no_grad():
        hidden = model.base_model(ids).last_hidden_state[0]
        chosen = model(ids).logits[0, start - 1 : -1].log_softmax(-1).gather(1, ids[0, start:, None]).sum()
    assert found.last[at, -1] == pytest.approx(hidden[-1].numpy(), abs=1e-4)
    assert found.mean[at, -1] == pytest.approx(hidden[start:].mean(dim=0).numpy(), abs=1e-4)
    assert found.log_prob[at] == pytest.approx(float(chosen), abs=1e-3)
    assert (found.tokens[at], found.characters[at]) == (len(coded.answer), len(text))
    monkeypatch.setattr("alignment.models.load_model", None)  # whatever is there is not computed again
    again = features(rows, str(base), 200, tmp_path / "out")
    assert again.names == found.names
    assert np.array_equal(again.mean, found.mean)
    with pytest.raises(BadInput, match="No pair has at most 3 tokens"):
        features(rows, str(base), 3, tmp_path / "out")


def test_a_tree_is_a_group_and_a_row_without_one_its_prompt():
    row = tiny.preferences(1)[0]
    first, second = (parse_row({**row, "source": source}, "preference") for source in ("set/tree-1", "seed"))
    assert group_of(first) == "set/tree-1"
    assert group_of(second) == name_of(second, "")
