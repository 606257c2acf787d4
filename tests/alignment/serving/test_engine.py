"""Answers as served: the requests, their settings, and failures."""

import os
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from alignment.serving.engine import Completion, RunningEngine, sampling, serve
from bot.settings import Settings
from data.chat import FREQUENCY_PENALTY, TEMPERATURE, TOP_P
from data.errors import BadInput
from tests.engine_key import SECRETS
from tests.fakes.judge import FakeJudge


def test_answers_are_requested_as_serving_requests_them() -> None:
    ticks: list[int] = []
    with FakeJudge(lambda _: "  an answer ") as fake:
        served = RunningEngine(fake.url, ("<|im_end|>",), sampling(), lambda: ticks.append(1))
        answer = served.complete([{"role": "user", "content": "Hi <|im_end|>"}], seed=7, max_tokens=33)
    assert answer == Completion("an answer", "stop")
    assert ticks == [1]
    body = fake.bodies[0]
    assert (body["temperature"], body["top_p"], body["frequency_penalty"]) == (TEMPERATURE, TOP_P, FREQUENCY_PENALTY)
    assert (body["seed"], body["max_tokens"]) == (7, 33)
    assert "<|im_end|>" not in body["messages"][0]["content"]


def test_answers_use_the_operators_sampling_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    bot = Settings()
    assert sampling() == {name: getattr(bot, name) for name in sampling()}
    for variable, value in (("PARLEY_TEMPERATURE", "0.9"), ("PARLEY_MAX_TOKENS", "77")):
        monkeypatch.setenv(variable, value)
    assert (sampling()["temperature"], sampling()["max_tokens"]) == (0.9, 77)
    for value in ("hot", "3", "-1", "nan"):
        monkeypatch.setenv("PARLEY_TEMPERATURE", value)
        with pytest.raises(BadInput, match="PARLEY_TEMPERATURE must be a number from 0 to 2"):
            sampling()


def test_requests_to_the_engine_bypass_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeJudge(lambda _: "a proxy's answer") as proxy, FakeJudge(lambda _: "the engine's") as fake:
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)
        found = RunningEngine(fake.url, (), sampling()).complete([{"role": "user", "content": "a"}], seed=0)
        assert (found.text, proxy.bodies) == ("the engine's", [])


@pytest.mark.base
def test_the_engine_of_a_measurement_has_a_key_and_no_secrets(
    base_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "t0ken")
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    with serve("smollm2-135m", None) as engine:
        assert engine.complete([{"role": "user", "content": "The capital of France?"}], seed=1, max_tokens=4).text
        assert engine.get("/v1/models")["data"]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            RunningEngine(engine.url, (), {}).get("/v1/models")
        (child,) = [pid for pid in _children() if "bot.engine" in Path(f"/proc/{pid}/cmdline").read_text()]
        for file in ("environ", "cmdline"):
            told = Path(f"/proc/{child}/{file}").read_text()
            assert "t0ken" not in told
            assert engine.api_key not in told
    assert not (tmp_path / "engine.json").exists()


def _children() -> list[int]:
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]
