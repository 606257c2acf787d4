"""The answer after a complaint over the one before it, as a weak preference: of which weight, and what voids it."""

from typing import Any

import pytest
from sqlalchemy import update

from data import candidates, consent, hindsight_events
from data.collected import Collected
from data.consent import CONSENT_VERSION
from data.home import installation_key
from data.imports import import_rows
from data.row_ids import rows_of
from data.schema import MessageVersion
from data.store import Store, StoredGeneration
from data.weights import WEAK
from tests.data.collected import dropped, model, prompt, rows
from tests.data.said_after import in_fold
from tests.data.talk import Talk

LONG = "A region of space whose gravity is so strong that nothing, not even light, can ever leave it again."
SHORT = "A region that nothing leaves."
ASKED = "What is a black hole?"


@pytest.fixture(autouse=True)
def _teach(followups_teach: None) -> None:
    """The operator lets follow-ups teach."""


async def complained(
    talk: Talk,
    person: int,
    said: str = "no, shorter",
    question: str = ASKED,
    first: str = LONG,
    then: str = SHORT,
    ids: tuple[str | None, str | None] = (None, None),
) -> tuple[StoredGeneration, StoredGeneration]:
    """A question, an answer, a complaint and another answer; returns the answers. `ids` are the messages'."""
    asked = await talk.say(person, question, platform_id=ids[0])
    answer = await talk.answer(asked, first)
    complaint = await talk.say(person, said, parent=answer.message, platform_id=ids[1])
    return answer, await talk.answer(complaint, then)


def pairs(collected: Collected) -> list[dict[str, Any]]:
    return [row.data for row in collected.of("preference") if row.extra["source"] == candidates.FOLLOWUP]


@pytest.mark.parametrize(
    ("said", "question", "first", "then", "weight"),
    [
        ("no, shorter", ASKED, LONG, SHORT, 0.7 * WEAK),
        ("that's wrong", "The plural of ox?", "Oxes.", "Oxen.", 0.9 * WEAK / 2),
        (
            "太长了",
            "什么是黑洞？",
            "引力极强的区域，连光也逃不出去，恒星坍缩而成。",
            "连光也逃不出的区域。",
            0.7 * WEAK,
        ),
        ("不对", "澳大利亚的首都是哪里？", "悉尼。", "堪培拉。", 0.9 * WEAK / 2),
    ],
)
async def test_the_answer_after_a_complaint_is_preferred_in_reply_to_the_question(
    talk: Talk, said: str, question: str, first: str, then: str, weight: float
) -> None:
    await complained(talk, await talk.person(), said, question, first, then)
    found = await rows(talk.store)
    assert pairs(found) == [{"prompt": prompt(question), "chosen": [model(then)], "rejected": [model(first)]}]
    (row,) = found.of("preference")
    assert row.extra["weight"] == pytest.approx(weight)
    assert row.extra["source"] == "follow-up"
    (blamed,) = [row for row in found.of("labelled") if row.data["completion"] == [model(first)]]
    assert row.extra["weight"] <= blamed.extra["weight"] <= WEAK
    assert (found.mended, found.raters(weak=False)) == (1, set())


async def test_nothing_is_even_looked_at_without_the_operators_setting(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await complained(talk, await talk.person())
    monkeypatch.delenv("PARLEY_FOLLOWUPS")

    def never(*_: object) -> float:
        raise AssertionError

    monkeypatch.setattr(hindsight_events, "mended", never)
    found = await rows(talk.store)
    assert (pairs(found), found.mended, dropped(found)) == ([], 0, {})


async def test_a_pair_only_trains(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await complained(talk, await talk.person())
    for fold in ("judge_train", "judge", "gate"):
        in_fold(monkeypatch, fold)
        found = await rows(talk.store)
        assert pairs(found) == []
        assert dropped(found)["follow-up"] == {candidates.ONLY_TRAINS: 2}


async def test_the_system_prompt_and_what_was_said_before_stay_in_the_prompt(talk: Talk) -> None:
    ada = await talk.person()
    (before,) = await talk.ask(ada, "Hello", "Hello, what is it?")
    asked = await talk.say(ada, ASKED, parent=before.message)
    answer = await talk.answer(asked, LONG)
    await talk.answer(await talk.say(ada, "shorter please", parent=answer.message), SHORT)
    (pair,) = pairs(await rows(talk.store))
    assert [message["content"] for message in pair["prompt"][1:]] == ["Hello", "Hello, what is it?", ASKED]


async def test_an_answer_that_does_not_mend_the_complaint_is_counted(talk: Talk) -> None:
    await complained(talk, await talk.person(), then="Sorry! A region that nothing leaves.")
    found = await rows(talk.store)
    assert pairs(found) == []
    assert dropped(found) == {"follow-up": {candidates.NOT_MENDED: 1}}


@pytest.mark.parametrize("said", ["still too long", "that's wrong", "stop", ASKED, "no, shorter"])
@pytest.mark.parametrize("whose", ["ada", "ben"])
async def test_another_complaint_below_the_new_answer_voids_the_pair(talk: Talk, said: str, whose: str) -> None:
    _, newer = await complained(talk, await talk.person("ada"))
    await talk.say(await talk.person(whose), said, parent=newer.message)
    assert pairs(await rows(talk.store)) == []


async def test_thanks_below_the_new_answer_do_not(talk: Talk) -> None:
    ada = await talk.person()
    _, newer = await complained(talk, ada)
    await talk.say(ada, "thanks!", parent=newer.message)
    assert len(pairs(await rows(talk.store))) == 1


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("whose", ["ada", "ben"])
@pytest.mark.parametrize(
    ("kind", "more"),
    [("vote", {"value": "down"}), ("vote", {"value": "up"}), ("correction", {"text": "better"}), ("report", {})],
)
async def test_a_rating_of_either_answer_voids_the_pair(
    talk: Talk, which: int, whose: str, kind: str, more: dict[str, str]
) -> None:
    both = await complained(talk, await talk.person("ada"))
    await talk.rate(await talk.person(whose), kind, both[which], **more)
    assert pairs(await rows(talk.store)) == []


@pytest.mark.parametrize("which", [0, 1])
async def test_a_vote_that_was_taken_back_and_a_moderators_void_do_too(talk: Talk, which: int) -> None:
    ada = await talk.person()
    both = await complained(talk, ada)
    await talk.rate(ada, "vote", both[which], value="up")
    await talk.rate(ada, "retraction", both[which])
    other = await complained(talk, ada, question="And a white hole?")
    await talk.rate(await talk.person("max"), "void", other[which])
    assert pairs(await rows(talk.store)) == []


async def test_a_report_without_consent_and_a_vote_for_the_same_words_elsewhere_void_it(talk: Talk) -> None:
    ada = await talk.person()
    _, newer = await complained(talk, ada)
    await talk.rate(await talk.person("eve", agrees=False), "report", newer)
    await complained(talk, ada, question="And a white hole?")
    (same,) = await talk.ask(ada, "And a white hole?", SHORT)  # the new answer's words, in reply to the question
    await talk.rate(ada, "vote", same, value="down")
    found = await rows(talk.store)
    assert pairs(found) == []
    assert dropped(found)["follow-up"][candidates.REFUSED] == 2


async def test_somebody_who_praises_the_first_answer_voids_it(talk: Talk) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    await complained(talk, ada)
    (same,) = await talk.ask(ben, ASKED, LONG)
    await talk.say(ben, "thanks, perfect", parent=same.message)
    assert pairs(await rows(talk.store)) == []


async def test_a_second_answer_to_the_complaint_voids_it(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, ASKED, LONG)
    complaint = await talk.say(ada, "no, shorter", parent=answer.message)
    for text in (SHORT, "A hole."):
        await talk.answer(complaint, text)
    assert pairs(await rows(talk.store)) == []


@pytest.mark.parametrize("more", [{"system_prompt": "You are somebody else."}, {"finish": "length"}])
async def test_an_unfinished_answer_or_another_persona_makes_no_pair(talk: Talk, more: dict[str, str]) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, ASKED, LONG)
    await talk.answer(await talk.say(ada, "no, shorter", parent=answer.message), SHORT, **more)
    assert pairs(await rows(talk.store)) == []


async def test_an_answer_that_was_given_something_else_makes_no_pair(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, ASKED, LONG)
    picture = await talk.say(ada, "a text in an attachment")
    complaint = await talk.say(ada, "no, shorter", parent=answer.message)
    context = (answer.version - 1, answer.version, picture.version, complaint.version)
    await talk.answer(complaint, SHORT, context=context)
    found = await rows(talk.store)
    assert pairs(found) == []
    assert dropped(found) == {"follow-up": {candidates.NOT_MENDED: 1}}


@pytest.mark.parametrize("which", ["1", "2"])
@pytest.mark.parametrize("change", ["edit", "erase"])
async def test_an_edit_or_erasure_of_the_question_or_the_complaint_voids_it(
    talk: Talk, which: str, change: str
) -> None:
    await complained(talk, await talk.person(), ids=("1", "2"))
    (exported,) = (await rows(talk.store)).of("preference")
    if change == "edit":
        await talk.store.edit_message("terminal", which, "much shorter please")
    else:
        await talk.store.eraser.erase_message("terminal", which)
        assert (await import_rows(talk.store, [exported])).erased == 1
    assert list((await rows(talk.store)).of("preference")) == []


async def test_only_a_yes_to_a_text_that_names_follow_ups_covers_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent, "CONSENT_VERSION", "2026-11-3")
    ada = await talk.person(agrees=None)
    await talk.store.set_consent(ada, True, "2026-11-3")
    await complained(talk, ada)
    assert pairs(await rows(talk.store)) == []


async def test_a_yes_to_a_text_that_names_the_weak_rating_alone_makes_no_pair(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(consent, "CONSENT_VERSION", "2026-11-4")
        ada = await talk.person(agrees=None)
        await talk.store.set_consent(ada, True, "2026-11-4")
        await complained(talk, ada)
        found = await rows(talk.store)
        assert (pairs(found), len(list(found.of("labelled")))) == ([], 1)
        assert dropped(found)["follow-up"] == {candidates.NO_CONSENT: 1}
    await talk.store.set_consent(ada, True, CONSENT_VERSION)
    assert pairs(await rows(talk.store)) == []  # it does not reach back
    await complained(talk, ada, question="What is a white hole?")
    assert len(pairs(await rows(talk.store))) == 1


async def test_whoever_takes_their_yes_back_voids_it(talk: Talk) -> None:
    ada = await talk.person()
    await complained(talk, ada)
    await talk.store.set_consent(ada, False, CONSENT_VERSION)
    assert pairs(await rows(talk.store)) == []


async def test_forwarded_words_are_not_a_complaint(talk: Talk) -> None:
    _, newer = await complained(talk, await talk.person())
    async with talk.store.database.write() as session:
        change = update(MessageVersion).where(MessageVersion.id == newer.version - 1).values(author_id=None)
        await session.execute(change)
    assert pairs(await rows(talk.store)) == []


@pytest.mark.played
async def test_forgetting_somebody_erases_the_copies_of_their_pairs_for_good(talk: Talk) -> None:
    ada = await talk.person()
    await complained(talk, ada)
    (exported,) = (await rows(talk.store)).of("preference")
    async with talk.store.database.read() as session:
        assert exported.id in await rows_of(session, installation_key(talk.store.database.path.parent), ada)
    await talk.store.eraser.forget(ada)
    assert (await import_rows(talk.store, [exported])).erased == 1
    assert list((await rows(talk.store)).of("preference")) == []


async def test_an_exported_pair_holds_only_while_it_is_made(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    await complained(talk, await talk.person())
    (exported,) = (await rows(talk.store)).of("preference")
    await import_rows(talk.store, [exported])
    assert len((await rows(talk.store)).of("preference")) == 1
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "0")
    found = await rows(talk.store)
    assert list(found.of("preference")) == []
    assert dropped(found) == {"follow-up": {candidates.NO_FOLLOWUPS: 1}}


async def test_nothing_from_discord_without_its_permission(store: Store) -> None:
    talk = await Talk.begin(store, "discord", "11:1")
    await complained(talk, await talk.person())
    assert pairs(await rows(store)) == []
    assert len(pairs(await rows(store, permission="a letter"))) == 1


async def test_comparisons_weigh_the_same_with_pairs_and_whoever_holds_enough_by_them_adds_nothing(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    one, other = await talk.ask(ada, "q", "a", "b")
    await talk.rate(ada, "comparison", one, other=other, value="a")
    for person in (ada, ben):
        await complained(talk, person, question=f"What is number {person}?")
    found = await rows(talk.store)
    assert [pair["prompt"] for pair in pairs(found)] == [prompt(f"What is number {ben}?")]
    assert dropped(found)["follow-up"] == {candidates.FULL: 1}
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "0")
    without = list((await rows(talk.store)).of("preference"))
    assert list(found.of("preference"))[:1] == without
