"""The personas that ship with Parley, and the operator's own files."""

from pathlib import Path

import pytest

from data.errors import BadInput
from data.personas import (
    LANGUAGES,
    LONGEST,
    PERSONAS,
    broken_personas,
    own_personas,
    persona,
    persona_names,
    thinking_personas,
)

EXAMPLE = Path(__file__).parents[2] / "deploy" / "personas" / "shop.toml"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path))
    monkeypatch.delenv("PARLEY_PERSONAS", raising=False)
    made = tmp_path / "personas"
    made.mkdir()
    return made


def test_every_shipped_persona_speaks_every_language() -> None:
    for name in PERSONAS:
        for language in LANGUAGES:
            found = persona(name, language)
            assert found.system_prompt
            assert found.greeting


def test_the_example_is_a_persona_of_its_own_after_it_was_copied(folder: Path) -> None:
    (folder / "shop.toml").write_text(EXAMPLE.read_text())
    assert persona_names() == (*PERSONAS, "shop")
    english, chinese = persona("shop"), persona("shop", "zh")
    assert english.system_prompt.startswith("You are the support assistant of Spoke & Chain")
    assert "营业时间" in chinese.system_prompt
    assert english.greeting != chinese.greeting


def test_texts_without_a_language_serve_for_all_and_a_shipped_name_is_replaced(folder: Path) -> None:
    (folder / "support.toml").write_text('system_prompt = "Ours."\ngreeting = "Hi."\n')
    assert {persona("support", language).system_prompt for language in LANGUAGES} == {"Ours."}
    assert persona_names() == PERSONAS


def test_the_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PERSONAS", str(EXAMPLE.parent))
    assert "shop" in persona_names()
    monkeypatch.setenv("PARLEY_PERSONAS", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="There is no persona named 'shop'"):
        persona("shop")


GOOD = 'system_prompt = "x"\ngreeting = "y"\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("Shop", GOOD, "'Shop' cannot name a persona"),
        ("our shop", GOOD, "cannot name a persona"),
        ("default", GOOD, "cannot name a persona"),
        ("shop", "system_prompt = ", "is not valid TOML"),
        ("shop", GOOD + 'greting = "z"\n', "unknown key 'greting'. Did you mean 'greeting'?"),
        ("shop", 'system_prompt = "x"\n', "greeting is missing for the language en"),
        ("shop", GOOD + 'thinks = "yes"\n', "thinks is 'yes'. Write true or false"),
        ("shop", GOOD + "[zh]\nthinks = true\n", r"\[zh\] may hold"),
        ("shop", 'system_prompt = 3\ngreeting = "y"\n', "system_prompt is missing"),
        ("shop", GOOD + '[zh]\nmood = "z"\n', r"\[zh\] may hold system_prompt and greeting"),
        ("shop", 'zh = "x"\n' + GOOD, r"\[zh\] may hold"),
        ("shop", f'system_prompt = "{"x" * (LONGEST + 1)}"\ngreeting = "y"\n', "4000 are the most"),
    ],
)
def test_a_mistake_names_the_file_and_what_to_write(folder: Path, name: str, text: str, said: str) -> None:
    (folder / f"{name}.toml").write_text(text)
    with pytest.raises(BadInput, match=said) as caught:
        persona(name)
    assert str(folder / f"{name}.toml") in str(caught.value)


def test_a_broken_file_takes_no_other_persona_away(folder: Path) -> None:
    (folder / "good.toml").write_text(GOOD)
    (folder / "shop.toml").write_text("system_prompt = ")
    (folder / "tutor.toml").write_text("system_prompt = ")
    assert persona_names() == ("assistant", "support", "writer", "good")
    assert persona("good").greeting == "y"
    assert own_personas(folder).keys() == {"good"}
    assert broken_personas(folder).keys() == {"shop", "tutor"}
    with pytest.raises(BadInput, match=r"tutor\.toml"):  # the shipped one would be a surprise
        persona("tutor")


def test_a_persona_may_ask_the_model_to_think(folder: Path) -> None:
    (folder / "shop.toml").write_text(GOOD)
    (folder / "judge.toml").write_text(GOOD + "thinks = true\n")
    assert {persona("judge", language).thinks for language in LANGUAGES} == {True}
    assert not persona("shop").thinks
    assert thinking_personas(folder) == ["judge"]


def test_a_file_that_is_no_text_is_named(folder: Path) -> None:
    (folder / "shop.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"shop\.toml is not a UTF-8 text file"):
        persona("shop")
