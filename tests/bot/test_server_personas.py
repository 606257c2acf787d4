"""Which personas a server can keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.server_personas import (
    DEFAULT,
    MOST,
    Unusable,
    check_name,
    read,
    tidy,
    with_persona,
    without_persona,
)
from bot.texts import EN, ZH
from data.personas import LONGEST, LONGEST_GREETING, PERSONAS, Persona


@given(st.text(max_size=50))
def test_a_name_that_is_kept_can_be_typed_and_fits_into_a_buttons_id(name):
    name = tidy(name)
    try:
        check_name(name, {}, EN)
    except Unusable:
        return
    assert 1 <= len(name) <= 32
    assert not set(name) & set(" :\n<@`*")
    assert name not in (*PERSONAS, DEFAULT)
    assert tidy(name) == name


@pytest.mark.parametrize("name", [*PERSONAS, DEFAULT, tidy(" Tutor ")])
def test_a_shipped_personas_name_is_taken(name):
    with pytest.raises(Unusable, match=name):
        check_name(name, {}, EN)


@pytest.mark.parametrize("name", ["", "two words", "a:b", "x" * 33, "@everyone"])
def test_a_name_that_cannot_be_used_gives_a_sentence(name):
    with pytest.raises(Unusable) as error:
        check_name(name, {}, ZH)
    assert str(error.value) == ZH.persona_name


def test_a_server_has_a_limited_number_and_may_rewrite_each():
    own = None
    for number in range(MOST):
        own = with_persona(own, f"p{number}", "text", "", EN)
    with pytest.raises(Unusable, match=str(MOST)):
        with_persona(own, "one_more", "text", "", EN)
    assert with_persona(own, "p0", " other ", "hi", EN)["p0"] == {"system_prompt": "other", "greeting": "hi"}
    assert len(without_persona(own, "p0", EN) or {}) == MOST - 1


@pytest.mark.parametrize(
    ("prompt", "greeting"), [(" \n", "hi"), ("x" * (LONGEST + 1), ""), ("x", "y" * (LONGEST_GREETING + 1))]
)
def test_a_text_that_cannot_be_kept_gives_a_sentence(prompt, greeting):
    with pytest.raises(Unusable, match="Nothing was kept"):
        with_persona({}, "pirate", prompt, greeting, EN)


def test_only_a_servers_own_are_deleted():
    own = with_persona(None, "pirate", "text", "", EN)
    assert without_persona(own, "pirate", EN) is None
    with pytest.raises(Unusable, match="Did you mean pirate"):
        without_persona(own, "pirat", EN)
    with pytest.raises(Unusable, match="是不是 pirate"):
        without_persona(own, "pirat", ZH)
    with pytest.raises(Unusable, match="comes with the bot"):
        without_persona(own, "tutor", EN)


def test_a_servers_personas_are_like_the_shipped_ones():
    own = with_persona(None, "pirate", "Speak like a pirate.", "Ahoy!", EN)
    assert read(own, "zh") == {"pirate": Persona("pirate", "zh", "Speak like a pirate.", "Ahoy!")}
    assert read(None, "en") == {}
