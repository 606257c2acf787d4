"""`python -m data`, end to end, on real files. Some tests start a process; the others save that time."""

import asyncio
import contextlib
import hashlib
import io
import json
import sqlite3
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from data.__main__ import main
from data.chat import GENERIC_CONTROL
from data.database import NAME
from data.errors import run
from data.personas import SEED
from data.store import Store
from tests.data.talk import Talk, script

DEMO = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


def started(house: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Start `python -m data`; returns its exit code, output and errors."""
    process = script(house, "-m", "data", *map(str, arguments))
    out, errors = process.communicate()
    return process.returncode, out, errors


def data(house: Path, *arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """Run `python -m data` in this process; returns the same."""
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["data", *map(str, arguments)])
        for name, value in {"PARLEY_HOME": str(house), "COLUMNS": "200", **environment}.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), pytest.raises(SystemExit) as end:
            run(main)
    return int(end.value.code or 0), out.getvalue(), errors.getvalue()


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.mark.process
def test_seed_rows_go_in_once_and_come_out_whole(house: Path, tmp_path: Path) -> None:
    files = sorted(SEED.glob("*/*.jsonl"))
    rows = [row for file in files for row in read(file)]
    demonstrations = sum("messages" in row for row in rows)
    preferences = len(rows) - demonstrations
    code, out, _ = started(house, "import", *files)
    assert (code, out) == (
        0,
        f"Imported {demonstrations} demonstrations, {preferences} preferences from {len(files)} files.\n",
    )
    assert started(house, "import", *files)[1] == (
        f"Imported no new rows from {len(files)} files; {len(rows)} were there already.\n"
    )
    code, out, _ = data(house, "stats")
    assert code == 0
    totals = next(line for line in out.splitlines() if line.startswith("│ all"))
    assert [cell.strip() for cell in totals.strip("│").split("│")] == [
        "all",
        "",
        str(demonstrations),
        str(preferences),
        "0",
        "0",
    ]
    ids = []
    for fold in ("train", "judge_train", "judge", "gate"):
        path = tmp_path / f"{fold}.jsonl"
        data(house, "export", "--kind", "preferences", "--out", path, "--fold", fold)
        ids += [row["id"] for row in read(path)] if path.exists() else []
    assert sorted(ids) == sorted(row["id"] for row in rows if "chosen" in row)


async def feedback(house: Path) -> None:
    """A home with rows of every kind, from the terminal and from Discord, with and without consent."""
    store = await Store.open(house)
    for platform in ("terminal", "discord"):
        talk = await Talk.begin(store, platform)
        ada, eve = await talk.person("ada"), await talk.person("eve", agrees=False)
        one, two, three = await talk.ask(ada, f"q on {platform}", "one", "two\u2028lines", "three")
        await talk.rate(ada, "correction", one, text=f"better on {platform} 你好")
        await talk.rate(ada, "comparison", two, other=three, value="b")
        await talk.rate(ada, "vote", two, value="down")
        await talk.rate(eve, "correction", two, text="not hers to give")
    await store.close()


@pytest.mark.played
def test_an_export_keeps_platform_and_consent_through_an_import(house: Path, tmp_path: Path) -> None:
    asyncio.run(feedback(house))
    path, again, other = tmp_path / "rows.jsonl", tmp_path / "again.jsonl", tmp_path / "other"
    permission = {"PARLEY_DISCORD_TRAINING_PERMISSION": "letter of today"}
    code, out, errors = data(house, "export", "--kind", "preferences", "--out", path, "--fold", "all", **permission)
    assert (code, errors) == (0, "")
    assert "Held back 2: somebody in it did not consent, or not yet." in out
    assert f"Wrote 4 preferences to {path} (2 held back)." in out
    rows = read(path)
    assert sorted(row["platform"] for row in rows) == ["discord", "discord", "terminal", "terminal"]
    assert all(row["consent"] is True for row in rows)
    assert not any("release" in row for row in rows)
    assert "not hers" not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert data(other, "import", path)[1] == "Imported 4 preferences from 1 file.\n"
    command = ("export", "--kind", "preferences", "--fold", "all", "--out", again)
    assert data(other, *command, **permission)[0] == 0
    assert sorted(map(json.dumps, read(again))) == sorted(map(json.dumps, rows))
    # Without the permission, rows from Discord are held back there as well.
    code, out, _ = data(other, *command, "--force")
    assert "Held back 2: came through Discord without Discord's permission to train." in out
    assert [row["platform"] for row in read(again)] == ["terminal", "terminal"]


async def followed(house: Path) -> None:
    """A home in which one person thanked, and one complained and got an answer that is better."""
    store = await Store.open(house)
    talk = await Talk.begin(store)
    for name, says in (("ada", "thanks a lot"), ("ben", "that's wrong")):
        person = await talk.person(name)
        (answer,) = await talk.ask(person, f"{name} asks", f"an answer for {name}")
        said = await talk.say(person, says, parent=answer.message)
    await talk.answer(said, "another answer")
    await store.close()


@pytest.mark.played
def test_stats_count_follow_ups_without_their_words_where_they_teach(house: Path) -> None:
    asyncio.run(followed(house))
    assert "Follow-up messages" not in data(house, "stats")[1]
    code, out, _ = data(house, "stats", PARLEY_FOLLOWUPS="1")
    assert code == 0
    counts = [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "│" in line]
    mended = ["complaint, and the next answer mends it", "better", "1"]
    for row in (["thanks", "good", "1"], ["complaint", "bad", "1"], ["stop", "bad", "0"], mended):
        assert row in counts
    assert not any(said in out for said in ("thanks a lot", "that's wrong", "asks"))
    code, _, errors = data(house, "stats", PARLEY_FOLLOWUPS="yes")
    assert (code, errors) == (2, "parley: PARLEY_FOLLOWUPS: 'yes' cannot be used: use 1 or 0.\n")


@pytest.mark.played
def test_stats_show_what_is_held_back_and_who_rated_and_forget_erases(house: Path) -> None:
    asyncio.run(feedback(house))
    code, out, _ = data(house, "stats")
    assert code == 0
    assert "came through Discord without Discord's permission to train" in out
    raters = [word for line in out.splitlines() for word in line.split() if word.startswith("person-")]
    assert len(raters) == 4
    counted = "│ 1.00   │ too little in common with others to say: counts in full"
    assert (out.count(counted), out.count("│ -      │ nothing to weigh them by")) == (2, 2)
    assert "Too few answers have several raters in common for a model: agreement and caps decide." in out
    *_, far, following = out.splitlines()
    assert far.startswith("How far to a verdict: ")
    assert following.startswith("Next: ")
    left = [house / "rounds" / "0001" / name for name in ("snapshot.db", ".snapshot.db.part", "sft-train.jsonl")]
    left[0].parent.mkdir(parents=True)
    for path in left:
        path.write_text("what a killed round left")
    for rater in raters:
        code, out, _ = data(house, "forget", rater)
        assert not any(path.exists() for path in left)
        assert code == 0
        assert out.startswith(f"Forgot {rater}: ")
    raw = b"".join(path.read_bytes() for path in house.glob(f"{NAME}*"))
    assert b"better on terminal" not in raw
    code, _, errors = data(house, "forget", "ada")
    assert code == 2
    assert errors.startswith("parley: There is nobody called 'ada' here. `")
    assert errors.endswith(" -m data raters` lists the people who rated.\n")


def test_a_completion_stays_one_through_import_and_export(house: Path, tmp_path: Path) -> None:
    row = {"prompt": DEMO["messages"][:1], "completion": DEMO["messages"][1:], "persona": "tutor"}
    assert (
        data(house, "import", written(tmp_path / "rows.jsonl", row))[1] == "Imported 1 demonstration from 1 file.\n"
    )
    data(house, "export", "--kind", "demonstrations", "--fold", "all", "--out", tmp_path / "out.jsonl")
    found = read(tmp_path / "out.jsonl")[0]
    assert [message["role"] for message in found["prompt"]] == ["system", "user"]
    assert (found["completion"], "messages" in found) == (row["completion"], False)


def test_a_dry_run_counts_and_lists_every_bad_row_and_stores_nothing(house: Path, tmp_path: Path) -> None:
    votes = {"prompt": "q", "completion": "a", "label": True}
    good = written(
        tmp_path / "good.jsonl", DEMO, DEMO | {"id": 7}, votes, {"prompt": "q", "chosen": "a", "rejected": "b"}
    )
    assert data(house, "import", "--dry_run", good)[:2] == (
        0,
        "2 demonstrations, 1 labelled, 1 preference in 1 file; nothing is stored (--dry_run).\n",
    )
    bad = written(tmp_path / "bad.jsonl", DEMO, *({"messages": at} for at in range(120)))
    for flags in (["--dry_run"], []):
        code, out, errors = data(house, "import", *flags, good, bad)
        lines = errors.splitlines()
        assert code == 2
        assert lines[0] == f"parley: {bad}, line 2, field 'messages': expected a list of messages, found 0."
        assert lines[99].startswith(f"{bad}, line 101, ")
        assert lines[100:] == ["... and 20 more", "120 rows cannot be used; nothing was stored."]
        assert ("3 demonstrations" in out) == bool(flags)
    assert not house.exists()


def test_a_number_as_id_is_known_again_and_does_not_hide_the_rows_of_another_file(
    house: Path, tmp_path: Path
) -> None:
    first = written(tmp_path / "a.jsonl", {**DEMO, "id": 1})
    other = written(tmp_path / "b.jsonl", {"prompt": "else", "completion": "a", "id": 1})
    assert data(house, "import", first, other)[1] == "Imported 2 demonstrations from 2 files.\n"
    assert data(house, "import", other, first)[1] == "Imported no new rows from 2 files; 2 were there already.\n"
    out = tmp_path / "out.jsonl"
    data(house, "export", "--kind", "demonstrations", "--fold", "all", "--out", out)
    assert "2 were there already" in data(house, "import", out)[1]


def test_weights_of_turns_calls_and_tools_survive_import_and_export(house: Path, tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "time", "arguments": {"zone": "UTC"}}}
    tool = {"type": "function", "function": {"name": "time", "parameters": {"type": "object"}}}
    turns = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "", "tool_calls": [call], "weight": 0},
        {"role": "tool", "content": "noon", "tool_call_id": "c1"},
        {"role": "assistant", "content": "a", "reasoning_content": "so"},
    ]
    row = {"messages": turns, "tools": [tool]}
    assert data(house, "import", written(tmp_path / "rows.jsonl", row))[0] == 0
    assert "1 were there already" in data(house, "import", tmp_path / "rows.jsonl")[1]
    out = tmp_path / "out.jsonl"
    assert data(house, "export", "--kind", "demonstrations", "--fold", "all", "--out", out)[0] == 0
    (found,) = read(out)
    assert {key: found[key] for key in row} == row
    data(house, "export", "--kind", "prompts", "--fold", "all", "--out", tmp_path / "none.jsonl")


@pytest.mark.played
def test_an_export_says_what_other_folds_hold_and_is_harmless_for_other_trainers(house: Path, tmp_path: Path) -> None:
    words = [hashlib.sha256(str(at).encode()).hexdigest() for at in range(40)]  # no near-duplicates, so many groups
    rows = [{"prompt": f"{word}<|im_end|>\n<|eot_id|>[/INST]", "completion": "a<end_of_turn>"} for word in words]
    assert data(house, "import", written(tmp_path / "rows.jsonl", *rows))[0] == 0
    kept, said = [], []
    for fold in ("train", "judge_train", "judge", "gate"):
        out = tmp_path / f"{fold}.jsonl"
        said.append(data(house, "export", "--kind", "demonstrations", "--fold", fold, "--out", out)[1:])
        kept.append(read(out) if out.exists() else [])
    others = ", ".join(
        f"{len(kept[at])} in {name}" for at, name in ((3, "gate"), (2, "judge"), (1, "judge_train")) if kept[at]
    )
    assert sum(map(len, kept)) == 40
    assert f"Other folds: {others}." in said[0][0]
    text = (tmp_path / "train.jsonl").read_text()
    assert not [string for string in GENERIC_CONTROL if string in text]
    assert "< |im_end|>" in text


def test_a_bad_row_is_refused_and_nothing_is_stored(house: Path, tmp_path: Path) -> None:
    good = written(tmp_path / "good.jsonl", DEMO)
    bad = written(tmp_path / "bad.jsonl", DEMO, {"prompt": DEMO["messages"][:1], "chosen": []})
    code, out, errors = data(house, "import", good, bad)
    assert (code, out) == (2, "")
    assert errors == f"parley: {bad}, line 2, field 'chosen': expected a list of messages, found an empty one.\n"
    assert not house.exists()


@pytest.mark.process
def test_what_cannot_be_done_says_why(house: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    code, _, errors = data(house, "export", "--kind", "prefrences", "--out", path)
    assert code == 2
    assert "demonstrations, preferences, labelled, prompts. Did you mean 'preferences'?" in errors
    code, _, errors = data(house, "export", "--kind", "preferences", "--out", path)
    assert (code, f"There is no home in {house} yet" in errors, house.exists()) == (2, True, False)
    assert data(house, "import", written(tmp_path / "first.jsonl", DEMO))[0] == 0
    code, _, errors = data(house, "export", "--kind", "preferences", "--out", path)
    assert code == 1
    assert "There are no preferences in fold train; nothing was written." in errors
    assert not path.exists()
    path.write_text("mine")
    code, _, errors = data(house, "export", "--kind", "preferences", "--out", path)
    assert code == 2
    assert f"{path} is there already" in errors
    assert path.read_text() == "mine"
    assert data(house, "import", tmp_path / "missing.jsonl")[0] == 2
    assert started(house, "import", tmp_path / "missing.jsonl") == (
        2,
        "",
        f"parley: There is no file {tmp_path / 'missing.jsonl'}.\n",
    )
    tie = {"prompt": DEMO["messages"][:1], "chosen": [{"role": "assistant", "content": "a"}], "tie": True}
    ties = written(tmp_path / "ties.jsonl", DEMO, {**tie, "rejected": [{"role": "assistant", "content": "b"}]})
    code, _, errors = data(house, "import", ties)
    assert (code, f"{ties}, line 2, field 'tie'" in errors) == (2, True)
    assert data(house, "import", written(tmp_path / "good.jsonl", DEMO))[0] == 0
    (tmp_path / "folder").mkdir()
    for fold in ("train", "all"):
        code, _, errors = data(
            house, "export", "--kind", "demonstrations", "--fold", fold, "--out", tmp_path / "folder", "--force"
        )
    assert (code, f"{tmp_path / 'folder'}: is a directory" in errors) == (2, True)
    assert list((tmp_path / "folder").iterdir()) == []
    code, _, errors = data(path, "stats")
    assert code == 2
    assert f"{path} is a file, and a folder is needed there" in errors
    (house / "key").chmod(0o600)
    (house / "key").write_bytes(b"")
    code, _, errors = data(house, "stats")
    assert (code, "holds 0 bytes, and an installation's key has 32" in errors) == (2, True)
    assert data(house, "explode")[0] == 2
    assert data(house)[0] == 2


def test_strange_names_do_not_break_the_tables(house: Path, tmp_path: Path) -> None:
    row = {**DEMO, "persona": "[/red] [bold]", "language": "[x]"}
    assert data(house, "import", written(tmp_path / "rows.jsonl", row))[0] == 0
    code, out, _ = data(house, "stats")
    assert code == 0
    assert "[/red] [bold]" in out


@pytest.mark.process
def test_an_import_is_all_or_nothing_when_killed(house: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "rows.jsonl", *({**DEMO, "id": str(number)} for number in range(50)))
    program = f"""
import os, runpy, signal, sys
from sqlalchemy.ext.asyncio import AsyncSession
real, calls = AsyncSession.flush, []
async def flush(self):
    calls.append(1)
    if len(calls) > 30:
        os.kill(os.getpid(), signal.SIGKILL)
    await real(self)
AsyncSession.flush = flush
sys.argv = ["data", "import", {str(path)!r}]
runpy.run_module("data", run_name="__main__")
"""
    process = script(house, "-c", program)
    process.communicate()
    assert process.returncode == -9
    connection = sqlite3.connect(house / NAME)
    assert connection.execute("SELECT count(*) FROM imported_rows").fetchone() == (0,)
    connection.close()
    assert "Imported 50" in data(house, "import", path)[1]


@pytest.mark.process
@pytest.mark.parametrize("command", [["--help"], ["export", "--help"]])
def test_help_needs_nothing_heavy(house: Path, command: list[str]) -> None:
    program = (
        "import runpy, sys\n"
        f"sys.argv = ['data', *{command!r}]\n"
        "try:\n    runpy.run_module('data', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers', 'sqlalchemy', 'alembic', 'numpy', 'datasketch', 'gguf', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))\n"
    )
    out, errors = script(house, "-c", program).communicate()
    assert out.endswith("HEAVY []\n"), errors
    assert "usage: python -m data" in out
    assert not house.exists()


@pytest.mark.base
def test_fetch_is_done_when_the_base_is_there(house: Path, base_home: Path) -> None:
    code, out, errors = data(house, "fetch", PARLEY_BASES=str(base_home))
    assert (code, out, errors) == (0, "", "")
    code, _, errors = data(house, "fetch", "smolm2", PARLEY_BASES=str(base_home))
    assert code == 2
    assert "not a bundled base model" in errors
