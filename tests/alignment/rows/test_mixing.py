"""Several row files in one run, each with a weight."""

import pytest

from alignment import models
from alignment.rows.mixing import mix
from alignment.rows.prepare import NO_WEIGHT, prepare
from data.errors import BadInput
from data.home import file_sha256
from tests.alignment import tiny
from tests.alignment.running import train

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.build("qwen", tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return models.load_tokenizer(models.locate(str(base)))


@pytest.fixture
def files(tmp_path):
    """Two files of twelve and of eight rows, two of which are in both."""
    first = tiny.demonstrations(12)
    second = [*tiny.demonstrations(18)[12:], *({**row, "id": "again"} for row in first[:2])]
    return tiny.write(tmp_path / "a.jsonl", first), tiny.write(tmp_path / "b.jsonl", second)


def test_files_are_read_in_order_with_their_weights(files):
    rows, parts = mix("demonstration", [str(files[0]), f"{files[1]}=0.5"])
    assert [(part.rows, part.weight, part.duplicates) for part in parts] == [(12, 1, 0), (8, 0.5, 2)]
    assert [part.sha256 for part in parts] == [file_sha256(file) for file in files]
    assert len(rows) == 20
    assert {row.extra.get("weight", 1.0) for row in rows[:12]} == {1.0}
    assert {row.extra["weight"] for row in rows[12:]} == {0.5}


def test_a_files_weight_multiplies_its_rows(tokenizer, tmp_path):
    rows = [{**row, "weight": 0.25 * (at % 3)} for at, row in enumerate(tiny.demonstrations(9))]
    path = tiny.write(tmp_path / "a.jsonl", rows)
    prepared = prepare("demonstration", tokenizer, [f"{path}=2"], eval_fraction=0)
    assert sorted(prepared.train.weights) == [0.5] * 3 + [1.0] * 3
    # A weight of 0 is not the row's fault: it is counted, but not against max_dropped.
    assert prepared.train.dropped == {NO_WEIGHT: 3}


def test_a_name_with_an_equals_sign_is_found_as_it_is(tmp_path):
    odd = tiny.write(tmp_path / "lr=0.5", tiny.demonstrations(3))
    assert mix("demonstration", [str(odd)])[1][0].weight == 1.0
    assert mix("demonstration", [f"{odd}=3"])[1][0].weight == 3.0


@pytest.mark.parametrize("weight", ["half", "-1", "0", "", "nan", "1e9"])
def test_an_invalid_weight_is_refused(weight, files):
    with pytest.raises(BadInput, match=rf"there is no file .*a\.jsonl={weight}, and '{weight}' is not a weight"):
        mix("demonstration", [f"{files[0]}={weight}"])


def test_weights_meant_as_percents_are_refused(tokenizer, tmp_path):
    rows = [{**row, "weight": 100.0} for row in tiny.demonstrations(4)]
    with pytest.raises(BadInput, match=r"300 draws a row and epoch.*Divide them"):
        prepare("demonstration", tokenizer, f"{tiny.write(tmp_path / 'a.jsonl', rows)}=3", eval_fraction=0)


def test_one_file_is_described_as_before(tokenizer, files):
    one, listed = (prepare("demonstration", tokenizer, name).facts() for name in (str(files[0]), [str(files[0])]))
    assert one == listed
    assert one.keys() == {"train", "held_out", "sha256"}
    assert one["sha256"] == {"train": file_sha256(files[0])}


def test_a_mixed_run_reports_its_files_and_honours_the_weights(base, files, tmp_path, capsys):
    run = train("sft", base, [files[0], f"{files[1]}=0.5"], tmp_path / "out", eval_fraction=0, num_train_epochs=1)
    assert run["data"]["files"] == [
        {"weight": 1.0, "rows": 12, "duplicates": 0, "sha256": file_sha256(files[0])},
        {"weight": 0.5, "rows": 8, "duplicates": 2, "sha256": file_sha256(files[1])},
    ]
    assert run["figures"]["steps"] == 4  # 12 + 8 / 2 draws, four a step
    assert "8 rows, weight 0.5, 2 of them in an earlier file too" in capsys.readouterr().out
    with pytest.raises(BadInput, match="another data"):
        train("sft", base, [files[0], f"{files[1]}=0.7"], tmp_path / "out", eval_fraction=0, num_train_epochs=1)
