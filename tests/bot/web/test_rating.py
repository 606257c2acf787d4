"""Ratings on the page: votes, reasons, corrections and comparisons, each after consent, and what a person keeps."""

import re
from html import unescape
from pathlib import Path

import pytest

from bot.texts import EN
from bot.web.rendering import difference
from data import schema
from data.consent import CONSENT_VERSION
from tests.bot.web.world import World, number, opened
from tests.data.collected import rows
from tests.data.talk import Talk

pytestmark = pytest.mark.played


async def kinds(page: World) -> list[tuple[str, str | None]]:
    return [(each.kind, each.value) for each in await page.rows(schema.Rating)]


async def test_nothing_is_stored_before_a_yes_and_the_rating_is_stored_after_it(page: World):
    browser = await page.member()
    _, shown = await browser.ask("hello")
    answer = number(shown)
    asked = await browser.post(f"/answers/{answer}/vote", value="up")
    assert unescape(asked.text).count(EN.consent_question.format(days=30)) == 1
    assert await kinds(page) == []
    fields = {"version": CONSENT_VERSION, "generation": answer, "value": "up", "other": ""}
    said = await browser.post("/consent", answer="yes", **fields)
    assert EN.stored_up in said.text
    assert await kinds(page) == [("vote", "up")]
    (consent,) = await page.rows(schema.Consent)
    assert (consent.person_id, consent.granted) == (browser.person, True)


async def test_a_yes_to_an_older_text_counts_for_nothing(page: World):
    browser = await page.member()
    _, shown = await browser.ask("hello")
    await browser.post("/consent", answer="yes", version="2026-11", generation=number(shown), value="up", other="")
    assert await page.rows(schema.Consent) == []
    assert await kinds(page) == []


async def test_a_no_keeps_nothing(page: World):
    browser = await page.member()
    _, shown = await browser.ask("hello")
    fields = {"version": CONSENT_VERSION, "generation": number(shown), "value": "up", "other": ""}
    assert EN.consent_refused in (await browser.post("/consent", answer="no", **fields)).text
    assert await page.store.consent(browser.person) is False
    assert await kinds(page) == []


async def test_a_vote_is_shown_changed_and_taken_back(page: World):
    browser = await page.member(agrees=True)
    key, shown = await browser.ask("hello")
    path = f"/answers/{number(shown)}/vote"
    up = await browser.post(path, value="up", back="")
    assert EN.stored_up in up.text
    assert 'aria-pressed="true" aria-label="Good answer"' in up.text
    down = await browser.post(path, value="down", back="")
    assert EN.why_title in unescape(down.text)
    assert 'aria-pressed="true" aria-label="Bad answer"' in (await browser.get(f"/chat/{key}")).text
    assert EN.stored_retraction in (await browser.post(path, value="down", back="1")).text
    assert 'aria-pressed="true"' not in (await browser.get(f"/chat/{key}")).text
    assert await kinds(page) == [("vote", "up"), ("vote", "down"), ("retraction", None)]
    assert {each.platform for each in await page.rows(schema.Rating)} == {"web"}


async def test_reasons_are_ours_and_the_comment_is_theirs(page: World):
    browser = await page.member(agrees=True)
    _, shown = await browser.ask("hello")
    answer = number(shown)
    await browser.post(f"/answers/{answer}/vote", value="down")
    await browser.post(f"/answers/{answer}/why", reason=[EN.reasons[0], "made up"], comment="no such bird")
    newest = (await page.rows(schema.MessageVersion))[-1]
    assert newest.text == f"{EN.reasons[0]}: no such bird"


@pytest.mark.parametrize("value", ["", "sideways", "<script>"])
async def test_a_vote_is_up_or_down(page: World, value: str):
    browser = await page.member(agrees=True)
    _, shown = await browser.ask("hello")
    assert (await browser.post(f"/answers/{number(shown)}/vote", value=value)).status_code == 422


async def test_a_correction_is_stored_taught_and_shown_as_a_difference(page: World):
    page.fake.answer("The capital is Sydney.")
    browser = await page.member(agrees=True)
    _, shown = await browser.ask("What is the capital of Australia?")
    answer = number(shown)
    assert "The capital is Sydney." in (await browser.get(f"/answers/{answer}/correct")).text
    said = await browser.post(f"/answers/{answer}/correct", text="The capital is Canberra.")
    assert "<del>Sydney</del><ins>Canberra</ins>" in said.text
    assert EN.stored_correction in unescape(said.text)
    assert "Canberra" in (await browser.get("/lessons")).text
    await browser.ask("What is the capital of Australia?")
    assert "Canberra" in str(page.fake.requests[-1]["messages"])  # the model sees it for a similar question


@pytest.mark.parametrize("text", ["", "  "])
async def test_an_empty_correction_is_none(page: World, text: str):
    browser = await page.member(agrees=True)
    _, shown = await browser.ask("hello")
    assert EN.fix_empty in (await browser.post(f"/answers/{number(shown)}/correct", text=text)).text
    assert await kinds(page) == []


async def test_no_script_gets_out_of_a_correction(page: World):
    browser = await page.member(agrees=True)
    _, shown = await browser.ask("hello")
    nasty = "<script>alert(1)</script>"
    said = await browser.post(f"/answers/{number(shown)}/correct", text=nasty)
    everything = [said.text, *[(await browser.get(path)).text for path in ("/lessons", "/ratings")]]
    assert not [each for each in everything if "<script>alert" in each]
    assert [each for each in everything if "&lt;script&gt;" in each or "alert" in each]


async def test_two_answers_are_compared_and_the_conversation_goes_on_from_the_better_one(page: World):
    page.fake.answer("first")
    browser = await page.member(agrees=True)
    key, shown = await browser.ask("hello")
    page.fake.answer("second")
    pair = await browser.ended(await browser.post(f"/answers/{number(shown)}/two"))
    found = re.search(r"/answers/(\d+)/compare/(\d+)", pair.text)
    assert found
    one, other = int(found[1]), int(found[2])
    said = await browser.post(f"/answers/{one}/compare/{other}", verdict="b")
    assert EN.stored_comparison in said.text
    better = next(each.message_id for each in await page.rows(schema.Generation) if each.id == other)
    assert f"/chat/{key}?at={better}" in said.text
    (rating,) = await page.rows(schema.Rating)
    assert (rating.kind, rating.generation_id, rating.other_id, rating.value) == ("comparison", one, other, "b")
    again = await browser.post(f"/answers/{one}/compare/{other}", verdict="a")
    assert EN.already in again.text
    assert len(await page.rows(schema.Rating)) == 1


async def test_answers_to_two_questions_are_never_compared(page: World):
    browser = await page.member(agrees=True)
    _, one = await browser.ask("hello")
    _, other = await browser.ask("something else", "b" * 32)
    found = await browser.post(f"/answers/{number(one)}/compare/{number(other)}", verdict="a")
    assert found.status_code == 422
    assert await kinds(page) == []


async def test_some_turns_bring_two_answers_where_the_operator_wants_them(tmp_path: Path):
    from bot.trial import Trial

    async with opened(tmp_path, trial=Trial(tmp_path, None, usual=1.0)) as page:
        page.fake.answer("first")
        page.fake.answer("second")
        browser = await page.member(agrees=True)
        _, shown = await browser.ask("hello")
        assert EN.web_which in shown.text
        assert "first" in shown.text
        assert "second" in shown.text


async def test_what_is_taught_here_trains_without_discords_permission(page: World):
    browser = await page.member(agrees=True)  # an account on Discord, and a page outside
    _, shown = await browser.ask("Who wrote Emma?")
    await browser.post(f"/answers/{number(shown)}/correct", text="Jane Austen wrote it.")
    (row,) = (await rows(page.store)).of("demonstration")
    assert row.extra["platform"] == "web"
    assert row.data["completion"] == [{"role": "assistant", "content": "Jane Austen wrote it."}]


async def test_a_lesson_from_discord_that_is_changed_here_stays_discords(page: World):
    browser = await page.member(agrees=True)
    talk = await Talk.begin(page.store, "discord", "c:1")
    (answer,) = await talk.ask(browser.person, "Who wrote Emma?", "Brontë wrote it.")
    await page.site.ratings.correct(
        browser.person, answer.generation, "Austen wrote it.", platform="discord", source_id="discord:1"
    )
    (lesson,) = await page.store.lessons.of(browser.person)
    said = await browser.post(f"/lessons/{lesson.lesson}/edit", text="Jane Austen wrote it.")
    assert "Jane Austen wrote it." in said.text
    assert (await page.rows(schema.Rating))[-1].platform == "web"
    assert (await rows(page.store)).of("demonstration") == []


async def test_only_ones_own_lessons_are_changed(page: World):
    ada, bea = await page.member("1", agrees=True), await page.member("2", agrees=True)
    _, shown = await ada.ask("hello")
    await ada.post(f"/answers/{number(shown)}/correct", text="better")
    (lesson,) = await page.store.lessons.of(ada.person)
    for what in ("remove", "edit"):
        assert (await bea.post(f"/lessons/{lesson.lesson}/{what}", text="mine")).status_code == 404
    assert len(await page.store.lessons.of(ada.person)) == 1
    assert (await ada.post(f"/lessons/{lesson.lesson}/remove")).status_code == 200
    assert await page.store.lessons.of(ada.person) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a b c", "a x c", "a <del>b</del><ins>x</ins> c"),
        ("same", "same", "same"),
        ("今天下雨", "今天天晴", "今天<del>下雨</del><ins>天晴</ins>"),
        ("<b>", "<i>", "&lt;<del>b</del><ins>i</ins>&gt;"),
    ],
)
def test_a_difference_word_by_word(before: str, after: str, expected: str):
    assert difference(before, after) == expected


def test_a_difference_of_huge_texts_takes_no_time():
    assert "<del>" in difference("a " * 100_000, "b " * 100_000)
