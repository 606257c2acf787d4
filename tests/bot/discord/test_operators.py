"""Who the operators are: the application's owner or its team, and the people in the settings."""

from typing import Any

import discord
import pytest

from bot.discord.operators import HOUR, MINUTE, Operators, owners
from tests.bot.discord.world import World

pytestmark = pytest.mark.played


def user(number: int) -> dict[str, Any]:
    return {"id": str(number), "username": f"user{number}", "discriminator": "0", "avatar": None}


def member(number: int, role: str, state: int = 2) -> dict[str, Any]:
    return {"user": user(number), "membership_state": state, "permissions": ["*"], "role": role, "team_id": "9"}


def application(talk: World, team: list[dict[str, Any]] | None = None) -> discord.AppInfo:
    payload: Any = {"id": "1", "name": "parley", "icon": None, "description": "", "verify_key": "", "summary": ""}
    payload |= {"bot_public": True, "bot_require_code_grant": False, "owner": user(1), "flags": 0}
    if team is not None:
        payload["team"] = {"id": "9", "name": "team", "icon": None, "owner_user_id": "2", "members": team}
    return discord.AppInfo(talk.env.bot._connection, payload)


class Client:
    """A client that counts how often its application is asked for."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def application_info(self) -> discord.AppInfo:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_operators_are_the_owner_or_the_team_without_readers_and_invited_people(talk: World):
    assert owners(application(talk)) == {1}
    team = [member(2, "admin"), member(3, "developer"), member(4, "read_only"), member(5, "developer", state=1)]
    assert owners(application(talk, team)) == {2, 3}


async def test_discord_is_asked_at_most_hourly_and_sooner_while_it_does_not_answer(talk: World):
    now = 0.0
    client = Client(OSError("away"), application(talk), application(talk, [member(2, "admin")]), OSError("away"))
    operators = Operators(client, (7,), lambda: now)  # type: ignore[arg-type]  # a stand-in
    assert await operators.include(7)  # named in the settings, whatever Discord says
    assert not await operators.include(1)
    assert client.asked == 1
    now += MINUTE
    assert await operators.include(1)
    now += HOUR - 1
    assert await operators.include(1)
    assert client.asked == 2
    now += 1
    assert await operators.include(2)
    assert not await operators.include(1)
    now += HOUR
    assert await operators.include(2)  # known operators stay operators
    assert client.asked == 4


async def test_the_application_is_asked_for_when_the_bot_is_ready(talk: World, monkeypatch: pytest.MonkeyPatch):
    info = application(talk)
    asked = []

    async def application_info(self: discord.Client) -> discord.AppInfo:
        asked.append(1)
        return info

    monkeypatch.setattr(discord.Client, "application_info", application_info)
    await talk.env.restart_bot(talk.bot(operators=(5,)))
    before = len(asked)  # discord.py asks at login, too
    assert await talk.app.operators.include(1)
    assert await talk.app.operators.include(5)
    assert not await talk.app.operators.include(6)
    assert len(asked) == before
