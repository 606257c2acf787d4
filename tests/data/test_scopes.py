"""The most specific place that has a value wins."""

from hypothesis import given
from hypothesis import strategies as st

from data.scopes import resolve
from data.store import Store

PLACES = [("channel", "3"), ("channel", "2"), ("server", "1")]


@given(st.dictionaries(st.sampled_from([*PLACES, ("channel", "1")]), st.integers()))
def test_the_first_place_of_the_chain_with_a_value_wins(said):
    wanted = [said[place] for place in PLACES if place in said]
    assert resolve(said, PLACES, "default") == (wanted[0] if wanted else "default")


async def test_a_setting_is_stored_for_its_place_and_can_be_removed(store: Store) -> None:
    await store.set_setting("persona", ("server", "1"), "tutor")
    await store.set_setting("persona", ("channel", "1"), "writer")  # another kind of place with the same id
    assert await store.setting("persona", PLACES) == "tutor"
    await store.set_setting("persona", PLACES[1], "support")
    assert await store.setting("persona", PLACES) == "support"
    await store.set_setting("persona", PLACES[1], None)
    assert await store.setting("persona", PLACES) == "tutor"
    assert await store.setting("other", PLACES, 5) == 5
