"""Who is answered where: the decision alone, without Discord."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.access import ALLOW, BLOCK, MOST, Access, TooMany, Who, decide, read, sentence, stored, with_entry
from bot.texts import EN, ZH

PLACES = [("channel", "4"), ("channel", "3"), ("channel", "2"), ("server", "1")]  # thread, channel, category, server
ADA = Who("7", ["8", "9"])
PEOPLE = [("user", "7"), ("role", "8"), ("role", "9"), ("user", "70"), ("role", "80")]
verdicts = st.sampled_from([ALLOW, BLOCK])
lists = st.dictionaries(st.sampled_from([*PEOPLE, *PLACES, ("channel", "30")]), verdicts)


@given(lists)
def test_blocks_of_people_count_first_then_the_most_specific_place_then_the_list_of_people(said):
    theirs = [said[name] for name in PEOPLE[:3] if name in said]
    places = [said[place] for place in PLACES if place in said]
    if BLOCK in theirs:
        wanted = Access.PERSON
    elif places and places[0] == BLOCK:
        wanted = Access.PLACE
    elif ALLOW in [said.get(name) for name in PEOPLE] and not theirs:
        wanted = Access.UNLISTED
    else:
        wanted = Access.GIVEN
    assert decide(said, ADA, PLACES) is wanted


@given(lists)
def test_managers_are_never_locked_out(said):
    assert decide(said, Who("7", ["8", "9"], manager=True), PLACES) is Access.GIVEN


@given(lists)
def test_a_list_is_kept_as_a_setting(said):
    assert read(stored(said)) == said


@given(lists, st.sampled_from([*PEOPLE, *PLACES]), st.none() | verdicts)
def test_an_entry_replaces_what_was_said_and_nothing_else(said, entry, verdict):
    changed = with_entry(said, entry, verdict)
    assert changed.get(entry) == verdict
    assert {name: value for name, value in changed.items() if name != entry} == {
        name: value for name, value in said.items() if name != entry
    }


def test_a_full_list_takes_changes_but_no_more_entries():
    said = {("user", str(number)): BLOCK for number in range(MOST)}
    with pytest.raises(TooMany):
        with_entry(said, ("user", "new"), BLOCK)
    assert with_entry(said, ("user", "0"), ALLOW)["user", "0"] == ALLOW
    assert len(with_entry(said, ("user", "0"), None)) == MOST - 1


def test_every_refusal_has_a_sentence_of_its_own():
    why = [verdict for verdict in Access if verdict is not Access.GIVEN]
    for words in (EN, ZH):
        assert len({sentence(words, verdict) for verdict in why}) == len(why)
