"""Which server a candidate is measured on, by the settings and what answers there."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alignment.serving.embedded import Embedded
from alignment.serving.server import server_for
from alignment.serving.vllm import Vllm
from data.bases import base_info
from data.errors import BadInput
from data.home import bases_dir
from tests.fakes.base import make_base
from tests.fakes.vllm import FakeVllm, in_thread


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVllm]:
    """A vLLM at PARLEY_ENGINE_URL that serves the base `toy`, which has no GGUF; `fern` has one."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    make_base(tmp_path / "bases", "toy")
    make_base(tmp_path / "bases", "fern", gguf_sha256="cd" * 32)
    with in_thread(FakeVllm(tmp_path / "bases" / "toy" / "hf")) as made:
        monkeypatch.setenv("PARLEY_ENGINE_URL", made.url)
        yield made


def test_the_vllm_that_serves_the_base_is_measured(fake: FakeVllm) -> None:
    said: list[str] = []
    server = server_for("toy", said.append)
    assert isinstance(server, Vllm)
    assert said == [f"vLLM at {fake.url} serves toy: candidates are checked and measured there."]
    assert fake.adapters == {}


def test_without_one_the_embedded_engine_is_and_a_base_without_a_gguf_is_refused(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert isinstance(server_for("fern", said.append), Embedded)  # vLLM serves another base
    assert "It serves" in said[0]
    assert "So candidates are checked and measured on the embedded engine." in said[0]
    for variable, value in (
        ("PARLEY_ENGINE_URL", "http://127.0.0.1:9/v1"),  # nothing answers there
        ("PARLEY_ENGINE_MODEL", "gpt-5"),  # one model that always answers
        ("PARLEY_ENGINE_RELEASES", "ollama"),
        ("PARLEY_ENGINE_URL", ""),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert isinstance(server_for("fern", said.append), Embedded)
            with pytest.raises(BadInput, match=r"toy has no GGUF file.*Let vLLM serve it.*bases remove toy"):
                server_for("toy", said.append)


def test_a_vllm_that_cannot_load_or_has_other_tokens_is_told_before_any_work(fake: FakeVllm) -> None:
    fake.loads = False
    with pytest.raises(BadInput, match=r"takes no adapters.*--enable-lora.*And the base model toy has no GGUF"):
        server_for("toy", print)
    fake.loads = True
    fake.tail = "?"
    with pytest.raises(BadInput, match=r"makes other tokens.*with the chat template"):
        server_for("toy", print)
    fake.tail = ""
    fake.dev = fake.sleeping = True
    with pytest.raises(BadInput, match=r"is asleep.*curl -X POST .*/wake_up"):
        server_for("toy", print)


def test_a_base_that_thinks_is_kept_from_it_by_its_own_switch_as_the_bot_does(
    fake: FakeVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for switch, sent in (("thinking", {"thinking": False}), (None, {"enable_thinking": False})):
        shutil.rmtree(bases_dir() / "toy")
        make_base(bases_dir(), "toy", thinks=True, thinking_switch=switch)
        for extra, wanted in (("{}", sent), ('{"chat_template_kwargs": {"tone": "dry"}}', {"tone": "dry"})):
            monkeypatch.setenv("PARLEY_ENGINE_EXTRA", extra)
            server = server_for("toy", print)
            with server.serve("toy", None) as engine:
                assert engine.extra == {"chat_template_kwargs": wanted}


def test_a_setting_that_is_no_json_is_told(fake: FakeVllm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_ENGINE_EXTRA", "[1]")
    with pytest.raises(BadInput, match="PARLEY_ENGINE_EXTRA is not a JSON object"):
        server_for("toy", print)


def test_a_base_that_thinks_is_kept_from_it_by_its_own_switch(fake: FakeVllm, tmp_path: Path) -> None:
    thinks = replace(base_info("toy"), thinks=True, thinking_switch="thinking")
    thinks.save(tmp_path / "bases" / "toy" / "base.json")
    with server_for("toy", print).serve("toy", None) as engine:
        assert engine.extra == {"chat_template_kwargs": {"thinking": False}}
