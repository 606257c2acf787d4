"""A trial through the API: who gets the candidate, how the two are compared, and who is told which was which."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.trial import tried as chosen
from data import schema
from data.comparisons import trial as counted
from data.live import Pair
from tests.bot.tried import Tried
from tests.bot.web.api.world import Program, error, text
from tests.bot.web.world import World, opened

pytestmark = pytest.mark.played


@pytest.fixture
async def page(tried: Tried, tmp_path: Path) -> AsyncIterator[World]:
    trial = tried.trial(share=0.5)
    async with opened(tmp_path, trial=trial) as world:
        trial.look()
        async with trial.engine():  # waits until the candidate serves
            pass
        yield world
        await trial.close()


async def test_a_person_gets_the_same_release_for_the_whole_trial(page: World, program: Program):
    answers = 12
    for number in range(answers):
        await program.answer("Hi", user=f"user-{number}")
        await program.answer("Ho", user=f"user-{number}")
    people = {row.id: row.pseudonym for row in await page.rows(schema.Person)}
    messages = {row.id: row for row in await page.rows(schema.MessageRow)}
    got: dict[int, set[int]] = {}
    for row in await page.rows(schema.Generation):
        got.setdefault(messages[messages[row.message_id].parent_id].author_id, set()).add(row.release)
    assert set(got) == set(people)
    assert all(len(releases) == 1 for releases in got.values())
    assert {person: releases == {2} for person, releases in got.items()} == {
        person: chosen(person, 2, 0.5) for person in people
    }
    assert len({min(releases) for releases in got.values()}) == 2


def test_as_many_people_as_the_share_says_and_others_in_each_trial():
    first, second = ({person for person in range(2000) if chosen(person, number, 0.25)} for number in (2, 3))
    assert 400 < len(first) < 600
    assert 400 < len(second) < 600
    assert 60 < len(first & second) < 200
    assert not any(chosen(person, 2, 0.0) for person in range(100))
    assert all(chosen(person, 2, 1.0) for person in range(100))


async def test_the_other_release_gives_the_second_answer_and_feedback_says_which_was_which(
    page: World, program: Program, tried: Tried
):
    page.fake.answer("the champion's")
    tried.fake.answer("the candidate's")
    ada = {"user": "ada", "consent": True}
    one, other = await program.answer("Hi", **ada), await program.answer("Hi", **ada)
    assert {text(one), text(other)} == {"the champion's", "the candidate's"}
    assert one["model"] == other["model"] == "parley"  # nothing sways the verdict
    found = await program.feedback(one["id"], "comparison", other_id=other["id"], value="a", user="ada")
    releases = {"the champion's": "release-0", "the candidate's": "release-2"}
    assert found.json()["answered_by"] == {each["id"]: releases[text(each)] for each in (one, other)}
    so_far = await asyncio.to_thread(counted, page.store.database.path, Pair(0, 2), discord_permission=None)
    (compared,) = so_far.comparisons
    assert compared.value == (1.0 if text(one) == "the candidate's" else 0.0)


async def test_during_a_trial_no_vote_tells_which_release_answered_before_the_comparison(
    page: World, program: Program
):
    ada = {"user": "ada", "consent": True}
    one, other = await program.answer("Hi", **ada), await program.answer("Hi", **ada)
    vote = {"value": "up", "user": "ada", "Idempotency-Key": "k"}
    assert (await program.feedback(one["id"], "vote", **vote)).json()["answered_by"] == {}
    compared = {"other_id": other["id"], "value": "a", "user": "ada"}
    reused = await program.feedback(one["id"], "comparison", **compared, **{"Idempotency-Key": "k"})
    assert error(reused) == (400, "idempotency_key_reused")
    assert set((await program.feedback(one["id"], "comparison", **compared)).json()["answered_by"].values()) == {
        "release-0",
        "release-2",
    }


async def test_two_answers_that_a_program_had_sampled_otherwise_decide_no_trial(page: World, program: Program):
    ada = {"user": "ada", "consent": True}
    page.fake.answer("the champion's")
    one = await program.answer("Hi", **ada)
    other = await program.answer("Hi", **ada, temperature=1.9)
    await program.feedback(one["id"], "comparison", other_id=other["id"], value="a", user="ada")
    so_far = await asyncio.to_thread(counted, page.store.database.path, Pair(0, 2), discord_permission=None)
    assert so_far.comparisons == []


async def test_answers_of_releases_that_a_program_chose_decide_no_trial(page: World, program: Program):
    ada = {"user": "ada", "consent": True}
    one, other = (
        await program.answer("Hi", **ada, model="champion"),
        await program.answer("Hi", **ada, model="candidate"),
    )
    found = await program.feedback(one["id"], "comparison", other_id=other["id"], value="b", user="ada")
    assert found.json()["status"] == "stored"  # it is a preference to train on
    so_far = await asyncio.to_thread(counted, page.store.database.path, Pair(0, 2), discord_permission=None)
    assert so_far.comparisons == []


async def test_each_release_can_be_asked_by_its_name(page: World, program: Program, tried: Tried):
    found = (await program.client.get("/v1/models")).json()
    assert [each["id"] for each in found["data"]] == ["parley", "champion", "candidate", "release-0", "release-2"]
    for model in ("champion", "candidate", "release-0", "release-2", "candidate"):
        await program.answer("Hi", model=model)
    assert [row.release for row in await page.rows(schema.Generation)] == [0, 2, 0, 2, 2]
    tried.releases.end_trial()
    assert error(await program.chat("Hi", model="candidate")) == (404, "model_not_found")
    assert error(await program.chat("Hi", model="release-2")) == (404, "model_not_found")
    assert (await program.chat("Hi")).status_code == 200
