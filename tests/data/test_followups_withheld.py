"""Follow-up messages that may teach nothing: without consent or permission, erased, edited or forgotten."""

import pytest
from sqlalchemy import update

from data import candidates, consent
from data.consent import CONSENT_VERSION
from data.home import installation_key
from data.imports import import_rows
from data.row_ids import rows_of
from data.schema import MessageVersion
from data.standings import set_standing
from data.store import Store
from tests.data.collected import dropped, rows
from tests.data.said_after import followed, weak
from tests.data.talk import Talk

pytestmark = pytest.mark.usefixtures("followups_teach")


async def test_nothing_without_the_operators_setting(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await followed(talk, await talk.person(), "thanks!")
    monkeypatch.delenv("PARLEY_FOLLOWUPS")
    found = await rows(talk.store)
    assert (weak(found), found.followups, dropped(found)) == ([], None, {})


async def test_a_yes_to_an_older_text_does_not_cover_follow_ups(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "CONSENT_VERSION", "2026-11-3")
    ada = await talk.person(agrees=None)
    await talk.store.set_consent(ada, True, "2026-11-3")
    await followed(talk, ada, "thanks!")
    found = await rows(talk.store)
    assert weak(found) == []
    assert dropped(found)["follow-up"] == {candidates.NO_CONSENT: 1}
    assert len(found.of("prompt")) == 1  # what they did agree to


async def test_follow_ups_from_before_the_yes_do_not_count(talk: Talk) -> None:
    ada = await talk.person(agrees=None)
    await followed(talk, ada, "thanks!")
    await talk.store.set_consent(ada, True, CONSENT_VERSION)
    assert weak(await rows(talk.store)) == []
    await followed(talk, ada, "thanks!", question="later")
    assert len(weak(await rows(talk.store))) == 1
    await talk.store.set_consent(ada, False, CONSENT_VERSION)
    assert weak(await rows(talk.store)) == []


async def test_forwarded_words_are_not_the_persons_own(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "a")
    said = await talk.say(ada, "thanks", parent=answer.message)
    async with talk.store.database.write() as session:
        unknown = update(MessageVersion).where(MessageVersion.id == said.version).values(author_id=None)
        await session.execute(unknown)
    assert weak(await rows(talk.store)) == []


async def test_a_weak_row_is_gone_for_good_with_its_question(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "q", platform_id="4")
    answer = await talk.answer(said, "a")
    await talk.say(ada, "thanks", parent=answer.message)
    (exported,) = (await rows(talk.store)).of("labelled")
    await talk.store.eraser.erase_message("terminal", "4")
    assert (await import_rows(talk.store, [exported])).erased == 1
    assert list((await rows(talk.store)).of("labelled")) == []


async def test_an_edit_changes_what_a_follow_up_says_and_erasure_removes_it(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "a")
    await talk.say(ada, "thanks", parent=answer.message, platform_id="5")
    assert [row["label"] for row in weak(await rows(talk.store))] == [True]
    await talk.store.edit_message("terminal", "5", "that's wrong")
    assert [row["label"] for row in weak(await rows(talk.store))] == [False]
    await talk.store.eraser.erase_message("terminal", "5")
    found = await rows(talk.store)
    assert (weak(found), found.followups) == ([], {})


async def test_an_edited_question_takes_its_row_along(talk: Talk) -> None:
    ada = await talk.person()
    said = await talk.say(ada, "q", platform_id="4")
    answer = await talk.answer(said, "a")
    await talk.say(ada, "thanks", parent=answer.message)
    await talk.store.edit_message("terminal", "4", "another q")
    found = await rows(talk.store)
    assert weak(found) == []
    assert dropped(found)["follow-up"] == {candidates.EDITED: 1}


@pytest.mark.played
async def test_forgetting_somebody_erases_the_copies_of_their_weak_rows_for_good(talk: Talk) -> None:
    ada = await talk.person()
    await followed(talk, ada, "thanks")
    (exported,) = (await rows(talk.store)).of("labelled")
    async with talk.store.database.read() as session:
        key = installation_key(talk.store.database.path.parent)
        assert exported.id in await rows_of(session, key, ada)
    await talk.store.eraser.forget(ada)
    assert (await import_rows(talk.store, [exported])).erased == 1
    assert list((await rows(talk.store)).of("labelled")) == []


async def test_an_exported_weak_row_holds_only_while_people_say_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await talk.person()
    await followed(talk, ada, "thanks")
    (exported,) = (await rows(talk.store)).of("labelled")
    await import_rows(talk.store, [exported])
    assert len((await rows(talk.store)).of("labelled")) == 1
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "0")
    found = await rows(talk.store)
    assert list(found.of("labelled")) == []
    assert dropped(found) == {"follow-up": {candidates.NO_FOLLOWUPS: 1}}


async def test_places_that_may_not_teach_unfinished_answers_and_voided_people(talk: Talk) -> None:
    ada, eve = await talk.person("ada"), await talk.person("eve")
    (answer,) = [await talk.answer(await talk.say(ada, "q"), "a", finish="stopped")]
    await talk.say(ada, "thanks", parent=answer.message)
    await followed(talk, eve, "thanks", question="other")
    async with talk.store.database.write() as session:
        await set_standing(session, eve, "void")
    server = await talk.store.server("discord", "7")
    there = await Talk.begin(talk.store, "discord", "11:1", server=server)
    await followed(there, await there.person("cid"), "thanks", question="third")
    found = await rows(talk.store, permission="a letter")
    assert weak(found) == []
    reasons = {candidates.UNFINISHED: 1, candidates.VOIDED: 1, candidates.NOT_HERE: 1}
    assert dropped(found)["follow-up"] == reasons


async def test_nothing_from_discord_without_its_permission(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "11:1")
    await followed(talk, await talk.person(), "thanks")
    found = await rows(store)
    assert weak(found) == []
    assert dropped(found)["follow-up"] == {candidates.NO_PERMISSION: 1}
    assert len(weak(await rows(store, permission="a letter"))) == 1


async def test_what_is_said_on_discord_about_a_copy_of_the_answer_needs_its_permission(talk: Talk) -> None:
    await talk.ask(await talk.person(), "q", "a")
    discord = await Talk.begin(talk.store, "discord", "direct")
    await followed(discord, await discord.person("dan"), "that's wrong")
    without, found = await rows(talk.store), await rows(talk.store, permission="a letter")
    assert weak(without) == []
    assert without.followups is not None
    assert without.followups.total() == 0
    assert [row["label"] for row in weak(found)] == [False]


async def test_what_is_said_about_a_copy_of_the_answer_where_nobody_may_teach_does_not_count(talk: Talk) -> None:
    await talk.ask(await talk.person(), "q", "a")
    server = await talk.store.server("discord", "7")
    hushed = await Talk.begin(talk.store, "discord", "11:1", server=server)
    await followed(hushed, await hushed.person("eve"), "thanks")
    found = await rows(talk.store, permission="a letter")
    assert weak(found) == []
    assert dropped(found)["follow-up"] == {candidates.NOT_HERE: 1}
