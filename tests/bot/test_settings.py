"""The settings: where they are read from, and the sentences about invalid ones."""

import os
import string
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from bot.settings import Settings, load
from bot.texts import EN, ZH, texts
from data.errors import BadInput
from data.limits import limits_set
from data.variables import BOT


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch):
    for name in list(os.environ):
        if name.startswith("PARLEY_") or name == "DISCORD_TOKEN":
            monkeypatch.delenv(name)
    # share() writes into the environment; setting and deleting here makes monkeypatch restore it
    for name in ("PARLEY_HOME", "PARLEY_BASES", "PARLEY_BASE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_defaults_need_nothing():
    settings = load(None)
    assert settings.discord_token is None
    assert settings.engine_url is None
    assert (settings.persona, settings.language, settings.retention_days) == ("assistant", "en", 30)
    assert settings.home == Path("var").absolute()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARLEY_RETENTION_DAYS", "soon"),
        ("PARLEY_RETENTION_DAYS", "0"),
        ("PARLEY_PERSONA", "tutr"),
        ("PARLEY_LANGUAGE", "fr"),
        ("PARLEY_ENGINE_URL", "localhost:8000"),
        ("PARLEY_DISCORD_API", "discord.example"),
        ("PARLEY_DISCORD_GATEWAY", "http://127.0.0.1:1"),
        ("PARLEY_OPERATORS", "12, ada"),
        ("PARLEY_TEMPERATURE", "-1"),
        ("PARLEY_TOP_P", "0"),
        ("PARLEY_MAX_TOKENS", "many"),
    ],
)
def test_a_bad_value_gives_a_sentence_that_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as error:
        load(None)
    assert str(error.value).startswith(f"{name}: {value!r} cannot be used: ")
    assert str(error.value).count(name) == 1


def test_all_bad_values_are_named_together_and_the_nearest_persona_is_suggested(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_PERSONA", "tutr")
    monkeypatch.setenv("PARLEY_LANGUAGE", "fr")
    with pytest.raises(BadInput, match="Did you mean 'tutor'") as error:
        load(None)
    assert "PARLEY_LANGUAGE" in str(error.value)


def test_env_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / ".env"
    file.write_text("DISCORD_TOKEN=abc.def\nPARLEY_PERSONA=writer\nPARLEY_LANGUAGE=zh\nOTHER=1\nPARLEY_BASE=\n")
    monkeypatch.setenv("PARLEY_LANGUAGE", "en")
    settings = load(file)
    assert settings.discord_token is not None
    assert settings.discord_token.get_secret_value() == "abc.def"
    assert (settings.persona, settings.language, settings.base) == ("writer", "en", None)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    monkeypatch.setenv("PARLEY_ENGINE_API_KEY", "other-secret")
    settings = load(None)
    shown = f"{settings!r} {settings} {settings.model_dump()}"
    assert not [secret for secret in ("very-secret", "other-secret") if secret in shown]


def test_operators_are_ids_with_commas_between(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_OPERATORS", "12, 34")
    assert load(None).operators == (12, 34)


def test_servers_that_teach_are_ids_and_a_missing_list_is_not_an_empty_one(monkeypatch: pytest.MonkeyPatch):
    assert load(None).teaching_servers is None
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "12, 34")
    assert load(None).teaching_servers == ("12", "34")
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "my server")
    with pytest.raises(BadInput, match="'my' is not a server's id"):
        load(None)


def test_the_bot_and_the_commands_have_the_same_defaults_for_quotas():
    settings, limits = load(None), limits_set()
    for name in ("per_person", "per_server", "per_day"):
        assert getattr(settings, f"ratings_{name}") == getattr(limits, name)


def test_home_of_the_env_file_is_shared_with_data_and_engine(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text(f"PARLEY_HOME={tmp_path / 'state'}\n")
    load(file).share()
    assert os.environ["PARLEY_HOME"] == str(tmp_path / "state")


def test_every_setting_of_the_bot_is_known_by_name():
    assert set(BOT) | {"discord_token"} == set(Settings.model_fields)


def test_the_personas_of_a_folder_can_be_chosen_and_a_mistake_in_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "shop.toml").write_text('system_prompt = "x"\ngreeting = "y"\n')
    monkeypatch.setenv("PARLEY_PERSONAS", str(tmp_path))
    monkeypatch.setenv("PARLEY_PERSONA", "shop")
    assert load(None).persona == "shop"
    monkeypatch.setenv("PARLEY_PERSONA", "shp")
    with pytest.raises(BadInput, match=r"the personas are .*shop\. Did you mean 'shop'?"):
        load(None)
    other = tmp_path / "other"
    other.mkdir()
    (other / "shop.toml").write_text("greeting = 3")
    monkeypatch.setenv("PARLEY_PERSONAS", str(other))
    with pytest.raises(BadInput, match=r"shop\.toml: system_prompt is missing"):
        load(None)
    monkeypatch.setenv("PARLEY_PERSONAS", str(tmp_path / "none"))
    with pytest.raises(BadInput, match=r"PARLEY_PERSONAS: .*there is no folder"):
        load(None)


def test_an_unusable_home_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "file" / "below"))
    with pytest.raises(BadInput, match=f"PARLEY_HOME: .*{tmp_path / 'file'} is a file; name a folder"):
        load(None)
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "new" / "home"))
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(BadInput, match=r"PARLEY_HOME: .*nothing can be written in"):
        load(None)


def test_every_bad_value_has_a_line_that_says_what_it_should_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PARLEY_DISCORD_THREADS", "ja")
    monkeypatch.setenv("PARLEY_QUEUE", "many")
    monkeypatch.setenv("PARLEY_MODERATION_WORDS", str(tmp_path))
    with pytest.raises(BadInput) as caught:
        load(None)
    said = str(caught.value).splitlines()
    assert "PARLEY_DISCORD_THREADS: 'ja' cannot be used: use 1 or 0." in said
    assert "PARLEY_QUEUE: 'many' cannot be used: use a whole number." in said
    assert any(line.startswith("PARLEY_MODERATION_WORDS:") and "it is a folder" in line for line in said)


def test_both_languages_use_the_same_placeholders():
    for name in [field.name for field in fields(EN)]:
        english, chinese = getattr(EN, name), getattr(ZH, name)
        assert english, name
        assert chinese, name
        if isinstance(english, tuple):
            assert len(english) == len(chinese), name
            english, chinese = " ".join(english), " ".join(chinese)
        assert _places(english) == _places(chinese), name


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize(("tag", "expected"), [("zh", ZH), ("zh-TW", ZH), ("zh-CN", ZH), ("en-GB", EN), ("de", EN)])
def test_language_tags(tag: str, expected: object):
    assert texts(tag) is expected


def _bot(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={**env, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.process
def test_discord_without_a_token_says_where_to_put_one():
    done = _bot("--platform", "discord", DISCORD_TOKEN="")
    assert done.returncode == 2
    assert "DISCORD_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.process
def test_a_bad_setting_ends_the_program_with_its_sentence():
    done = _bot("--platform", "terminal", PARLEY_RETENTION_DAYS="soon", DISCORD_TOKEN="very-secret")
    assert done.returncode == 2
    assert done.stderr.startswith("parley: PARLEY_RETENTION_DAYS: ")
    assert "secret" not in done.stderr


@pytest.mark.process
def test_help_imports_nothing_heavy():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['bot', '--help']\n"
        "try: runpy.run_module('bot', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "heavy = {'discord', 'openai', 'pydantic', 'sqlalchemy', 'rich', 'torch'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "--platform" in done.stdout
    assert done.stdout.endswith("heavy: []\n")
