"""What the process that wakes vLLM makes of its answers; the order of things is tested in `test_sleep.py`."""

import io
import json
import urllib.error
from email.message import Message
from typing import Any

import pytest

from alignment.serving import wake


def status(code: int) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://played", code, "No", Message(), io.BytesIO())


def awake(state: str) -> io.BytesIO:
    return io.BytesIO(json.dumps({"status": state}).encode())


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What vLLM answers next, one request after the other."""
    left: list[Any] = []

    def post(*_: object) -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(wake, "_post", post)
    monkeypatch.setattr(wake, "_BETWEEN", 0.0)
    return left


def test_it_asks_again_until_vllm_is_awake(answers: list[Any]) -> None:
    answers += [
        OSError("refused"),
        status(500),
        io.BytesIO(b"<html>"),
        awake("sleeping"),
        awake("awake"),
        "not asked",
    ]
    assert wake._wake({}) is None
    assert answers == ["not asked"]


def test_it_gives_up_with_the_last_reason(answers: list[Any]) -> None:
    answers += [OSError("refused")] + [awake("sleeping") for _ in range(4)] + ["not asked"]
    assert wake._wake({}) == "it stays asleep"
    assert answers == ["not asked"]


def test_one_without_the_route_never_slept(answers: list[Any]) -> None:
    answers += [status(404), "not asked"]
    assert wake._wake({}) is None
    assert answers == ["not asked"]


def test_what_became_of_the_order_to_sleep_is_reported(answers: list[Any]) -> None:
    answers += [io.BytesIO(b"{}"), status(500), OSError("refused"), TimeoutError()]
    assert [wake._sleep({}) for _ in range(4)] == [
        {},
        {"status": 500},
        {"broke": "refused"},
        {"broke": "TimeoutError"},
    ]
