"""What is read of a message: the text and the text files with it."""

import pytest

from bot.discord.reading import LARGEST, is_text
from bot.texts import EN
from data import schema
from tests.bot.discord.world import World


async def send_file(talk: World, file: tuple[str, bytes]) -> None:
    user = talk.ada.user
    await user.send_dm("", attachments=talk.env.backend.store_attachments(user.dm_channel.id, [file]))


@pytest.mark.played
async def test_text_files_are_read_and_others_are_named(talk: World):
    files = [("notes.txt", b"remember the milk"), ("cat.png", b"\x89PNG")]
    await talk.ada.send(talk.channel, f"{talk.me} summarise", attachments=files)
    assert talk.sent() == ["summarise\n\n[notes.txt]\nremember the milk"]
    assert EN.files_left.format(names="cat.png", kib=LARGEST // 1024) in talk.contents()
    assert talk.last().content == "a fake answer"


@pytest.mark.played
async def test_a_file_alone_is_a_question_in_a_direct_conversation(talk: World):
    await send_file(talk, ("code.py", b"print(1)"))
    assert talk.sent() == ["[code.py]\nprint(1)"]


@pytest.mark.played
@pytest.mark.parametrize(
    ("file", "told"),
    [
        (("big.txt", b"x" * (LARGEST + 1)), EN.files_left.format(names="big.txt", kib=LARGEST // 1024)),
        (("odd.txt", b"\xff\xfe\x00\xd8"), EN.file_unreadable.format(name="odd.txt")),
    ],
)
async def test_a_file_that_cannot_be_read_gives_a_sentence(talk: World, file: tuple[str, bytes], told: str):
    await send_file(talk, file)
    assert talk.last(talk.ada.user.dm_channel).content == told
    assert talk.fake.requests == []
    assert await talk.rows(schema.MessageRow) == []


def test_what_is_a_text_file():
    assert all(is_text(name, None) for name in ("a.py", "B.MD", "x.yaml", "y.yml"))
    assert is_text("any", "text/plain; charset=utf-8")
    assert not any(is_text(*file) for file in (("a.png", "image/png"), ("a.pdf", "application/pdf"), ("py", None)))
    assert not any(is_text(*file) for file in (("voice-message.ogg", "audio/ogg"), ("movie.mp4", "video/mp4")))
    assert not any(is_text(name, None) for name in ("cat.png", "voice-message.ogg", "movie.mp4"))


@pytest.mark.played
async def test_an_edit_keeps_the_files(talk: World):
    question = await talk.ada.send(talk.channel, f"{talk.me} one", attachments=[("a.txt", b"inside")])
    await talk.ada.edit(question, f"{talk.me} two")
    stored = await talk.store.message("discord", str(question.id))
    assert stored is not None
    assert stored.text == "two\n\n[a.txt]\ninside"
