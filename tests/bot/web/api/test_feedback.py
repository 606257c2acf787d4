"""Feedback by the ids of completions: what is kept of it, by whom, how it is taken back, and whose ids it reaches."""

import asyncio
from typing import Any

import pytest

from bot.texts import EN
from data import schema
from data.imports import collect_rows
from tests.bot.moderation.flagged import SLUR
from tests.bot.web.api.world import Program, error
from tests.bot.web.world import World

pytestmark = pytest.mark.played

ADA: dict[str, Any] = {"user": "ada", "consent": True}


async def answered(program: Program, *messages: str, said: str = "What?", **body: Any) -> str:
    """The id of an answer to a user who agreed."""
    program.page.fake.answer(said)
    return (await program.answer(*(messages or ("Hi",)), **{**ADA, **body}))["id"]


async def labelled(page: World) -> list[bool]:
    found = await collect_rows(page.store, discord_permission=None)
    return [row.data["label"] for row in found.of("labelled", None)]


async def preferred(page: World) -> list[tuple[str, str]]:
    found = await collect_rows(page.store, discord_permission=None)
    rows = [row.data for row in found.of("preference", None)]
    return [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in rows]


async def test_a_vote_becomes_a_row_says_which_release_it_is_about_and_can_be_taken_back(program: Program):
    one = await answered(program)
    found = (await program.feedback(one, "vote", value="down", comment="Too short.", user="ada")).json()
    assert (found["status"], found["kind"], found["object"]) == ("stored", "vote", "feedback")
    assert found["answered_by"] == {one: "release-0"}
    assert await labelled(program.page) == [False]
    back = f"/v1/feedback/{found['id']}"
    assert error(await program.client.delete(back)) == (404, "feedback_not_found")
    assert error(await program.client.delete(back, params={"user": "bob"})) == (404, "feedback_not_found")
    gone = await program.client.delete(back, params={"user": "ada"})
    assert gone.json() == {"id": found["id"], "object": "feedback.deleted", "deleted": True}
    assert await labelled(program.page) == []
    assert error(await program.client.delete(back, params={"user": "ada"})) == (404, "feedback_not_found")
    texts = [row.text for row in await program.page.rows(schema.MessageVersion)]
    assert "Too short." not in texts


async def test_two_answers_to_one_prompt_are_compared_once(program: Program):
    one, other = await answered(program, said="Hello!"), await answered(program)
    found = await program.feedback(one, "comparison", other_id=other, value="a", user="ada")
    assert found.json()["status"] == "stored"
    assert found.json()["answered_by"] == {one: "release-0", other: "release-0"}
    assert await preferred(program.page) == [("Hello!", "What?")]
    again = await program.feedback(one, "comparison", other_id=other, value="b", user="ada")
    assert (again.json()["status"], again.json()["id"]) == ("already", found.json()["id"])
    taken = await program.client.delete(f"/v1/feedback/{found.json()['id']}", params={"user": "ada"})
    assert taken.status_code == 200
    assert await preferred(program.page) == []
    again = await program.feedback(one, "comparison", other_id=other, value="b", user="ada")
    assert again.json()["status"] == "already"


async def test_already_names_the_comparison_of_these_two_answers(program: Program):
    one, other, third = [await answered(program, said=said) for said in ("A!", "B!", "C!")]
    first = (await program.feedback(one, "comparison", other_id=other, value="a", user="ada")).json()
    await program.feedback(one, "comparison", other_id=third, value="a", user="ada")
    again = (await program.feedback(other, "comparison", other_id=one, value="b", user="ada")).json()
    assert (again["status"], again["id"]) == ("already", first["id"])


async def test_answers_to_other_prompts_cannot_be_compared(program: Program):
    one, other = await answered(program), await answered(program, "Ho")
    found = await program.feedback(one, "comparison", other_id=other, value="a", user="ada")
    assert error(found) == (400, "not_comparable")
    found = await program.feedback(one, "comparison", other_id=one, value="a", user="ada")
    assert error(found) == (400, "invalid_value")


async def test_votes_on_siblings_make_a_pair(program: Program):
    one, other = await answered(program, said="Hello!"), await answered(program)
    await program.feedback(one, "vote", value="up", user="ada")
    await program.feedback(other, "vote", value="down", user="ada")
    assert await preferred(program.page) == [("Hello!", "What?")]


async def test_a_correction_is_a_lesson_until_it_is_taken_back(program: Program):
    one = await answered(program, "Who painted the Mona Lisa?")
    found = (await program.feedback(one, "correction", text="Leonardo.", user="ada")).json()
    assert found["status"] == "lesson"
    assert await preferred(program.page) == [("Leonardo.", "What?")]
    await answered(program, "Who painted Mona Lisa?")
    sent = program.page.fake.requests[-1]["messages"]
    assert any("Leonardo." in each["content"] for each in sent)
    assert (await program.client.delete(f"/v1/feedback/{found['id']}", params={"user": "ada"})).status_code == 200
    assert await preferred(program.page) == []
    await answered(program, "Who painted the Mona Lisa again?")
    sent = program.page.fake.requests[-1]["messages"]
    assert not any("Leonardo." in each["content"] for each in sent)
    assert error(await program.feedback(one, "correction", text="What?", user="ada")) == (400, "same_text")
    assert error(await program.feedback(one, "correction", text=" ", user="ada")) == (400, "empty_text")


async def test_a_comment_belongs_to_a_vote(program: Program):
    one = await answered(program)
    found = await program.feedback(one, "comment", text="Wrong year.", user="ada")
    assert error(found) == (400, "missing_required_parameter")
    assert (await program.feedback(one, "comment", text="Wrong year.", value="down", user="ada")).status_code == 200
    assert (await program.feedback(one, "comment", text="By ten years.", user="ada")).json()["status"] == "stored"
    assert await labelled(program.page) == [False]
    texts = {row.text for row in await program.page.rows(schema.MessageVersion)}
    assert {"Wrong year.", "By ten years."} <= texts
    other = await answered(program, "Ho")
    await program.feedback(other, "vote", value="up", user="ada")
    found = await program.feedback(other, "comment", text="Just what I asked.", user="ada")
    assert found.json()["message"] == EN.stored_up


async def test_a_follow_up_is_what_the_asker_said_next(program: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARLEY_FOLLOWUPS", "1")
    one = await answered(program, said="It is Paris.")
    found = await program.feedback(one, "follow_up", text="Thanks, that is perfect!", user="ada")
    assert found.json()["status"] == "stored"
    assert await labelled(program.page) == [True]
    bob = await program.feedback(one, "follow_up", text="Thanks!", user="bob", consent=True)
    assert error(bob) == (403, "not_the_asker")
    # The program may go on with it, and it is the same message.
    before = len(await program.page.rows(schema.MessageRow))
    await answered(program, "Hi", "It is Paris.", "Thanks, that is perfect!")
    assert len(await program.page.rows(schema.MessageRow)) == before + 1
    taken = await program.client.delete(f"/v1/feedback/{found.json()['id']}", params={"user": "ada"})
    assert taken.status_code == 200
    assert await labelled(program.page) == []


async def test_nothing_is_kept_of_whoever_has_not_agreed(program: Program):
    program.page.fake.answer("What?")
    one = (await program.answer("Hi", user="eve"))["id"]
    for more in ({}, {"consent": False}):
        found = await program.feedback(one, "vote", value="up", user="eve", **more)
        assert error(found) == (403, "consent_missing")
    assert await program.page.rows(schema.Rating) == []
    assert (await program.feedback(one, "vote", value="up", user="eve", consent=True)).status_code == 200
    # The vote is kept; the question was asked before the consent, and trains nothing.
    assert await labelled(program.page) == []


async def test_a_consent_is_recorded_once_and_withdrawn_by_a_word(program: Program):
    for _ in range(3):
        await answered(program)
    assert len(await program.page.rows(schema.Consent)) == 1
    one = await answered(program, "Ho")
    await program.feedback(one, "vote", value="up", user="ada")
    assert await labelled(program.page) == [True]
    await program.answer("Hey", user="ada", consent=False)
    assert await labelled(program.page) == []
    header = {"X-Parley-User": "ada", "X-Parley-Consent": "true"}
    body = {"model": "parley", "messages": [{"role": "user", "content": "Hi"}]}
    await program.client.post("/v1/chat/completions", json=body, headers=header)
    assert [row.granted for row in await program.page.rows(schema.Consent)] == [True, False, True]
    found = await program.client.post("/v1/chat/completions", json=body, headers={"X-Parley-Consent": "yes"})
    assert error(found) == (400, "invalid_value")


async def test_a_retry_with_the_same_key_is_the_same_feedback(program: Program):
    one = await answered(program)
    how = {"Idempotency-Key": "k1", "text": "Hello!", "user": "ada"}
    first, second = [await program.feedback(one, "correction", **how) for _ in range(2)]
    assert [first.json()["status"], second.json()["status"]] == ["lesson", "already"]
    assert first.json()["id"] == second.json()["id"]
    await program.answer("Hi", user="bob", consent=True)
    other = await program.feedback(one, "correction", **{**how, "user": "bob"})
    assert other.json()["id"] != first.json()["id"]
    assert len(await program.page.rows(schema.Rating)) == 2


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (("vote", {"value": "up"}), ("vote", {"value": "down"})),
        (("vote", {"value": "up"}), ("correction", {"text": "Hello!"})),
        (("vote", {"value": "up"}), ("follow_up", {"text": "Thanks!"})),
        (("follow_up", {"text": "Thanks!"}), ("vote", {"value": "up"})),
    ],
)
async def test_a_key_that_was_sent_with_other_feedback_is_refused(program: Program, first: Any, then: Any):
    one = await answered(program)
    once = {"user": "ada", "Idempotency-Key": "k1"}
    assert (await program.feedback(one, first[0], **first[1], **once)).status_code == 200
    again = await program.feedback(one, first[0], **first[1], **once)
    assert again.json()["status"] == "already"
    assert error(await program.feedback(one, then[0], **then[1], **once)) == (400, "idempotency_key_reused")
    other = await answered(program, "Ho")
    assert error(await program.feedback(other, first[0], **first[1], **once)) == (400, "idempotency_key_reused")


async def test_the_same_vote_at_once_is_one_vote(program: Program):
    one = await answered(program)
    both = await asyncio.gather(*(program.feedback(one, "vote", value="up", user="ada") for _ in range(4)))
    assert sorted(each.json()["status"] for each in both) == ["already", "already", "already", "stored"]
    assert len({each.json()["id"] for each in both}) == 1
    assert len(await program.page.rows(schema.Rating)) == 1


async def test_another_platforms_ids_are_unknown(program: Program):
    one = await answered(program)
    other = await Program.with_key(program.page, "slack")
    assert error(await other.feedback(one, "vote", value="up", **ADA)) == (404, "completion_not_found")
    given = (await program.feedback(one, "vote", value="up", user="ada")).json()["id"]
    found = await other.client.delete(f"/v1/feedback/{given}", params={"user": "ada"})
    assert error(found) == (404, "feedback_not_found")
    assert await labelled(program.page) == [True]
    for guess in ("chatcmpl-0", "1", "17", given):
        assert error(await program.feedback(guess, "vote", value="up", **ADA)) == (404, "completion_not_found")


async def test_others_on_the_same_platform_may_rate_an_answer_that_they_saw(program: Program):
    one = await answered(program)
    assert (await program.feedback(one, "vote", value="up", user="bob", consent=True)).status_code == 200
    assert await labelled(program.page) == [True]


async def test_an_erased_answer_cannot_be_rated(program: Program):
    one = await answered(program)
    assert (await program.client.delete("/v1/users/ada")).status_code == 200
    assert error(await program.feedback(one, "vote", value="up", **ADA)) == (404, "completion_not_found")


async def test_moderation_reads_what_is_written_with_feedback(moderated: Program):
    one = await answered(moderated)
    for kind, more in (
        ("vote", {"value": "down", "comment": SLUR}),
        ("comment", {"value": "down", "text": SLUR}),
        ("correction", {"text": SLUR}),
        ("follow_up", {"text": SLUR}),
    ):
        found = await moderated.feedback(one, kind, user="ada", **more)
        assert error(found) == (400, "content_policy_violation"), kind
    assert await moderated.page.rows(schema.Rating) == []


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "vote", "value": "sideways"},
        {"kind": "vote"},
        {"kind": "comparison", "value": "a"},
        {"kind": "comparison", "other_id": 17, "value": "a"},
        {"kind": "correction"},
        {"kind": "correction", "text": ""},
        {"kind": "correction", "text": "x" * 20_001},
        {"kind": "void"},
        {"kind": "vote", "value": "up", "rater": 1},
        {"value": "up"},
    ],
)
async def test_feedback_that_says_nothing_is_refused(program: Program, body: dict[str, Any]):
    one = await answered(program)
    found = await program.client.post("/v1/feedback", json={"completion_id": one, "user": "ada", **body})
    assert error(found)[0] == 400
    assert await program.page.rows(schema.Rating) == []
