"""The log: what a line looks like, and that it never holds what somebody said."""

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import discord
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import logs
from bot.logs import JsonLine, Line

SECRET = "my-grandmother's-recipe"
STYLES = (Line, JsonLine)


@pytest.fixture(params=STYLES)
def logged(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Everything that is logged, in each style."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("bot.x", logging.WARNING, "file.py", 1, message, arguments, info)


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


@given(st.text(), st.text())
def test_every_record_is_one_json_object_on_one_line(message: str, said: str):
    line = JsonLine().format(record("%s", message, error=raised(ValueError(said))))
    assert len(line.splitlines()) == 1
    entry = json.loads(line)
    assert entry["exception"] == "ValueError"
    assert (entry["level"], entry["logger"]) == ("WARNING", "bot.x")
    assert entry["time"].endswith("+00:00")


@pytest.mark.parametrize("style", STYLES)
def test_an_exception_is_its_type_and_its_places_and_never_its_message(style: type[logging.Formatter]):
    response = SimpleNamespace(status=400, reason="Bad Request")
    body = {"code": 50035, "message": SECRET, "errors": {"content": {"_errors": [{"code": "x", "message": SECRET}]}}}
    inner = raised(discord.HTTPException(response, body))  # type: ignore[arg-type]  # a stand-in
    assert SECRET in str(inner)
    group = raised(ExceptionGroup(SECRET, [raised(KeyError(SECRET))]))
    for error in (inner, raised(RuntimeError(SECRET), inner), group):
        line = style().format(record("it failed", error=error))
        assert SECRET not in line
        assert __file__ in line
        assert "in raised" in line
    assert "discord.errors.HTTPException" in style().format(record("it failed", error=raised(RuntimeError(), inner)))
    assert "KeyError" in style().format(record("it failed", error=group))


@pytest.mark.parametrize("style", STYLES)
def test_ids_and_tokens_of_addresses_are_left_out(style: type[logging.Formatter]):
    token = "aW50ZXJhY3Rpb246" * 8
    address = f"https://discord.com/api/v10/webhooks/123456789012345678/{token}/messages/@original"
    line = style().format(record("We are being rate limited. %s %s responded with 429.", "PATCH", address))
    assert "123456789012345678" not in line
    assert token not in line
    assert "We are being rate limited. PATCH https://discord.com/api/v10/webhooks/" in line
    assert "messages/@original responded with 429." in line


async def test_an_error_that_nobody_waits_for_is_logged_without_objects(logged: io.StringIO):
    logs.watch_loop()

    async def fail() -> None:
        raise ValueError(SECRET)

    def call(text: str) -> None:
        raise ValueError(text)

    task = asyncio.create_task(fail(), name=SECRET)
    await asyncio.wait({task})
    del task
    asyncio.get_running_loop().call_soon(call, SECRET)
    await asyncio.sleep(0.01)
    assert logged.getvalue().count("an error in a task that nobody waited for") == 2
    assert "in fail" in logged.getvalue()
    assert SECRET not in logged.getvalue()


@pytest.mark.process
@pytest.mark.parametrize("style", ["text", "json"])
def test_a_crash_is_logged_without_its_message(style: str):
    program = f"from bot import logs\nlogs.begin({style!r}, verbose=True)\nraise RuntimeError('se' + 'cret')"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 1
    assert "an error that nobody caught" in result.stderr
    assert "RuntimeError" in result.stderr
    assert "secret" not in result.stderr
    if style == "json":
        assert [json.loads(line)["level"] for line in result.stderr.splitlines()] == ["CRITICAL"]
