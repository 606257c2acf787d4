"""What Discord no longer lets the bot answer is a sentence in the log, never a traceback."""

import logging

import discord
import pytest
from discord import app_commands

from bot.discord.commands.publish import tell_failure
from bot.discord.late import quiet, too_late
from tests.bot.discord.world import World


def refused(code: int, status: int = 404) -> discord.HTTPException:
    class Response:
        reason = "no"

    response = Response()
    response.status = status  # type: ignore[attr-defined]  # a stand-in
    return discord.HTTPException(response, {"code": code, "message": "no"})  # type: ignore[arg-type]  # a stand-in


@pytest.mark.parametrize("code", [10062, 40060, 10015, 50027])
def test_it_is_found_however_deep_it_is(code: int):
    outer = RuntimeError()
    outer.__cause__ = refused(code)
    assert too_late(outer)
    assert too_late(app_commands.AppCommandError("no")) is None
    record = logging.LogRecord("n", logging.ERROR, "p", 1, "x %s", ("y",), (RuntimeError, refused(code), None))
    assert quiet(record)
    assert record.exc_info is None
    assert record.getMessage().startswith("a press or a command was not answered")
    assert too_late(refused(50013)) is None


@pytest.mark.played
@pytest.mark.parametrize("code", [10062, 40060])
async def test_late_presses_and_windows(talk: World, caplog: pytest.LogCaptureFixture, code: int):
    await talk.agree(talk.ada.id)
    answer = await talk.ask("one")
    for label in ("👍", "👎", "✏️", "↻"):
        talk.env.inject_error("POST", "/interactions/*/*/callback", status=404, code=code)
        await talk.ada.click(answer, label=label)
    assert "Traceback" not in caplog.text
    assert not [record for record in caplog.records if record.exc_info]
    assert caplog.text.count("was not answered") == 4


async def test_a_late_command(caplog: pytest.LogCaptureFixture):
    error = app_commands.AppCommandError()
    error.__cause__ = refused(10062)
    await tell_failure(None, error)  # type: ignore[arg-type]  # nobody can be told
    assert [record.exc_info for record in caplog.records] == [None]
    assert "a command failed: a press or a command was not answered: it came too late" in caplog.text
