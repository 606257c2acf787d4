"""Rows that do not fit into memory wait in a file that nobody else can open, and nothing of it stays."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from data import imports, spool
from data.collected import Shelved
from data.rows import parse_row, read_rows, write_rows
from data.spool import Spool
from data.store import Store
from tests.data.collected import rows


def test_what_was_appended_is_read_again_from_memory_and_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_BUFFER", 50)
    kept = Spool(tmp_path)
    parts = [bytes([number]) * (number + 1) for number in range(30)]
    places = [kept.append(part) for part in parts]
    assert kept.size == sum(map(len, parts))
    assert [kept.read(at, len(part)) for at, part in zip(places, parts, strict=True)] == parts
    assert list(tmp_path.iterdir()) == []  # not while it is open, so not after a kill either


def test_the_file_goes_with_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_BUFFER", 1)
    kept = Spool(tmp_path)
    kept.append(b"words")
    descriptor = kept._file
    assert descriptor is not None
    assert os.fstat(descriptor).st_nlink == 0
    assert os.fstat(descriptor).st_mode & 0o077 == 0
    del kept
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


async def test_rows_from_a_file_are_those_that_were_imported(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_BUFFER", 1)
    question = [{"role": "user", "content": 'Say "ä\n\u2028" and 你好.'}]
    said: list[dict[str, Any]] = [
        {"prompt": question, "completion": [{"role": "assistant", "content": "é"}], "label": False, "id": "a"},
        {"prompt": question, "chosen": [{"role": "assistant", "content": "x"}], "id": "line\nend", "margin": 0.25}
        | {"rejected": [{"role": "assistant", "content": "y"}]},
        {
            "messages": [*question, {"role": "assistant", "content": "", "tool_calls": [{"name": "f"}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "id": "tools",
        },
    ]
    wanted = [parse_row(entry) for entry in said]
    await imports.import_rows(store, wanted)
    found = await rows(store)
    assert isinstance(found.rows, Shelved)
    assert [each.row.data for each in found.rows] == [row.data for row in wanted]
    assert [list(each.row.data) for each in found.rows] == [list(row.data) for row in wanted]
    assert [each.row.id for each in found.rows] == ["a", "line\nend", "tools"]
    assert [each.row.extra.get("margin") for each in found.rows] == [None, 0.25, None]
    assert list(found.rows[1:]) == [found.rows[1], found.rows[2]]
    assert len(found.of("labelled")) == len(found.of("preference")) == 1
    assert {use.kind: count for use, count in found.counts().items()} == dict.fromkeys(
        ("demonstration", "preference", "labelled"), 1
    )
    write_rows(tmp_path / "out.jsonl", (each.row for each in found.rows))
    assert [row.data for row in read_rows(tmp_path / "out.jsonl")] == [row.data for row in wanted]


async def test_rows_are_collected_beside_the_event_loop(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    collect = imports.collect

    def noting(*arguments: Any, **more: Any) -> Any:
        threads.append(threading.current_thread())
        return collect(*arguments, **more)

    monkeypatch.setattr(imports, "collect", noting)
    await asyncio.gather(rows(store), rows(store))
    assert threading.main_thread() not in threads
    assert len(threads) == 2
