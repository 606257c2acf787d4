"""A whole round of semi-online DPO on a tiny GPT-2: the reward model, the drawn pairs, the export, the gate."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from alignment import round as whole_round
from alignment.models import adapter_sha256
from data.__main__ import main as data
from data.releases import Releases
from data.rows import write_rows
from tests.test_loop import shortest

pytestmark = [pytest.mark.tiny, pytest.mark.process]

TINY = "learning_rate: 0.01\nlora_r: 4\nper_device_train_batch_size: 2\nmax_length: 512\nbf16: false\n"


def test_a_round_learns_a_reward_model_draws_pairs_and_makes_a_release(
    shelf: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf(gpt2="q8_0")
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_bytes(b"the loop's test has a fixed key.")
    (tmp_path / "reward.yaml").write_text(TINY + "max_steps: 1\n")
    (tmp_path / "online.yaml").write_text(
        TINY + "max_steps: 2\nonline_every: 2\nnum_generations: 2\nmax_completion_length: 8\noffline_share: 0.5\n"
    )
    write_rows(tmp_path / "rows.jsonl", shortest("preferences", 16))
    monkeypatch.setenv("PARLEY_HOME", str(home))
    monkeypatch.setenv("PARLEY_BASE", "gpt2")
    monkeypatch.setenv("PARLEY_ENGINE_GRACE", "0.1")
    monkeypatch.delenv("PARLEY_ENGINE_URL", raising=False)
    monkeypatch.setattr("sys.argv", ["data", "import", str(tmp_path / "rows.jsonl")])
    assert data() == 0
    plan = ["--algorithm", "online-dpo", "--suites", "none", "--canaries", "0", "--max_prompts", "4"]
    recipes = ["--reward_config", str(tmp_path / "reward.yaml"), "--dpo_config", str(tmp_path / "online.yaml")]
    assert whole_round.main([*plan, *recipes]) == 1  # people must decide
    (made,) = Releases(home).all()
    assert made.manifest.stages == ("reward", "dpo")
    folder = home / "rounds" / "0001"
    found = json.loads((folder / "dpo" / "manifest.json").read_text())
    assert found["reward_sha256"] == adapter_sha256(folder / "reward" / "reward")
    # Two steps of two pairs, half of them people's: two prompts are asked.
    drawn = found["figures"]["drawn"]
    assert (drawn["prompts"], drawn["answers"]) == (2, 4)
    assert "from 2 prompts" in (folder / "report.html").read_text()
    assert [path.name for path in sorted(folder.glob("*/*.jsonl"))] == ["metrics.jsonl"] * 2
