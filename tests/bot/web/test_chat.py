"""Conversations on the page: a question, its stream, its end, the way through the tree, and whose it is."""

import asyncio
from pathlib import Path

import pytest

from bot.texts import EN
from data import schema
from tests.bot.web.world import World, live_id, number, opened

pytestmark = pytest.mark.played

NASTY = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "javascript:alert(1)", "'; --"]


async def test_an_answer_streams_and_is_recorded_for_the_page(page: World):
    page.fake.answer("good ", "**evening**")
    browser = await page.member()
    await browser.get("/chat")
    begun = await browser.post("/chat/" + "a" * 32, text="hello")
    events = (await browser.get(f"/live/{live_id(begun)}/events")).text
    assert "good " in events
    assert events.rstrip().endswith("data: done")
    shown = (await browser.get(f"/live/{live_id(begun)}/end")).text
    assert "<strong>evening</strong>" in shown
    (generation,) = await page.rows(schema.Generation)
    (conversation,) = await page.rows(schema.Conversation)
    assert (generation.platform, conversation.platform, conversation.server_id) == ("web", "web", None)
    messages = await page.rows(schema.MessageRow)
    assert messages[0].author_id == browser.person


async def test_the_next_question_follows_the_answer_that_is_shown(page: World):
    browser = await page.member()
    key, first = await browser.ask("one")
    parent = (await page.rows(schema.MessageRow))[-1].id
    assert f'id="parent" value="{parent}"' in first.text
    await browser.ask("two", key, parent=parent)
    assert [each["content"] for each in page.fake.requests[1]["messages"][1:]] == ["one", "a fake answer", "two"]


async def test_a_question_follows_no_message_of_another_conversation(page: World):
    browser = await page.member()
    await browser.ask("one")
    parent = (await page.rows(schema.MessageRow))[-1].id
    await browser.ask("two", "b" * 32, parent=parent)
    assert [each["content"] for each in page.fake.requests[1]["messages"][1:]] == ["two"]


async def test_another_answer_stands_beside_the_first_with_a_way_between_them(page: World):
    browser = await page.member()
    key, first = await browser.ask("one")
    page.fake.answer("second")
    second = await browser.ended(await browser.post(f"/answers/{number(first)}/again"))
    assert "second" in second.text
    assert "2/2" in second.text
    whole = (await browser.get(f"/chat/{key}")).text
    assert "second" in whole
    assert "a fake answer" not in whole
    before = (await page.rows(schema.Generation))[0].message_id
    assert "a fake answer" in (await browser.get(f"/chat/{key}?at={before}")).text


async def test_an_answer_that_was_cut_off_goes_on(page: World):
    page.fake.answer("half", finish_reason="length")
    browser = await page.member()
    _, first = await browser.ask("one")
    assert EN.go_on in first.text
    page.fake.answer("the rest")
    rest = await browser.ended(await browser.post(f"/answers/{number(first)}/more"))
    assert "the rest" in rest.text
    assert page.fake.requests[1]["messages"][-1]["content"] == EN.go_on_please


async def test_stop_keeps_the_text_so_far(page: World):
    page.fake.answer("half ", "never", hold=asyncio.Event())
    browser = await page.member()
    begun = await browser.post("/chat/" + "a" * 32, text="hello")
    await page.fake.until_running(1)
    while not page.site.live.under(live_id(begun), browser.person)._text:  # type: ignore[union-attr]  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    assert (await browser.post(f"/live/{live_id(begun)}/stop")).status_code == 204
    ended = await browser.ended(begun)
    assert "half" in ended.text
    assert EN.stopped in ended.text
    assert [each.finish_reason for each in await page.rows(schema.Generation)] == ["stopped"]


async def test_a_browser_that_comes_late_gets_the_whole_text_so_far(page: World):
    go_on = asyncio.Event()
    page.fake.answer("so far ", "and on", hold=go_on)
    browser = await page.member()
    begun = await browser.post("/chat/" + "a" * 32, text="hello")
    live = page.site.live.under(live_id(begun), browser.person)
    assert live is not None
    while not live._text:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    page_now = (await browser.get("/chat/" + "a" * 32)).text
    assert f"/live/{live.id}/events" in page_now  # the page shows that it runs
    news = live.news()
    first = await anext(news)
    assert (first.kind, first.text) == ("whole", "so far ")
    go_on.set()
    kinds = [each.kind async for each in news if each is not None]
    assert kinds[-2:] == ["piece", "done"]


async def test_only_one_answer_runs_in_a_conversation(page: World):
    hold = asyncio.Event()
    page.fake.answer("a", "b", hold=hold)
    browser = await page.member()
    begun = await browser.post("/chat/" + "a" * 32, text="hello")
    again = await browser.post("/chat/" + "a" * 32, text="hello?")
    assert again.status_code == 422
    assert EN.on_its_way in again.text
    hold.set()
    await browser.ended(begun)


async def test_one_person_in_many_conversations_gets_one_answer_at_a_time(page: World):
    hold = asyncio.Event()
    page.fake.answer("a", "b", hold=hold)
    browser, bea = await page.member("1"), await page.member("2")
    begun = [await browser.post(f"/chat/{letter * 32}", text="hello") for letter in "abcde"]
    await page.fake.until_running(1)
    assert "a fake answer" in (await bea.ask("hello"))[1].text  # whom this does not hold up
    assert len(page.fake.requests) == 2
    last = await browser.ended(begun[-1])
    assert EN.queue_full_person.format(waiting=3) in last.text
    hold.set()
    for each in begun[:-1]:
        await browser.ended(each)
    assert len(page.fake.requests) == 5


async def test_thirty_people_at_once_lose_no_rating(page: World):
    async def visit(name: int) -> None:
        browser = await page.member(str(name), agrees=True)
        _, shown = await browser.ask("hello")
        await browser.post(f"/answers/{number(shown)}/vote", value="up")

    await asyncio.gather(*map(visit, range(30)))
    ratings = await page.rows(schema.Rating)
    assert len({each.rater_id for each in ratings}) == len(ratings) == 30


async def test_an_engine_that_fails_is_told_in_words_and_nothing_is_lost(page: World):
    page.fake.fail(500)
    page.fake.fail(500)
    browser = await page.member()
    _, ended = await browser.ask("hello")
    assert "hello" in ended.text
    assert "The model&#39;s server failed" in ended.text
    key = "a" * 32
    page.fake.fail(500)
    page.fake.fail(500)
    await browser.ask("and now?", key)
    (_, second) = await page.rows(schema.MessageRow)
    assert "/retry" in (await browser.get(f"/chat/{key}")).text
    answered = await browser.ended(await browser.post(f"/chat/{key}/retry", message=second.id))
    assert "a fake answer" in answered.text
    assert len(await page.rows(schema.MessageRow)) == 3  # the question was not stored again


async def test_text_that_is_not_allowed_is_not_kept(page: World):
    browser = await page.member()
    _, ended = await browser.ask("I want to kill myself")
    assert "crisis line" in ended.text
    assert await page.rows(schema.MessageRow) == []


@pytest.mark.parametrize("text", NASTY)
async def test_no_text_of_people_or_models_becomes_html(page: World, text: str):
    page.fake.answer(text)
    browser = await page.member()
    key, ended = await browser.ask(text)
    for shown in (ended.text, (await browser.get(f"/chat/{key}")).text):
        assert "<script>alert" not in shown
        assert "<img" not in shown
        assert 'href="javascript' not in shown
        assert ">49<" not in shown


async def test_pictures_in_answers_are_not_fetched_and_links_tell_nobody_where_they_were(page: World):
    page.fake.answer("![x](https://elsewhere.example/x.png) [there](https://elsewhere.example)")
    browser = await page.member()
    _, ended = await browser.ask("hello")
    assert "<img" not in ended.text
    assert 'rel="noopener noreferrer nofollow"' in ended.text


async def test_nothing_of_somebody_else_is_shown_or_changed(page: World):
    ada, bea = await page.member("1"), await page.member("2")
    key, shown = await ada.ask("a secret question")
    answer = number(shown)
    page.fake.answer("x", "y", hold=asyncio.Event())
    begun = await ada.post("/chat/" + "b" * 32, text="running")
    live = live_id(begun)
    gets = [f"/chat/{key}", f"/live/{live}/events", f"/live/{live}/end", f"/answers/{answer}/correct"]
    for path in gets:
        found = await bea.get(path)
        assert found.status_code == 404, path
        assert "secret" not in found.text
    await bea.get("/chat")
    posts = [
        (f"/chat/{key}", {"text": "in her conversation"}),
        (f"/live/{live}/stop", {}),
        *(
            (f"/answers/{answer}/{what}", {"value": "up", "text": "x"})
            for what in ("vote", "why", "correct", "again", "two", "more")
        ),
        (f"/chat/{key}/retry", {"message": "1"}),
        (f"/answers/{answer}/compare/{answer}", {"verdict": "a"}),
    ]
    for path, fields in posts:
        assert (await bea.post(path, **fields)).status_code == 404, path
    assert await page.rows(schema.Rating) == []
    assert "a secret question" not in (await bea.get("/chat")).text
    await ada.post(f"/live/{live}/stop")


async def test_a_form_that_is_sent_twice_at_once_begins_one_answer(page: World):
    browser = await page.member()
    key, _ = await browser.ask("hello")
    asked = len(page.fake.requests)
    both = await asyncio.gather(*(browser.post(f"/chat/{key}", text="and then?") for _ in range(4)))
    assert sorted(each.status_code for each in both) == [200, 422, 422, 422]
    await browser.ended(next(each for each in both if each.status_code == 200))
    again = await asyncio.gather(*(browser.post("/answers/1/again") for _ in range(4)))
    assert sorted(each.status_code for each in again) == [200, 422, 422, 422]
    await browser.ended(next(each for each in again if each.status_code == 200))
    assert len(page.fake.requests) == asked + 2


@pytest.mark.parametrize("text", ["", "   ", "x" * 20_001])
async def test_an_empty_or_a_huge_message_is_refused(page: World, text: str):
    browser = await page.member()
    assert (await browser.post("/chat/" + "a" * 32, text=text)).status_code == 422


@pytest.mark.parametrize("key", ["../../etc/passwd", "x", "A" * 32, "a" * 33])
async def test_a_conversation_begins_under_no_other_key_than_ours(page: World, key: str):
    browser = await page.member()
    assert (await browser.post(f"/chat/{key}", text="hello")).status_code == 404


async def test_the_persona_is_that_with_which_the_conversation_began(page: World):
    browser = await page.member()
    key, _ = await browser.ask("hello", persona="tutor")
    await browser.ask("again", key, persona="writer")
    prompts = [request["messages"][0]["content"] for request in page.fake.requests]
    assert prompts[0] == prompts[1]
    assert [each.persona for each in await page.rows(schema.Conversation)] == ["tutor"]


async def test_a_guests_address_has_a_limit_and_members_have_their_own(tmp_path: Path):
    async with opened(tmp_path, web_guests=True, web_hourly_per_address=2) as page:
        guest = page.browser(address="198.51.100.9")
        await guest.get("/sign-in")
        await guest.post("/sign-in/guest")
        ends = [(await guest.ask("hello"))[1].text for _ in range(3)]
        assert "a fake answer" in ends[1]
        assert "a fake answer" not in ends[2]
        member = await page.member()
        assert "a fake answer" in (await member.ask("hello"))[1].text
