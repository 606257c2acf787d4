"""One bot on Discord for each home."""

import os
from pathlib import Path

import pytest

from bot.discord.alone import NAME, alone_on_discord
from data.errors import BadInput


def test_a_second_bot_is_refused_with_the_number_of_the_first(tmp_path: Path):
    with alone_on_discord(tmp_path):
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        with pytest.raises(BadInput, match=f"process {os.getpid()}") as refused, alone_on_discord(tmp_path):
            pass
        assert str(tmp_path) in str(refused.value)
        with alone_on_discord(tmp_path / "another"):
            pass
    with alone_on_discord(tmp_path):
        pass


def test_what_a_dead_process_left_is_in_nobodys_way(tmp_path: Path):
    (tmp_path / NAME).write_text("999999999999\n")
    with alone_on_discord(tmp_path):
        assert (tmp_path / NAME).read_text() == f"{os.getpid()}\n"


def test_a_file_without_a_number_is_a_sentence_too(tmp_path: Path):
    with alone_on_discord(tmp_path):
        (tmp_path / NAME).write_bytes(b"\xff\xfe")
        with pytest.raises(BadInput, match="Stop it first, or"), alone_on_discord(tmp_path):
            pass
