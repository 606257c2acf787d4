"""The whole loop on the real small model: feedback, a round that is killed and goes on, a release, the bot on it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from data import schema
from data.personas import SEED
from data.releases import Releases
from data.rows import Row, read_rows, write_rows
from data.store import Store
from tests.data.test_tidy import readable

pytestmark = pytest.mark.base

ROOT = Path(__file__).parents[1]
PATIENCE = 600  # seconds for one command; the machine may be busy


def shortest(kind: str, count: int) -> list[Row]:
    """The shortest English seed rows of a kind: the test is about the loop, not about what is learnt."""
    rows = [row for path in SEED.glob(f"*/{kind}.en.jsonl") for row in read_rows(path)]
    return sorted(rows, key=lambda row: (len(json.dumps(row.data)), row.id))[:count]


@pytest.fixture
def house(tmp_path: Path, base_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a little feedback and recipes of a step or two; its key, and so its folds, are fixed."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_bytes(b"the loop's test has a fixed key.")
    monkeypatch.setenv("PARLEY_HOME", str(home))
    monkeypatch.setenv("PARLEY_BASES", str(base_home))
    for stage, steps in (("sft", 1), ("dpo", 2)):
        recipe = (ROOT / "alignment" / "recipes" / f"{stage}.yaml").read_text(encoding="utf-8")
        lines = [line for line in recipe.splitlines() if not line.startswith(("num_train_epochs", "save_steps"))]
        (tmp_path / f"{stage}.yaml").write_text("\n".join([*lines, f"max_steps: {steps}", "save_steps: 1"]) + "\n")
    rows = tmp_path / "rows.jsonl"
    write_rows(rows, [*shortest("demonstrations", 12), *shortest("preferences", 30)])
    run("data", "import", str(rows))
    return home


def run(module: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the project as a user does; its output is shown when the test fails."""
    command = [sys.executable, "-m", module, *arguments]
    result = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=ROOT
    )
    print(" ".join(command), result.returncode, result.stdout[-4000:], result.stderr[-4000:], sep="\n")
    return result


def round_command(tmp_path: Path) -> list[str]:
    """A round on a few rows."""
    limits = ["--max_demonstrations", "4", "--max_preferences", "4", "--suites", "forgetting", "--eval_prompts", "1"]
    recipes = ["--sft_config", str(tmp_path / "sft.yaml"), "--dpo_config", str(tmp_path / "dpo.yaml")]
    return [*limits, *recipes]


def kill_in_the_middle_of_dpo(tmp_path: Path, home: Path) -> None:
    """Start a round and kill it and all that it started with SIGKILL, once DPO has its first checkpoint."""
    command = [sys.executable, "-m", "alignment.round", *round_command(tmp_path)]
    process = subprocess.Popen(
        command, start_new_session=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoints = home / "rounds" / "0001" / "dpo" / "checkpoints"
    deadline = time.monotonic() + PATIENCE
    while not list(checkpoints.glob("checkpoint-*")):
        assert process.poll() is None, "the round ended before it could be killed"
        assert time.monotonic() < deadline, "DPO wrote no checkpoint"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


async def generations(home: Path) -> list[schema.Generation]:
    """The answers that the bot recorded."""
    store = await Store.open(home)
    try:
        async with store.database.read() as session:
            return list(await session.scalars(select(schema.Generation)))
    finally:
        await store.close()


@pytest.mark.timeout(1800)
def test_the_loop_closes_after_a_kill(house: Path, tmp_path: Path) -> None:
    kill_in_the_middle_of_dpo(tmp_path, house)
    assert Releases(house).all() == []

    result = run("alignment.round", *round_command(tmp_path))
    assert result.returncode == 1
    assert "goes on where it was interrupted" in result.stdout
    assert "sft: done already" in result.stdout
    assert "Resuming from checkpoint-" in result.stdout
    manifest = json.loads((house / "rounds" / "0001" / "manifest.json").read_text())
    assert manifest["status"] == "refused"
    assert list(manifest["stages"]) == ["sft", "dpo"]
    said = " ".join(result.stdout.split())
    assert "people must decide" in said  # so few rows cannot decide anything
    assert "python -m alignment.promote 1" in said
    assert [suite["name"] for suite in manifest["evaluation"]["suites"]] == ["forgetting"]
    assert (house / "rounds" / "0001" / "report.html").is_file()
    assert Releases(house).champion() == 0
    assert Releases(house).candidate() == 1
    assert [path for path in (house / "rounds").rglob("*.jsonl") if path.name != "metrics.jsonl"] == []

    (release,) = Releases(house).all()
    assert release.adapter_gguf.is_file()
    config = json.loads((release.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == release.base == "smollm2-135m"
    assert run("alignment.promote", "1").returncode == 0
    assert Releases(house).champion() == 1

    chat = run("bot", "--platform", "terminal", stdin="/consent yes\nSay hello.\n/up\n/quit\n")
    assert chat.returncode == 0
    (answer,) = asyncio.run(generations(house))
    assert answer.release == 1
    assert answer.finish_reason in ("stop", "length")

    back = run("alignment.rollback")
    assert back.returncode == 0
    assert Releases(house).champion() == 0
    assert readable(house) == []
