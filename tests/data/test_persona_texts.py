"""A server's personas are their authors' words: for consent, for forgetting, for export."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from data import schema
from data.database import NAME
from data.datasets import ERASED, NO_CONSENT, Collected
from data.imports import collect_rows
from data.persona_texts import PERSONAS_HERE, with_author
from data.store import Store, StoredGeneration
from tests.data.talk import Talk

PROMPT = "You are Boss. Call me at +49 170 5551234."
SENT = "You are Boss. < |im_end|>"  # as an engine with such a control string gets it
PLACE = ("server", "11")


def words_on_disk(house: Path, words: str) -> bool:
    return any(words.encode() in path.read_bytes() for path in house.glob(f"{NAME}*"))


@pytest.fixture
async def served(store: Store) -> Talk:
    await store.set_may_teach("discord", "11", True)
    return await Talk.begin(store, "discord", server=await store.server("discord", "11"))


async def write(store: Store, author: int | None, prompt: str = PROMPT, name: str = "boss") -> None:
    def change(own: Any) -> Any:
        own = own or {}
        text = {"system_prompt": prompt, "greeting": "Boss greets."}
        return {**own, name: {**text, "authors": with_author(own.get(name), author)}}

    await store.change_setting(PERSONAS_HERE, PLACE, change)


async def taught(talk: Talk, rater: int, prompt: str = PROMPT) -> StoredGeneration:
    said = await talk.say(rater, "q")
    answer = await talk.answer(said, f"ok: {prompt}", system_prompt=prompt)
    await talk.rate(rater, "correction", answer, text="better")
    return answer


async def collected(talk: Talk) -> Collected:
    return await collect_rows(talk.store, discord_permission="REF")


@pytest.mark.parametrize(("agrees", "leaves"), [(True, True), (False, False), (None, False)])
async def test_a_row_needs_the_consent_of_who_wrote_its_persona(
    served: Talk, agrees: bool | None, leaves: bool
) -> None:
    await write(served.store, await served.person("boss", agrees=agrees))
    await taught(served, await served.person("ada"))
    found = await collected(served)
    assert bool(found.rows) is leaves
    if not leaves:
        assert found.dropped_counts() == {kind: {NO_CONSENT: 1} for kind in ("demonstration", "preference", "prompt")}


async def test_a_persona_of_an_unknown_author_counts_as_refused(served: Talk) -> None:
    await served.store.set_setting(PERSONAS_HERE, PLACE, {"boss": {"system_prompt": PROMPT, "greeting": ""}})
    await taught(served, await served.person("ada"))
    assert (await collected(served)).rows == []


async def test_consent_given_after_the_persona_was_written_does_not_reach_back(served: Talk) -> None:
    boss, ada = await served.person("boss", agrees=None), await served.person("ada")
    await write(served.store, boss)
    await served.store.set_consent(boss, True)
    await taught(served, ada)
    assert (await collected(served)).rows == []
    await write(served.store, boss)  # the same words again
    await taught(served, ada)
    assert (await collected(served)).rows != []


@pytest.mark.played
async def test_everybody_who_rewrote_a_persona_must_agree(served: Talk) -> None:
    boss, max_ = await served.person("boss"), await served.person("max", agrees=False)
    await write(served.store, boss)
    await write(served.store, max_, f"{PROMPT} Be brief.")
    ada = await served.person("ada")
    await taught(served, ada, f"{PROMPT} Be brief.")
    assert (await collected(served)).rows == []
    await taught(served, ada)  # an answer that was under way when the persona was rewritten
    assert (await collected(served)).rows != []


async def test_the_text_is_known_as_the_model_got_it_and_only_on_its_server(
    served: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_TEACHING_SERVERS", "11,12")
    await write(served.store, await served.person("boss", agrees=False), "You are Boss. <|im_end|>")
    ada = await served.person("ada")
    await taught(served, ada, SENT)
    assert (await collected(served)).rows == []
    other = await Talk.begin(served.store, "discord", "elsewhere", server=await served.store.server("discord", "12"))
    await served.store.set_may_teach("discord", "12", True)
    await taught(other, ada, SENT)
    assert (await collected(served)).rows != []


@pytest.mark.played
async def test_forgetting_the_author_erases_the_persona_and_the_answers_under_it(served: Talk, house: Path) -> None:
    store = served.store
    boss, max_, ada = [await served.person(name) for name in ("boss", "max", "ada")]
    await write(store, boss)
    await write(store, max_, "You are brief.", "brief")
    await taught(served, ada)
    await taught(served, ada, "You are brief.")
    assert (await store.eraser.forget(boss)) == 2  # the answer, and the correction of it
    assert not words_on_disk(house, "5551234")
    assert set(await store.setting(PERSONAS_HERE, [PLACE])) == {"brief"}
    found = await collected(served)
    assert {row.data["prompt"][0]["content"] for row in found.of("demonstration")} == {"You are brief."}
    assert found.dropped["demonstration"] == {ERASED: 1}
    assert (await store.kept_of(boss))["personas"] == []


async def test_the_export_hands_personas_to_their_author(served: Talk) -> None:
    boss, max_ = await served.person("boss"), await served.person("max")
    await write(served.store, boss)
    await write(served.store, max_, "You are brief.", "brief")
    written, greeting = (await served.store.kept_of(boss))["personas"]
    assert (written["server"], written["system_prompt"]) == ("11", PROMPT)
    assert greeting == {"server": "11", "name": "boss", "greeting": "Boss greets."}


async def test_a_text_that_nobody_was_answered_under_goes_after_it_was_replaced(served: Talk, house: Path) -> None:
    boss = await served.person("boss")
    await write(served.store, boss, "You are a draft.")
    await write(served.store, boss)
    await served.store.eraser.purge(datetime.now(UTC) - timedelta(days=1))
    assert words_on_disk(house, "You are a draft.")  # an answer under it may be under way
    await served.store.eraser.purge(datetime.now(UTC) + timedelta(days=1))
    assert not words_on_disk(house, "You are a draft.")
    async with served.store.database.read() as session:
        assert (await session.scalars(select(schema.SystemPrompt.text))).all() == [PROMPT]
