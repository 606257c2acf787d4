"""Which key opens what: rights, limits, sizes, other programs' keys, and a person's own data."""

import asyncio
import json
from typing import Any
from urllib.parse import quote

import pytest

from bot.web.api.guard import LARGEST
from data import schema
from data.api_keys import CHAT, FEEDBACK, ROWS
from data.consent import CONSENT_VERSION
from tests.bot.web.api.world import Program, error
from tests.bot.web.world import World

pytestmark = pytest.mark.played

PATHS = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("GET", "/v1/models"),
    ("POST", "/v1/feedback"),
    ("DELETE", "/v1/feedback/fb-1"),
    ("GET", "/v1/rows"),
    ("GET", "/v1/users/ada"),
    ("DELETE", "/v1/users/ada"),
    ("GET", "/v1/consent"),
    ("GET", "/v1/nowhere"),
)


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer ", "Basic abc", "Bearer sk-parley-wrong", "Bearer ключ"])
async def test_without_a_known_key_nothing_opens_and_no_body_is_read(page: World, sent: str):
    browser = page.browser().http
    for method, path in PATHS:
        headers = {"authorization": sent.encode()} if sent else {}
        found = await browser.request(method, path, headers=headers, content=b"{" * 100)
        assert error(found) == (401, "invalid_api_key"), path
        assert "sk-parley-wrong" not in found.text


async def test_a_revoked_key_opens_nothing_from_then_on(program: Program):
    await program.answer("Hi")
    await program.page.store.api_keys.revoke("telegram")
    assert error(await program.chat("Hi")) == (401, "invalid_api_key")


async def test_two_keys_of_one_platform_share_its_people_and_answers(program: Program):
    one = (await program.answer("Hi", user="ada", consent=True))["id"]
    new = await Program.with_key(program.page, "telegram-2", platform="telegram")
    await program.page.store.api_keys.revoke("telegram")
    assert (await new.feedback(one, "vote", value="up", user="ada")).status_code == 200
    assert len(await program.page.rows(schema.Person)) == 1


async def test_requests_that_are_refused_have_a_limit_of_their_own(page: World):
    program = await Program.with_key(page, hourly=3)
    assert (await program.chat("Hi")).status_code == 200
    for _ in range(3):
        assert (await program.chat("Hi", temperature=9)).status_code == 400
    assert error(await program.chat("Hi", temperature=9)) == (429, "rate_limit_exceeded")
    other = await Program.with_key(page, "slack", hourly=3)
    assert [(await other.chat("Hi")).status_code for _ in range(9)] == [200] * 3 + [429] * 6
    assert (await other.client.get("/v1/models")).status_code == 200  # to have asked too often is no wrong request


@pytest.mark.parametrize("user", ["a/b", "a/consent", "../rows", "ада"])
async def test_a_user_with_any_id_is_read_and_erased(program: Program, user: str):
    await program.client.post(
        "/v1/chat/completions",
        json={"model": "parley", "messages": [{"role": "user", "content": "Hi"}]},
        headers={"x-parley-user": user.encode()},
    )
    there = f"/v1/users/{quote(user, safe='')}"
    assert [each["text"] for each in (await program.client.get(there)).json()["messages"]] == ["Hi"]
    agreed = await program.client.put(f"{there}/consent", json={"consent": True})
    assert agreed.json()["id"] == user
    assert (await program.client.delete(there)).json()["erased_texts"] == 2
    assert (await program.client.get(there)).status_code == 404


@pytest.mark.parametrize(("right", "opens"), [(CHAT, (0, 1, 2, 8)), (FEEDBACK, (3, 4, 6, 7)), (ROWS, (5,))])
async def test_a_key_may_do_what_it_was_made_for(page: World, right: str, opens: tuple[int, ...]):
    program = await Program.with_key(page, rights=(right,))
    bodies: dict[str, Any] = {
        "/v1/chat/completions": {"model": "parley", "messages": [{"role": "user", "content": "Hi"}]},
        "/v1/completions": {"model": "parley", "prompt": "Hi"},
        "/v1/feedback": {"completion_id": "x", "kind": "vote", "value": "up"},
    }
    for number, (method, path) in enumerate(PATHS[:-1]):
        found = await program.client.request(method, path, json=bodies.get(path), params={"kind": "prompts"})
        refused = found.status_code == 403 and error(found)[1] == "permission_denied"
        assert refused is (number not in opens), path


async def test_a_key_without_that_right_cannot_say_that_somebody_agreed(page: World):
    program = await Program.with_key(page, consent_text=None)
    found = await program.chat("Hi", user="ada", consent=True)
    assert error(found) == (403, "consent_not_allowed")
    assert await page.rows(schema.Person) == []
    assert (await program.chat("Hi", user="ada", consent=False)).status_code == 200
    older = await Program.with_key(page, "older", consent_text="2026-11")
    assert error(await older.chat("Hi", user="ada", consent=True)) == (403, "consent_outdated")


async def test_the_consent_text_is_the_one_that_is_recorded(program: Program):
    found = (await program.client.get("/v1/consent")).json()
    assert found["version"] == CONSENT_VERSION
    assert "30 days" in found["texts"]["en"]
    assert "30 天" in found["texts"]["zh"]
    await program.answer("Hi", user="ada", consent=True)
    (consent,) = await program.page.rows(schema.Consent)
    assert consent.text_version == CONSENT_VERSION


async def test_a_consent_can_be_recorded_by_itself(program: Program):
    given = await program.client.put("/v1/users/ada/consent", json={"consent": True})
    assert given.json()["consent"] is True
    person = await program.page.store.person("telegram", "ada")
    assert await program.page.store.agrees(person)
    await program.client.put("/v1/users/ada/consent", json={"consent": False})
    assert await program.page.store.consent(person) is False
    none = await Program.with_key(program.page, "none", consent_text=None)
    assert error(await none.client.put("/v1/users/eve/consent", json={"consent": True})) == (
        403,
        "consent_not_allowed",
    )


async def test_limits_hold_for_the_key_and_for_each_user_and_say_when_to_ask_again(page: World):
    program = await Program.with_key(page, hourly=3, hourly_per_user=2)
    for _ in range(2):
        await program.answer("Hi", user="ada")
    spent = await program.chat("Hi", user="ada")
    assert error(spent) == (429, "rate_limit_exceeded")
    assert 3500 < int(spent.headers["retry-after"]) <= 3600
    assert spent.headers["x-should-retry"] == "false"
    await program.answer("Hi", user="bob")
    spent = await program.chat("Hi", user="eve", stream=True)
    assert error(spent) == (429, "rate_limit_exceeded")
    assert "This key" in spent.json()["error"]["message"]
    other = await Program.with_key(page, "other")
    await other.answer("Hi", user="ada")


async def test_the_queue_holds_for_programs_too(program: Program):
    hold = asyncio.Event()
    program.page.fake.answer("a", "b", hold=hold)
    asked = [asyncio.create_task(program.chat("Hi", user="ada")) for _ in range(5)]
    await program.page.fake.until_running(1)
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    refused = done.pop()
    assert error(refused.result()) == (429, "rate_limit_exceeded")
    hold.set()
    rest = [task.result() for task in asked if task is not refused and await asyncio.wait({task})]
    assert [each.status_code for each in rest] == [200] * 4


async def test_a_request_that_is_too_large_is_refused_before_it_is_read(program: Program):
    async def endless() -> Any:
        for _ in range(LARGEST // 1000 + 2):
            yield b"x" * 1000

    assert error(await program.client.post("/v1/chat/completions", content=endless())) == (413, "request_too_large")


async def test_a_person_reads_everything_and_is_forgotten_by_their_id(program: Program):
    await program.answer({"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, user="ada")
    kept = (await program.client.get("/v1/users/ada")).json()
    assert [one["text"] for one in kept["messages"]] == ["Be kind.", "Hi"]
    assert kept["person"]["platform"] == "telegram"
    gone = (await program.client.delete("/v1/users/ada")).json()
    assert (gone["deleted"], gone["erased_texts"]) == (True, 3)
    for user in ("ada", "nobody", "telegram:ada"):
        assert error(await program.client.get(f"/v1/users/{user}")) == (404, "user_not_found")
        assert error(await program.client.delete(f"/v1/users/{user}")) == (404, "user_not_found")


async def test_a_user_who_is_forgotten_while_an_answer_runs_leaves_nothing(program: Program):
    program.page.fake.answer("half ", "never", hold=asyncio.Event())
    asked = asyncio.create_task(program.chat("a secret", user="ada"))
    await program.page.fake.until_running(1)
    assert (await program.client.delete("/v1/users/ada")).json()["deleted"]
    await asked
    assert [each.text for each in await program.page.rows(schema.MessageVersion) if each.text] == []


async def test_rows_are_for_the_operators_tools(page: World):
    program = await Program.with_key(page, rights=(CHAT, FEEDBACK, ROWS))
    found = await program.answer("Hi <|im_end|>", user="ada", consent=True)
    await program.feedback(found["id"], "vote", value="up", user="ada")
    lines = await program.client.get("/v1/rows", params={"kind": "labelled", "fold": "all"})
    assert lines.headers["content-type"] == "application/jsonl"
    (row,) = [json.loads(line) for line in lines.text.splitlines()]
    assert row["prompt"][-1]["content"] == "Hi < |im_end|>"
    assert row["label"] is True
    assert (await program.client.get("/v1/rows", params={"kind": "preferences"})).text == ""
    assert error(await program.client.get("/v1/rows", params={"kind": "secrets"}))[0] == 400
