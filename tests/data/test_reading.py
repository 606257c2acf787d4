"""The files and data sets that rows are read from."""

import bz2
import csv
import gzip
import json
import lzma
import sys
from pathlib import Path
from typing import Any

import pytest

from data.errors import BadInput
from data.rows import check_rows, read_rows

ROWS = [
    {"messages": [{"role": "user", "content": f"What is {at}?"}, {"role": "assistant", "content": f"It is {at}."}]}
    for at in range(3)
]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def found(source: Path | str, **options: Any) -> list[dict[str, Any]]:
    return [row.data for row in read_rows(source, **options)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hugging Face cache; the library reads the environment only once."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", LINES.encode()),
        ("rows.json", json.dumps(ROWS).encode()),
        ("indented.json", json.dumps(ROWS, indent=2).encode()),
        ("wrapped.json", json.dumps({"data": ROWS}, indent=1).encode()),
        ("rows.jsonl.gz", gzip.compress(LINES.encode())),
        ("array.json.gz", gzip.compress(json.dumps(ROWS).encode())),
        ("rows.jsonl.bz2", bz2.compress(LINES.encode())),
        ("rows.jsonl.xz", lzma.compress(LINES.encode())),
        ("windows.jsonl", "\ufeff".join(["", *LINES.replace("\n", "\r\n").splitlines(keepends=True)]).encode()),
    ],
)
def test_json_is_read_as_lines_as_an_array_and_packed(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert found(tmp_path / name) == ROWS


def test_one_row_over_several_lines_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "row.json"
    path.write_text(json.dumps(ROWS[0], indent=2))
    assert found(path) == ROWS[:1]


def test_csv_keeps_texts_that_look_like_something_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(
            [
                ["prompt", "completion", "label", "id", "weight", "tools"],
                ["two\nlines", "NA", "True", "007", "0.5", ""],
            ]
        )
        writer.writerow(["", "x", "false", "8", "1", ""])
        writer.writerow(["short"])
    checked = check_rows(path)
    assert [(row.kind, row.data["completion"][0]["content"], row.id) for row in checked.rows] == [
        ("labelled", "NA", "007")
    ]
    assert checked.rows[0].extra["weight"] == 0.5
    assert [problem.removeprefix(str(path)) for problem in checked.problems] == [
        ", row 2 (line 4), field 'prompt': missing in a labelled row.",
        ", row 3 (line 5): expected 6 cells, one for each name.",
    ]
    (tmp_path / "rows.tsv").write_text("instruction\toutput\nHi\tHo\n")
    assert [row.messages[1]["content"] for row in read_rows(tmp_path / "rows.tsv")] == ["Ho"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04...", "is a zip archive; unpack it"),
        ("{}".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b"\x28\xb5\x2f\xfd...", "compressed with zstd"),
        (b"\x1f\x8b damaged", "is compressed, and damaged"),
        (gzip.compress(LINES.encode())[:-9], "is compressed, and damaged"),
        (b"[]", "holds no rows"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "rows").write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read_rows(tmp_path / "rows")


def test_every_bad_row_is_found(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{LINES}{{"messages": 3}}\nnot JSON\n{LINES}{{"prompt": []}}\n')
    checked = check_rows(path)
    assert len(checked.rows) == 6
    assert [problem.split(":")[0].removeprefix(f"{path}, ") for problem in checked.problems] == [
        "line 4, field 'messages'",
        "line 5",
        "line 9, field 'prompt'",
    ]
    with pytest.raises(BadInput, match=r"line 4, .* \(2 more of 9 rows cannot be used\.\)"):
        read_rows(path)


def test_without_the_library_json_is_read_and_the_rest_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "rows.jsonl").write_text(LINES)
    (tmp_path / "rows.parquet").write_bytes(b"PAR1")
    assert found(tmp_path / "rows.jsonl") == ROWS
    with pytest.raises(BadInput, match="pip install datasets"):
        read_rows(tmp_path / "rows.parquet")


@pytest.mark.tiny  # the library imports torch
def test_tables_and_data_sets_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    nothing = dict.fromkeys(("prompt", "label", "completion"))
    labelled = {"messages": None, "prompt": "Hi", "label": False, "completion": "Ho"}
    table = datasets.Dataset.from_list([*({**row, **nothing} for row in ROWS), labelled])
    table.to_parquet(tmp_path / "rows.parquet")
    assert found(tmp_path / "rows.parquet")[:3] == ROWS
    assert [row.kind for row in read_rows(tmp_path / "rows.parquet")] == ["demonstration"] * 3 + ["labelled"]
    table.save_to_disk(tmp_path / "saved")
    assert found(tmp_path / "saved")[:3] == ROWS
    datasets.DatasetDict({"train_sft": table, "test_sft": table}).save_to_disk(tmp_path / "parts")
    assert found(f"{tmp_path / 'parts'}#test_sft")[:3] == ROWS
    with pytest.raises(
        BadInput, match=r"several parts \(train_sft, test_sft\); name one of them, as in .*#train_sft"
    ):
        read_rows(tmp_path / "parts")
    with pytest.raises(BadInput, match="Did you mean 'test_sft'"):
        read_rows(f"{tmp_path / 'parts'}#test_sf")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        read_rows(tmp_path / "bad.parquet")


@pytest.mark.tiny
def test_a_folder_of_files_is_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text(LINES)
    (tmp_path / "set" / "test.jsonl").write_text('{"messages": []}\n')
    assert found(tmp_path / "set") == ROWS
    with pytest.raises(BadInput, match=r"test\.jsonl, line 1, field 'messages': .* an empty one"):
        read_rows(f"{tmp_path / 'set'}#test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="is a folder without a data set"):
        read_rows(tmp_path / "empty")


@pytest.mark.tiny
def test_a_data_set_in_the_cache_is_read_by_its_id_and_others_are_not_fetched(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(BadInput, match=r"no data set of that name .* add --allow_download"):
        read_rows("someone/chats")
    stored = cache / "datasets--someone--chats"
    (stored / "refs").mkdir(parents=True)
    (stored / "refs" / "main").write_text("abc")
    (stored / "snapshots" / "abc").mkdir(parents=True)
    (stored / "snapshots" / "abc" / "train.jsonl").write_text(LINES)
    assert found("someone/chats") == ROWS
    with pytest.raises(BadInput, match="cannot be fetched"):
        read_rows("someone/else", allow_download=True)  # no test has a network


def test_a_missing_file_is_not_taken_for_a_data_set(tmp_path: Path) -> None:
    for name in ("nowhere/rows.jsonl", "rows.csv", str(tmp_path / "rows")):
        with pytest.raises(BadInput, match=f"There is no file {name}"):
            read_rows(name)
