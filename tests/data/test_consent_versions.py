"""A yes to an older consent text covers what was said under that text, and is not a yes to what is done now."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from data import consent
from data.consent import CONSENT_VERSION, Cover, consents_since, covered, still_says
from data.schema import ConsentText, MessageVersion
from data.store import Store
from tests.data.talk import Talk


async def since(store: Store) -> dict[int, Cover]:
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


async def test_an_older_yes_still_covers_and_a_yes_to_the_new_text_does_not_move_its_beginning(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(consent, "CONSENT_VERSION", "2026-11")
        store = await Store.open(house)
        ada = await store.person("discord", "ada")
        await store.set_consent(ada, True, "2026-11")
        ((began,),) = (await since(store)).values()
        assert began.since <= datetime.now(UTC)
        assert began.until is None
        await store.close()
    store = await Store.open(house)
    (under_it,) = (await since(store))[ada]
    assert under_it.since == began.since
    assert under_it.until is not None
    await store.set_consent(ada, True, CONSENT_VERSION)
    first, second = (await since(store))[ada]
    assert first == under_it
    assert second.since >= under_it.until
    assert second.until is None
    await store.set_consent(ada, False, CONSENT_VERSION)
    assert await since(store) == {}
    await store.close()


async def test_a_yes_to_an_older_text_that_comes_late_covers_nothing(store: Store) -> None:
    ada = await store.person("discord", "ada")
    await store.set_consent(ada, True, "2026-11")  # a bot that was started before an update still shows it
    assert await since(store) == {}


async def test_a_text_that_was_only_reworded_is_not_asked_about_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await store.person("discord", "ada")
    await store.set_consent(ada, True, "2026-10")
    assert not await store.agrees(ada)
    monkeypatch.setattr(consent, "SAME_IN_SUBSTANCE", frozenset({"2026-10"}))
    assert await store.agrees(ada)
    assert still_says(CONSENT_VERSION)
    assert not still_says("2026-11")


async def texts(house: Path) -> list[str]:
    store = await Store.open(house)
    async with store.database.read() as session:
        found = list(await session.scalars(select(ConsentText.version).order_by(ConsentText.since)))
    await store.close()
    return found


async def test_the_start_of_a_new_text_is_recorded_and_that_of_a_rewording_is_not(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await texts(house) == [CONSENT_VERSION]
    assert await texts(house) == [CONSENT_VERSION]
    monkeypatch.setattr(consent, "CONSENT_VERSION", "2099-1")
    monkeypatch.setattr(consent, "SAME_IN_SUBSTANCE", frozenset({CONSENT_VERSION}))
    assert await texts(house) == [CONSENT_VERSION]
    monkeypatch.setattr(consent, "SAME_IN_SUBSTANCE", frozenset())
    assert await texts(house) == [CONSENT_VERSION, "2099-1"]


async def test_words_that_are_said_after_a_new_text_need_a_yes_to_that_text(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def says(text: str, agrees: bool | None = None) -> dict[str, bool]:
        """Ada says something, after an answer to the consent question if any; which of her texts are covered now."""
        store = await Store.open(house)
        talk = await Talk.begin(store)
        ada = await talk.person(agrees=None)
        if agrees is not None:
            await store.set_consent(ada, agrees, consent.CONSENT_VERSION)
        said = await talk.say(ada, text)
        spans = await since(store)
        async with store.database.read() as session:
            versions = list(await session.scalars(select(MessageVersion).order_by(MessageVersion.id)))
        assert versions[-1].id == said.version
        await store.close()
        return {str(version.text): covered(ada, version.created_at, spans) for version in versions}

    assert await says("before", True) == {"before": True}
    monkeypatch.setattr(consent, "CONSENT_VERSION", "2099-1")
    assert await says("unasked") == {"before": True, "unasked": False}
    assert await says("asked", True) == {"before": True, "unasked": False, "asked": True}
    assert await says("later") == {"before": True, "unasked": False, "asked": True, "later": True}
    assert not any((await says("refused", False)).values())


async def test_what_nobody_was_asked_about_is_erased_when_its_time_is_over(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(house)
    talk = await Talk.begin(store)
    ada = await talk.person()
    await talk.say(ada, "before")
    await store.close()
    monkeypatch.setattr(consent, "CONSENT_VERSION", "2099-1")
    store = await Store.open(house)
    await Talk(store, talk.platform, talk.conversation).say(ada, "unasked")
    assert await store.eraser.purge(datetime.now(UTC) + timedelta(seconds=1)) == 1
    async with store.database.read() as session:
        assert list(await session.scalars(select(MessageVersion.text).order_by(MessageVersion.id))) == [
            "before",
            None,
        ]
    await store.close()
