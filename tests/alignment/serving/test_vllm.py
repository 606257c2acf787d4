"""Candidates on vLLM, played with a tiny model's real arithmetic: the check, answers, likelihoods, a whole round."""

import json
import shutil
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft import PeftModel
from transformers import AutoModelForCausalLM

import alignment.rounds.steps
from alignment import round as whole_round
from alignment.evaluation.likelihood import scores
from alignment.evaluation.model import open_model
from alignment.evaluation.subjects import Subject
from alignment.serving.engine import RunningEngine
from alignment.serving.passages import NotServable
from alignment.serving.server import Server, server_for
from data.__main__ import main as data
from data.errors import BadInput
from data.releases import Releases
from data.rows import Row, write_rows
from data.unfinished import unfinished_folder
from data.vllm import LOAD
from tests.alignment.serving.adapters import adapter
from tests.alignment.tiny import demonstrations, preferences
from tests.fakes import tiny_bases
from tests.fakes.vllm import Computes, FakeVllm, in_thread

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2 that only vLLM serves: it has no GGUF."""
    return tiny_bases.only_for_vllm(tmp_path_factory.mktemp("bases") / "qwen2")


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = adapter(base / "hf", tmp_path_factory.mktemp("trained") / "adapter", std=0.03)
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "qwen2"}))
    return folder


def arithmetic(hf: Path) -> Computes:
    """What PEFT computes with what lies in a folder now."""

    @lru_cache(maxsize=4)
    def model(weights: bytes, config: str, folder: Path | None) -> torch.nn.Module:
        plain = AutoModelForCausalLM.from_pretrained(hf, dtype=torch.float32)
        return plain if folder is None else PeftModel.from_pretrained(plain, str(folder))

    def computes(folder: Path | None, ids: list[int]) -> NDArray[np.float32]:
        weights = (folder / "adapter_model.safetensors").read_bytes() if folder else b""
        config = (folder / "adapter_config.json").read_text() if folder else ""
        with torch.no_grad():
            logits = model(weights, config, folder)(input_ids=torch.tensor([ids])).logits[0]
        found: NDArray[np.float32] = torch.log_softmax(logits.float(), -1).numpy()
        return found

    return computes


@pytest.fixture
def fake(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVllm]:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(base.parent))
    monkeypatch.setenv("PARLEY_BASE", "qwen2")
    for name in ("JUDGE_URL", "JUDGE_MODEL", "ENGINE_MODEL", "ENGINE_RELEASES", "ENGINE_ADAPTERS", "ENGINE_EXTRA"):
        monkeypatch.delenv(f"PARLEY_{name}", raising=False)
    with in_thread(FakeVllm(base / "hf")) as made:
        made.computes = arithmetic(base / "hf")
        monkeypatch.setenv("PARLEY_ENGINE_URL", made.url)
        yield made


@pytest.fixture
def server(fake: FakeVllm) -> Server:
    return server_for("qwen2", print)


@pytest.mark.long
def test_the_check_tells_what_was_trained_from_what_was_not(
    fake: FakeVllm, server: Server, base: Path, trained: Path, tmp_path: Path
) -> None:
    found = server.check("qwen2", trained)
    assert max(found.base.mean, found.served.mean, found.probe.mean) < 1e-4 < found.served.effect
    assert (found.positions, found.tokens, found.probe.scale != 1) == (48, 48 * 16, True)
    assert fake.adapters == {}
    assert [order for order, _ in fake.orders] == ["unload", *["load", "unload"] * 2]
    assert not list((tmp_path / "home" / "releases").iterdir())

    computes, other = fake.computes, adapter(base / "hf", tmp_path / "other", seed=2, std=0.1)
    fake.computes = lambda folder, ids: computes(other if folder else None, ids)
    with pytest.raises(NotServable, match="computes something else than PEFT"):
        server.check("qwen2", trained)
    fake.computes = lambda folder, ids: computes(folder, ids) + 0.3
    with pytest.raises(NotServable, match="base model is not the one"):
        server.check("qwen2", trained)
    fake.rank = 32
    with (
        pytest.raises(BadInput, match=r"does not load the candidate .* LoRA rank 32 is greater"),
        server.serve("qwen2", trained),
    ):
        pytest.fail("it was loaded")


def test_a_vllm_with_other_paths_finds_the_candidate_below_the_releases(
    fake: FakeVllm, server: Server, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_ENGINE_ADAPTERS", "/mnt/releases/")
    with (
        pytest.raises(BadInput, match=r"does not find .* at /mnt/releases/\.measured\.\w+\.unfinished"),
        server.serve("qwen2", trained),
    ):
        pytest.fail("it was loaded")
    releases = tmp_path / "home" / "releases"

    class Mounted(dict):
        def get(self, place: str) -> Path:
            return releases / place.removeprefix("/mnt/releases/")

    fake.seen_as = Mounted()
    with server.serve("qwen2", trained) as engine:
        assert fake.adapters[engine.model].startswith("/mnt/releases/.measured.")
        assert engine.complete([{"role": "user", "content": "Hi"}], seed=1, max_tokens=3).text == "a fake answer"
        assert fake.requests[-1]["model"] == engine.model
    assert fake.adapters == {}


def test_what_an_interrupted_measurement_loaded_is_taken_out(
    fake: FakeVllm, server: Server, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = RunningEngine.post

    def posted(self: RunningEngine, path: str, body: dict) -> object:
        found = post(self, path, body)
        if path == LOAD:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(RunningEngine, "post", posted)
        with pytest.raises(KeyboardInterrupt), server.serve("qwen2", trained):
            pytest.fail("it goes on")
    assert fake.adapters == {}
    releases = tmp_path / "home" / "releases"
    there = {"measured-0": str(releases / ".measured.a.unfinished"), "measured-2": "/other/.measured.a.unfinished"}
    fake.adapters |= {**there, "release-0001": str(releases / "0001" / "adapter")}
    with unfinished_folder(releases / "measured") as running:
        fake.adapters["measured-1"] = str(running)
        server_for("qwen2", print)
    assert set(fake.adapters) == {"measured-1", "measured-2", "release-0001"}


def test_likelihoods_are_those_of_the_weights(fake: FakeVllm, server: Server, trained: Path) -> None:
    fake.requests.clear()
    rows = [[Row(kind, {k: v for k, v in each.items() if k != "id"}, {"id": each["id"]}) for each in made(4)]
            for kind, made in (("preference", preferences), ("demonstration", demonstrations))]  # fmt: skip
    subject = Subject("candidate", "qwen2", trained)
    with open_model(subject, server=server) as there:
        served, texts = scores(there, *rows), there.text_logprobs(["A text.", "Another one."])
        fake.context = 20
        with pytest.raises(BadInput, match="start it with a larger --max-model-len"):
            scores(there, *rows)
    with open_model(subject, serve=False) as here:
        assert served.margins == pytest.approx(scores(here, *rows).margins, abs=1e-3)
        assert served.loss == pytest.approx(scores(here, *rows).loss, abs=1e-4)
        assert [total for total, _ in texts] == pytest.approx(
            [total for total, _ in here.text_logprobs(["A text.", "Another one."])], abs=1e-3
        )


@pytest.mark.long
def test_a_round_on_a_base_without_a_gguf(
    fake: FakeVllm, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the training is real."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "key").write_bytes(b"the loop's test has a fixed key.")
    rows = [Row("demonstration", {"messages": each["messages"]}, {}) for each in demonstrations(16)]
    write_rows(tmp_path / "rows.jsonl", rows)
    monkeypatch.setattr("sys.argv", ["data", "import", str(tmp_path / "rows.jsonl")])
    assert data() == 0

    def launch(module: str, arguments: list[str], _warm: object) -> int:
        out = Path(arguments[arguments.index("--output_dir") + 1])
        shutil.copytree(trained, out / "adapter")
        (out / "manifest.json").write_text("{}")
        (out / "metrics.jsonl").write_text("")
        return 0

    monkeypatch.setattr(alignment.rounds.steps, "launch", launch)
    plan = ["--suites", "forgetting", "--canaries", "0", "--no_trial"]
    assert whole_round.main(plan) == 1  # people must decide
    printed = capsys.readouterr().out
    assert f"vLLM at {fake.url} serves qwen2" in printed
    assert "It computes what was trained" in printed
    (made,) = Releases(home).all()
    assert (made.base, made.manifest.adapter_gguf_sha256, made.adapter_gguf.exists()) == ("qwen2", None, False)
    found = json.loads((home / "rounds" / "0001" / "manifest.json").read_text())
    assert found["export"]["server"] == f"vLLM at {fake.url}"
    assert found["export"]["agreement"]["served"]["mean"] < 1e-4
    assert found["evaluation"]["scores"]["candidate"]["loss"] != found["evaluation"]["scores"]["champion"]["loss"]
    assert (fake.adapters, fake.requests) == ({}, [])  # likelihoods only: nothing was asked
    assert made.manifest.stages == ("sft",)
