"""Who agreed to an older text is covered for what they said under it, and has not agreed to what is done now."""

from datetime import UTC, datetime

import pytest

from data import consent
from data.consent import CONSENT_VERSION, consents_since, still_says
from data.store import Store


async def since(store: Store) -> dict[int, datetime]:
    async with store.database.read() as session:
        return await consents_since(session)


async def test_only_the_last_answer_counts_and_only_to_a_text_that_says_what_is_done(store: Store) -> None:
    ada = await store.person("discord", "ada")
    assert not await store.agrees(ada)
    for granted, version, agrees in (
        (True, CONSENT_VERSION, True),
        (False, CONSENT_VERSION, False),
        (True, "2026-11", False),
        (True, CONSENT_VERSION, True),
        (True, "a text of the future", False),
    ):
        await store.set_consent(ada, granted, version)
        assert await store.agrees(ada) is agrees


async def test_an_older_yes_still_covers_and_a_yes_to_the_new_text_does_not_move_its_beginning(store: Store) -> None:
    ada = await store.person("discord", "ada")
    await store.set_consent(ada, True, "2026-11")
    began = (await since(store))[ada]
    assert began <= datetime.now(UTC)
    await store.set_consent(ada, True, CONSENT_VERSION)
    assert await since(store) == {ada: began}
    await store.set_consent(ada, False, CONSENT_VERSION)
    assert await since(store) == {}


async def test_a_text_that_was_only_put_differently_is_not_asked_about_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await store.person("discord", "ada")
    await store.set_consent(ada, True, "2026-10")
    assert not await store.agrees(ada)
    monkeypatch.setattr(consent, "SAME_IN_SUBSTANCE", frozenset({"2026-10"}))
    assert await store.agrees(ada)
    assert still_says(CONSENT_VERSION)
    assert not still_says("2026-11")
