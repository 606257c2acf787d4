"""The settings of moderation, and how they reach the chat."""

import os
from pathlib import Path
from typing import Any

import pytest

from bot.moderation.step import open_moderation, our_words
from bot.moderation.words import Kind
from bot.opening import chat_of
from bot.settings import Settings, load
from bot.texts import EN
from data.errors import BadInput
from tests.bot.core import World
from tests.bot.moderation.flagged import SLUR
from tests.bot.terminal.world import World as AtTerminal
from tests.fakes.moderation import FakeModeration


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    return monkeypatch


def test_moderation_is_on_unless_it_is_turned_off(clean: pytest.MonkeyPatch):
    assert open_moderation(load(None)).growing().add("kys ") == ""
    clean.setenv("PARLEY_MODERATION", "off")
    assert open_moderation(load(None)).growing().add("kys ") == "kys "


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:9000/v1", True),
        ("http://localhost:9000/v1", True),
        ("http://[::1]:9000/v1", True),
        ("http://192.168.1.7/v1", True),
        ("http://10.0.0.2/v1", True),
        ("https://api.example.com/v1", False),
        ("http://8.8.8.8/v1", False),
        ("http://[::ffff:8.8.8.8]/v1", False),
        ("http://localhost.example.com/v1", False),
    ],
)
def test_an_outside_endpoint_must_be_allowed_explicitly(clean: pytest.MonkeyPatch, url: str, own: bool):
    clean.setenv("PARLEY_MODERATION_URL", url)
    if own:
        assert load(None).moderation_url == url
        return
    with pytest.raises(BadInput, match=r"^PARLEY_MODERATION_URL: it names a machine .* PARLEY_MODERATION_OUTSIDE=1"):
        load(None)
    clean.setenv("PARLEY_MODERATION_OUTSIDE", "1")
    assert load(None).moderation_url == url


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PARLEY_MODERATION", "perhaps", "'perhaps' cannot be used: input should be 'on' or 'off'"),
        ("PARLEY_MODERATION_FAIL", "ajar", "'ajar' cannot be used: input should be 'open' or 'closed'"),
        ("PARLEY_MODERATION_WORDS", "none.txt", "there is no such file"),
        ("PARLEY_MODERATION_URL", "api.example.com", "use an address such as http://"),
        ("PARLEY_MODERATION_URL", "http://u:secret@127.0.0.1/v1", "PARLEY_MODERATION_API_KEY"),
        ("PARLEY_MODERATION_URL", "http://127.0.0.1/v1?key=secret", "PARLEY_MODERATION_API_KEY"),
    ],
)
def test_a_bad_setting_gives_a_sentence_that_shows_no_secret(
    clean: pytest.MonkeyPatch, name: str, value: str, said: str
):
    clean.setenv(name, value)
    with pytest.raises(BadInput) as error:
        load(None)
    assert str(error.value).startswith(f"{name}: ")
    assert said in str(error.value)
    assert "secret" not in str(error.value)


async def test_the_settings_reach_the_step(tmp_path: Path, remote: FakeModeration):
    words = tmp_path / "words.txt"
    words.write_text("tomato\n")
    chosen = Settings(
        _env_file=None,
        moderation_words=words,
        moderation_url=remote.url,
        moderation_model="m",
        moderation_api_key="k",
        moderation_fail="closed",
    )
    moderation = open_moderation(chosen)
    assert await moderation.incoming("tomato") is Kind.OWN
    assert await moderation.incoming("banana") is Kind.ENDPOINT
    assert (remote.bodies[-1]["model"], remote.keys[-1]) == ("m", "Bearer k")
    remote.status = 500
    assert await moderation.incoming("apple") is Kind.UNCHECKED
    await moderation.close()


async def test_the_program_gives_its_chat_the_moderation_step(world: World, clean: pytest.MonkeyPatch):
    chat = chat_of(load(None), world.store, world.chat.engine)
    assert await chat.moderation.incoming(SLUR) is Kind.SLUR


@pytest.mark.parametrize(
    ("url", "moderation", "outside"),
    [
        (None, "on", False),
        ("http://127.0.0.1:1/v1", "on", False),
        ("https://api.example.com/v1", "on", True),
        ("https://api.example.com/v1", "off", False),
    ],
)
async def test_people_are_told_about_an_outside_service(
    world: World, url: str | None, moderation: Any, outside: bool
):
    terminal = AtTerminal(world.store, world.fake, world.chat)
    chosen = {"moderation_url": url, "moderation": moderation, "moderation_outside": True}
    assert (EN.privacy_checked_outside in await terminal.enter("/privacy", **chosen)) is outside


def test_an_empty_list_of_the_operators_own_words_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    words = tmp_path / "words.txt"
    words.write_text("# none yet\n")
    our_words(words)
    assert f"PARLEY_MODERATION_WORDS: {words} holds no words." in caplog.text
