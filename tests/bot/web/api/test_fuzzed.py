"""schemathesis against the API's own description, and hypothesis on feedback in any order."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from data import schema as tables
from tests.bot.web.api.served import served
from tests.bot.web.api.world import Program
from tests.bot.web.world import World, opened

pytestmark = pytest.mark.simulation

QUIET = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


async def test_no_request_that_the_description_allows_or_forbids_breaks_the_server(page: World):
    description = (await page.browser().http.get("/v1/openapi.json")).json()
    async with served(page) as (address, program):
        await asyncio.to_thread(fuzz, description, address, program.secret)


def fuzz(description: dict[str, Any], address: str, secret: str) -> None:
    read = schemathesis.openapi.from_dict(description)
    tried = 0
    for found in read.get_all_operations():
        operation = found.ok()
        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):

            @settings(max_examples=25, deadline=None, suppress_health_check=QUIET, phases=[Phase.generate])
            @given(case=operation.as_strategy(generation_mode=mode))
            def send(case: schemathesis.Case) -> None:
                nonlocal tried
                tried += 1
                case.call_and_validate(
                    base_url=address, headers={"Authorization": f"Bearer {secret}"}, checks=CHECKS, timeout=30
                )

            try:
                send()
            except Exception as error:
                if "Unsatisfiable" not in type(error).__name__:
                    raise  # an operation without parameters has no wrong ones
    assert tried > 200


USERS = ("ada", "bob")
deeds = st.lists(
    st.one_of(
        st.tuples(st.just("vote"), st.sampled_from(USERS), st.integers(0, 1), st.sampled_from(["up", "down"])),
        st.tuples(st.just("comparison"), st.sampled_from(USERS), st.integers(0, 1), st.sampled_from(["a", "b"])),
        st.tuples(st.just("correction"), st.sampled_from(USERS), st.integers(0, 1), st.text(min_size=1, max_size=9)),
        st.tuples(st.just("comment"), st.sampled_from(USERS), st.integers(0, 1), st.text(min_size=1, max_size=9)),
        st.tuples(st.just("back"), st.sampled_from(USERS), st.integers(0, 9), st.none()),
    ),
    max_size=12,
)


@pytest.mark.parametrize("seed", [0])
async def test_after_any_feedback_the_store_says_what_was_said_last(
    tmp_path_factory: pytest.TempPathFactory, seed: int
):
    @settings(max_examples=15, deadline=None, suppress_health_check=QUIET)
    @given(deeds)
    def try_out(said: list[tuple[str, str, int, Any]]) -> None:
        asyncio.run(played(tmp_path_factory, said))

    await asyncio.to_thread(try_out)


async def played(folders: pytest.TempPathFactory, said: list[tuple[str, str, int, Any]]) -> None:
    async with opened(folders.mktemp("home")) as page:
        program = await Program.with_key(page)
        page.fake.answer("one")
        page.fake.answer("two")
        ids = [(await program.answer("Hi", user="ada", consent=True))["id"] for _ in range(2)]
        await program.answer("Ho", user="bob", consent=True)
        votes: dict[tuple[str, int], str] = {}
        given_ids: list[tuple[str, str, int, str]] = []  # by whom, what kind, about which answer, its id
        for kind, who, number, value in said:
            if kind == "back":
                if not given_ids:
                    continue
                by, what, about, one = given_ids[number % len(given_ids)]
                found = await program.client.delete(f"/v1/feedback/{one}", params={"user": who})
                if who != by:
                    assert found.status_code == 404
                elif what in ("vote", "comment") and votes.pop((by, about), None):
                    assert found.status_code == 200
                assert found.status_code in (200, 404)
                continue
            body = {"value": value} if kind in ("vote", "comparison") else {"text": value}
            more = {"other_id": ids[1 - number]} if kind == "comparison" else {}
            found = await program.feedback(ids[number], kind, user=who, **body, **more)
            assert found.status_code in (200, 400), found.text
            if found.status_code == 200:
                given_ids.append((who, kind, number, found.json()["id"]))
                if kind == "vote":
                    votes[who, number] = value
        for number, one in enumerate(ids):
            answer = await page.store.shown("telegram", one)
            assert answer is not None
            for who in USERS:
                person = await page.store.person("telegram", who)
                assert await page.store.vote(answer.generation, person) == votes.get((who, number))
        sources = [row.source_id for row in await page.rows(tables.Rating)]
        assert len(sources) == len(set(sources))
