"""Follow-up messages become weak rows: of which weight, and beside what."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from data import candidates
from data.distance import distance
from data.imports import import_rows
from data.rows import Row, parse_row, read_rows, write_rows
from data.schema import MessageRow
from data.store import Store
from data.weights import WEAK
from tests.data.collected import dropped, model, prompt, rows
from tests.data.said_after import followed, in_fold, weak
from tests.data.talk import Talk

pytestmark = pytest.mark.usefixtures("followups_teach")


@pytest.mark.parametrize(
    ("said", "label"),
    [("thanks!", True), ("and then?", True), ("that's wrong", False), ("q", False), ("stop", False), ("不对", False)],
)
async def test_a_follow_up_is_a_labelled_completion_of_low_weight(talk: Talk, said: str, label: bool) -> None:
    await followed(talk, await talk.person(), said)
    found = await rows(talk.store)
    assert weak(found) == [{"prompt": prompt("q"), "completion": [model("a")], "label": label}]
    (row,) = found.of("labelled")
    assert 0 < row.extra["weight"] <= WEAK
    assert row.extra["source"] == "follow-up"
    assert found.followups is not None
    assert found.followups.total() == 1
    assert found.raters(weak=False) == set()


async def test_certain_ones_weigh_more_than_a_talk_that_only_goes_on(talk: Talk) -> None:
    ada = await talk.person()
    await followed(talk, ada, "thanks!", text="good")
    await followed(talk, ada, "what else?", question="other", text="fine")
    found = (await rows(talk.store)).of("labelled")
    weights = {row.data["completion"][0]["content"]: row.extra["weight"] for row in found}
    assert weights == pytest.approx({"good": 0.9 * WEAK, "fine": 0.2 * WEAK})


@pytest.mark.parametrize("kind", ["vote", "correction", "report"])
async def test_never_beside_a_rating_of_the_same_person(talk: Talk, kind: str) -> None:
    ada = await talk.person()
    answer = await followed(talk, ada, "thanks!")
    more = {"vote": {"value": "down"}, "correction": {"text": "better"}, "report": {}}[kind]
    await talk.rate(ada, kind, answer, **more)
    assert weak(await rows(talk.store)) == []


async def test_a_vote_that_was_taken_back_keeps_the_follow_up_out(talk: Talk) -> None:
    ada = await talk.person()
    answer = await followed(talk, ada, "thanks!")
    await talk.rate(ada, "vote", answer, value="up")
    await talk.rate(ada, "retraction", answer)
    found = await rows(talk.store)
    assert list(found.of("labelled")) == []


async def test_a_rating_by_somebody_else_decides(talk: Talk) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    answer = await followed(talk, ada, "thanks!")
    await talk.rate(ben, "vote", answer, value="down")
    found = await rows(talk.store)
    (row,) = found.of("labelled")
    assert (row.data["label"], row.extra["source"], row.extra["weight"]) == (False, "feedback", 1.0)
    assert dropped(found) == {"follow-up": {candidates.RATED: 1}}


async def test_a_report_without_consent_keeps_a_thanked_answer_from_being_learnt(talk: Talk) -> None:
    ada, eve = await talk.person("ada"), await talk.person("eve", agrees=False)
    thanked, blamed = await followed(talk, ada, "thanks"), await followed(talk, ada, "that's wrong", question="other")
    await talk.rate(eve, "report", thanked)
    await talk.rate(eve, "report", blamed)
    found = await rows(talk.store)
    assert [row["label"] for row in weak(found)] == [False]
    assert dropped(found) == {"follow-up": {candidates.REFUSED: 1}}


async def test_an_imported_row_with_the_same_content_comes_before_a_follow_up(talk: Talk) -> None:
    await followed(talk, await talk.person(), "thanks")
    row = {"prompt": prompt("q"), "completion": [model("a")], "label": True}
    await import_rows(talk.store, [parse_row(row, "labelled")])
    found = await rows(talk.store)
    (kept,) = found.of("labelled")
    assert kept.extra["weight"] == 1.0
    assert dropped(found) == {"follow-up": {candidates.DUPLICATE: 1}}


async def exported(talk: Talk, tmp_path: Path) -> list[Row]:
    """The rows of this store's follow-ups, as a file holds them."""
    ada = await talk.person()
    await followed(talk, ada, "thanks!")
    await followed(talk, ada, "that's wrong", question="other")
    write_rows(tmp_path / "rows.jsonl", (await rows(talk.store)).of("labelled"))
    return read_rows(tmp_path / "rows.jsonl")


async def test_exported_ones_are_follow_ups_where_they_are_imported(talk: Talk, tmp_path: Path) -> None:
    there = await exported(talk, tmp_path)
    there[0].extra["weight"] = 100  # whoever edited the file
    other = await Store.open(tmp_path / "other")
    await import_rows(other, there)
    found = await rows(other)
    assert len(weak(found)) == 2
    assert {row.extra["weight"] for row in found.of("labelled")} == {WEAK, there[1].extra["weight"]}
    assert there[1].extra["weight"] < WEAK
    await import_rows(talk.store, there)  # where they come from, what people say now counts
    assert dropped(await rows(talk.store)) == {"follow-up": {candidates.DUPLICATE: 2}}
    await other.close()


async def test_imported_ones_only_train_and_only_where_the_operator_lets_follow_ups_teach(
    talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = await exported(talk, tmp_path)
    other = await Store.open(tmp_path / "other")
    await import_rows(other, there)
    in_fold(monkeypatch, "gate")
    assert dropped(await rows(other)) == {"follow-up": {candidates.ONLY_TRAINS: 2}}
    in_fold(monkeypatch, "train")
    monkeypatch.delenv("PARLEY_FOLLOWUPS")
    found = await rows(other)
    assert list(found.rows) == []
    assert dropped(found) == {"follow-up": {candidates.NO_FOLLOWUPS: 2}}
    await other.close()


async def test_whoever_holds_enough_by_ratings_adds_nothing_and_only_raters_count_as_people(talk: Talk) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    (answer,) = await talk.ask(ada, "q", "a")
    await talk.rate(ada, "vote", answer, value="up")
    for person in (ada, ben):
        await followed(talk, person, "thanks", question=f"{person} asks")
    found = await rows(talk.store)
    assert len(weak(found)) == 1
    assert dropped(found) == {"follow-up": {candidates.FULL: 1}}
    assert next(part for part in distance(found).parts if part.name == "people").have == 1
    assert len(found.raters()) == 2


async def test_a_rating_of_a_copy_of_the_answer_decides_too(talk: Talk) -> None:
    ada = await talk.person()
    one, copy = await talk.ask(ada, "q", "a", "a")
    await talk.say(ada, "thanks", parent=one.message)
    await talk.rate(ada, "vote", copy, value="down")
    assert weak(await rows(talk.store)) == []


async def test_praise_of_ones_own_correction_says_nothing(talk: Talk) -> None:
    ada = await talk.person()
    (answer,) = await talk.ask(ada, "q", "bad")
    await talk.rate(ada, "correction", answer, text="good")
    await followed(talk, ada, "thanks!", question="q again", text="good")
    found = await rows(talk.store)
    assert weak(found) == []
    assert dropped(found) == {"follow-up": {candidates.SELF_VOTE: 1}}


async def test_a_moderators_void_keeps_follow_ups_out_too(talk: Talk) -> None:
    ada, max_ = await talk.person("ada"), await talk.person("max")
    answer = await followed(talk, ada, "thanks!")
    await talk.rate(max_, "void", answer)
    assert weak(await rows(talk.store)) == []


async def test_what_another_person_says_next_is_no_follow_up(talk: Talk) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    (answer,) = await talk.ask(ada, "q", "a")
    await talk.say(ben, "that's wrong", parent=answer.message)
    assert weak(await rows(talk.store)) == []
    await talk.say(ada, "thanks", parent=answer.message)
    assert [row["label"] for row in weak(await rows(talk.store))] == [True]


async def test_only_the_first_message_after_an_answer_counts_and_only_within_an_hour(talk: Talk) -> None:
    ada = await talk.person()
    answer = await followed(talk, ada, "thanks")
    await talk.say(ada, "that's wrong", parent=answer.message)
    late = await followed(talk, ada, "that's wrong", question="other")
    before = datetime.now(UTC) - timedelta(minutes=61)
    async with talk.store.database.write() as session:
        await session.execute(update(MessageRow).where(MessageRow.id == late.message).values(created_at=before))
    assert [row["label"] for row in weak(await rows(talk.store))] == [True]


@pytest.mark.parametrize("fold", ["judge_train", "judge", "gate"])
async def test_a_weak_row_only_trains(talk: Talk, monkeypatch: pytest.MonkeyPatch, fold: str) -> None:
    in_fold(monkeypatch, fold)
    await followed(talk, await talk.person(), "thanks")
    found = await rows(talk.store)
    assert weak(found) == []
    assert dropped(found) == {"follow-up": {candidates.ONLY_TRAINS: 1}}


async def test_follow_ups_use_what_ratings_leave_of_a_quota(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RATINGS_PER_PERSON", "2")
    ada = await talk.person()
    for number in range(2):
        await followed(talk, ada, "thanks", question=f"question {number}")
    (answer,) = await talk.ask(ada, "q", "a")
    await talk.rate(ada, "vote", answer, value="up")
    found = await rows(talk.store)
    assert len(weak(found)) == 1
    assert len(found.of("labelled")) == 2
    assert dropped(found) == {"follow-up": {candidates.OVER_QUOTA: 1}}


async def test_people_who_disagree_about_the_same_answer_make_no_row(talk: Talk) -> None:
    ada, ben = await talk.person("ada"), await talk.person("ben")
    await followed(talk, ada, "thanks")
    await followed(talk, ben, "that's wrong")
    found = await rows(talk.store)
    assert weak(found) == []
    assert dropped(found) == {"follow-up": {candidates.CONTRADICTED: 1}}


@pytest.mark.played
async def test_votes_weigh_the_same_with_follow_ups_and_without_and_come_first(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await talk.person(name) for name in ("ada", "ben", "cid")]
    for person in people:
        for number in range(person):
            (answer,) = await talk.ask(person, f"{person} asks {number}", "a")
            await talk.rate(person, "vote", answer, value="up")
        for number in range(3):
            await followed(talk, person, "thanks", question=f"{person} says {number}")
    with_them = (await rows(talk.store)).of("labelled")
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "0")
    without = list((await rows(talk.store)).of("labelled"))
    assert list(with_them)[: len(without)] == without
    assert len(with_them) > len(without)
    assert {row.extra["source"] for row in with_them[len(without) :]} == {"follow-up"}
