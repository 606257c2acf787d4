"""A round on a real vLLM, on a tiny Qwen2 that nothing else serves. `make test-vllm` runs this."""

import json
import time
from pathlib import Path

import pytest

from alignment import evaluate, promote
from alignment import round as whole_round
from alignment.serving import sleep
from alignment.serving.engine import RunningEngine
from alignment.serving.server import server_for
from data.__main__ import main as data
from data.releases import Releases
from data.rows import write_rows
from tests.fakes.tiny_bases import only_for_vllm
from tests.test_loop import shortest
from tests.vllm.program import free_port, needs_vllm, running

pytestmark = [pytest.mark.base, pytest.mark.timeout(1800), needs_vllm]
RECIPE = (
    "max_steps: 2\nlearning_rate: 0.01\nlora_r: 4\nper_device_train_batch_size: 4\nmax_length: 512\nbf16: false\n"
)
LIMIT = 1e-3  # nats, float32 on both sides; 1e-5 was measured


def test_a_round_is_checked_and_measured_on_vllm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base, home, port = only_for_vllm(tmp_path / "bases" / "qwen2"), tmp_path / "home", free_port()
    url, began = f"http://127.0.0.1:{port}/v1", time.monotonic()
    settings = {"HOME": home, "BASES": base.parent, "BASE": "qwen2", "ENGINE_URL": url}
    for name in ("MODEL", "API_KEY", "RELEASES", "ADAPTERS", "EXTRA"):
        monkeypatch.delenv(f"PARLEY_ENGINE_{name}", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(f"PARLEY_{name}", str(value))
    home.mkdir()
    (home / "key").write_bytes(b"the loop's test has a fixed key.")
    (tmp_path / "sft.yaml").write_text(RECIPE)
    write_rows(tmp_path / "rows.jsonl", shortest("demonstrations", 16))
    monkeypatch.setattr("sys.argv", ["data", "import", str(tmp_path / "rows.jsonl")])
    assert data() == 0

    def note(what: str) -> None:
        with capsys.disabled():
            print(f"{time.monotonic() - began:6.1f} s  {what}", flush=True)

    with running(base / "hf", port, tmp_path / "vllm.log", "--chat-template", str(base / "template.jinja")):
        note("vLLM answers")
        plan = ["--suites", "quick", "--canaries", "0", "--max_demonstrations", "6", "--no_trial"]
        assert whole_round.main([*plan, "--sft_config", str(tmp_path / "sft.yaml")]) == 1  # people must decide
        found = json.loads((home / "rounds" / "0001" / "manifest.json").read_text())
        agreement = found["export"]["agreement"]
        note(
            f"round 1 made release 1: {agreement['base']['mean']:.1e} nats from transformers, "
            f"{agreement['served']['mean']:.1e} from PEFT, {agreement['probe']['mean']:.1e} at scale "
            f"{agreement['probe']['scale']:.2f}; the adapter moves them by {agreement['served']['effect']:.2f}"
        )
        assert max(agreement[part]["mean"] for part in ("base", "served", "probe")) < LIMIT
        assert LIMIT < 0.05 < agreement["served"]["effect"]
        (release,) = Releases(home).all()
        assert not release.adapter_gguf.exists()

        rows = ["--demonstrations", str(tmp_path / "rows.jsonl"), "--suites", "none", "--limit", "0"]
        out = tmp_path / "figures.json"
        assert evaluate.main(["--candidate", "1", *rows, "--out", str(out)]) == 1
        before, after = json.loads(out.read_text())["scores"]
        note(f"release 1 evaluated on vLLM: loss {before['loss']:.3f} of the base, {after['loss']:.3f} with it")
        assert after["loss"] < before["loss"]

        server = server_for("qwen2", print)
        engine = RunningEngine(url, (), {}, shown=url)
        monkeypatch.setattr(sleep, "free_share", lambda: 0.9 if engine.get(sleep.STATE)["is_sleeping"] else 0.1)
        with server.resting(note):  # on a processor it sleeps and frees nothing; the GPU is played
            assert engine.get(sleep.STATE)["is_sleeping"]
        assert not engine.get(sleep.STATE)["is_sleeping"]

        monkeypatch.setattr("sys.argv", ["promote", "1"])
        assert promote.main() == 0
        assert [each["id"] for each in engine.get("/v1/models")["data"]] == [str(base / "hf")]
        note("promoted; vLLM holds no adapter of a measurement any more")
