"""Questions by a command: `/ask` and "Answer this"."""

import pytest

from bot.discord.reading import LARGEST
from bot.texts import EN
from data import schema
from tests.bot.discord.world import RATE, World, labels

pytestmark = pytest.mark.played


async def authors(talk: World) -> list[int | None]:
    return [row.author_id for row in await talk.rows(schema.MessageRow) if row.role == "user"]


async def test_ask_is_answered_below_the_command(talk: World):
    talk.fake.answer("The capital ", "is ", "Paris.", delay=0.02)
    await talk.ada.slash(talk.channel, "ask", question="What is the capital of France?")
    answer = talk.last()
    assert (answer.content, labels(answer)) == ("The capital is Paris.", RATE)
    assert talk.sent() == ["What is the capital of France?"]
    await talk.agree(talk.ada.id)
    await talk.ada.click(answer, label="👍")
    assert [row.value for row in await talk.rows(schema.Rating)] == ["up"]
    # Discord shows the text of such a reply only when it names the bot.
    await talk.ada.send(talk.channel, "go on", reply_to=answer)
    assert talk.last().content == EN.cannot_read
    await talk.ada.send(talk.channel, f"{talk.me} go on", reply_to=answer)
    assert talk.sent() == ["What is the capital of France?", "The capital is Paris.", "go on"]


async def test_long_answers_to_a_command_continue_in_more_messages(talk: World):
    talk.fake.answer("long. " * 700)
    await talk.ada.slash(talk.channel, "ask", question="tell me")
    shown = talk.channel.history()
    assert len(shown) > 2
    assert [labels(message) for message in shown] == [[]] * (len(shown) - 1) + [RATE]
    found = [await talk.store.shown("discord", str(message.id)) for message in shown]
    assert len({answer.generation for answer in found if answer}) == 1
    assert all(found)


async def test_a_failing_engine_gives_a_sentence_below_the_command(talk: World):
    for _ in range(4):
        talk.fake.fail(400, message="no")
    result = await talk.ada.slash(talk.channel, "ask", question="hello")
    said = result.followups[0] if result.followups else result.response
    assert said is not None
    assert said.content
    assert await talk.rows(schema.Generation) == []


async def test_answer_this_answers_what_somebody_else_wrote(talk: World):
    await talk.bea.send(talk.channel, "Does anybody know the capital of France?")
    question = talk.last()
    assert talk.fake.requests == []
    talk.fake.answer("Paris.")
    await talk.ada.context_menu(talk.channel, "Answer this", question)
    assert talk.last().content == "Paris."
    assert talk.sent() == ["Does anybody know the capital of France?"]
    # It is Bea's text: her consent counts for it, and when she deletes it, it is gone.
    assert await authors(talk) == [await talk.store.person("discord", str(talk.bea.id))]
    await talk.bea.delete(question)
    assert not [row.text for row in await talk.rows(schema.MessageVersion) if row.text]


async def test_answer_this_on_a_known_question_gives_another_answer_to_it(talk: World):
    await talk.ask("hello")
    await talk.bea.context_menu(talk.channel, "Answer this", talk.channel.history()[0])
    assert len(await authors(talk)) == 1
    generations = await talk.rows(schema.Generation)
    assert len({row.rendered_sha256 for row in generations}) == 1
    assert len(generations) == 2


@pytest.mark.parametrize("which", [0, 1])
async def test_there_is_nothing_to_answer_in_a_bots_message(talk: World, which: int):
    await talk.ask("hello")
    if which:
        told = await talk.ada.context_menu(talk.channel, "Answer this", talk.last())
    else:
        await talk.bea.send(talk.channel, f"{talk.me}")
        told = await talk.ada.context_menu(talk.channel, "Answer this", talk.channel.history()[-2])
    said = told.followups[0] if told.followups else told.response
    assert said is not None
    assert said.content == EN.nothing_to_answer
    assert len(talk.fake.requests) == 1


async def test_answer_this_reads_text_files_and_names_what_it_does_not_read(talk: World):
    files = [("log.txt", b"disk full"), ("cat.png", b"\x89PNG")]
    message = await talk.bea.send(talk.channel, "my log", attachments=files)
    await talk.ada.context_menu(talk.channel, "Answer this", message)
    assert talk.sent() == ["my log\n\n[log.txt]\ndisk full"]
    remark = EN.quoted_left.format(names="cat.png", kib=LARGEST // 1024)
    assert talk.last().content == f"a fake answer\n-# {remark}"
