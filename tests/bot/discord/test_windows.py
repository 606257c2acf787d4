"""The windows for a correction and for what was wrong."""

import pytest

from bot.discord.windows import LARGEST, REASONS
from bot.texts import EN, ZH
from data import schema
from tests.bot.discord.world import World


async def texts_of(talk: World, kind: str) -> list[tuple[str | None, str]]:
    versions = {row.id: row.text for row in await talk.rows(schema.MessageVersion)}
    ratings = await talk.rows(schema.Rating)
    return [(row.value, versions.get(row.text_version_id, "")) for row in ratings if row.kind == kind]


@pytest.mark.played
async def test_a_correction_starts_from_the_answer_and_is_kept(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.bea.id)
    opened = await talk.bea.click(answer, label="✏️")
    assert opened.modal is not None
    assert opened.modal["title"] == EN.fix_title
    assert "a fake answer" in str(opened.modal)  # so that it is corrected, not written again
    sent = await talk.bea.submit_modal(opened, {"text": "a better answer"})
    # No lesson: Ada, whose question it is, has not agreed.
    assert [followup.content for followup in sent.followups] == [EN.stored_correction_alone]
    assert sent.followups[0].ephemeral
    assert await texts_of(talk, "correction") == [(None, "a better answer")]


@pytest.mark.played
async def test_a_correction_without_a_change_gives_a_sentence(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="✏️")
    same = await talk.ada.submit_modal(opened, {"text": "a fake answer"})
    assert same.followups[0].content == EN.correction_same
    blank = await talk.ada.submit_modal(await talk.ada.click(answer, label="✏️"), {"text": "   "})
    assert blank.followups[0].content == EN.fix_empty
    assert await talk.rows(schema.Rating) == []


@pytest.mark.played
async def test_a_correction_asks_for_consent_before_anything_is_written(talk: World):
    answer = await talk.ask("hello")
    asked = await talk.ada.click(answer, label="✏️")
    assert asked.modal is None
    (question,) = asked.followups
    assert question.content == EN.consent_question_held.format(days=30)
    await talk.ada.click(question, label=EN.yes)
    assert [row.granted for row in await talk.rows(schema.Consent)] == [True]
    assert (await talk.ada.click(answer, label="✏️")).modal is not None


@pytest.mark.played
async def test_a_window_from_before_a_restart_is_not_lost(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="✏️")
    await talk.env.restart_bot(talk.bot())
    sent = await talk.ada.submit_modal(opened, {"text": "a better answer"})
    assert sent.followups[0].content == EN.stored_correction
    assert await texts_of(talk, "correction") == [(None, "a better answer")]


@pytest.mark.played
@pytest.mark.parametrize(
    ("file", "told"),
    [
        (("better.txt", "\ufeffbetter".encode()), EN.stored_correction),
        (("better.txt", "更好".encode("gbk") + b"\xff"), EN.fix_unreadable.format(kib=LARGEST // 1024)),
        (("better.txt", b"x" * (LARGEST + 1)), EN.fix_unreadable.format(kib=LARGEST // 1024)),
        (("better.txt", b" "), EN.fix_empty),
    ],
)
async def test_an_answer_that_is_too_long_for_a_window_is_corrected_in_a_file(
    talk: World, file: tuple[str, bytes], told: str
):
    talk.fake.answer("long. " * 800)
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="✏️")
    sent = await talk.ada.submit_modal(opened, {"file": file})
    assert sent.followups[0].content == told
    assert await texts_of(talk, "correction") == ([(None, "better")] if told == EN.stored_correction else [])


@pytest.mark.played
async def test_a_vote_against_counts_at_the_click_and_its_reasons_afterwards(talk: World):
    answer = await talk.ask("hello")
    await talk.agree(talk.ada.id)
    opened = await talk.ada.click(answer, label="👎")
    assert opened.modal is not None
    assert await texts_of(talk, "vote") == [("down", "")]  # whatever is done with the window
    sent = await talk.ada.submit_modal(opened, {"reasons": [REASONS[0], REASONS[2]], "text": "It is Paris."})
    assert sent.followups[0].content == EN.stored_down
    assert (await texts_of(talk, "vote"))[-1] == ("down", "false, manner: It is Paris.")
    empty = await talk.bea.click(answer, label="👎")
    assert empty.modal is None  # she has not agreed
    await talk.agree(talk.bea.id)
    sent = await talk.bea.submit_modal(await talk.bea.click(answer, label="👎"), {})
    assert sent.followups[0].content == EN.stored_down
    assert len(await talk.rows(schema.Rating)) == 3


def test_every_reason_has_a_text():
    assert len(EN.reasons) == len(ZH.reasons) == len(REASONS)
