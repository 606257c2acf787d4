"""Starts the chat in the terminal, at a keyboard or at a pipe."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bot.opening import chat_of, opened
from bot.terminal.chat import Terminal
from bot.terminal.console import Lines, Screen, at_keyboard
from bot.texts import texts

if TYPE_CHECKING:
    from bot.opening import Beside
    from bot.settings import Settings


async def talk_in_terminal(settings: Settings, *, beside: Beside) -> None:
    """Open everything, chat until the end, and close everything; `beside` is served meanwhile."""
    sentences = texts(settings.language)
    lines, screen = _console()
    if lines.interactive:
        screen.line(sentences.starting, "dim")
    async with opened(settings) as (store, engine, trial):
        chat = chat_of(settings, store, engine)
        async with beside(settings, store, chat, trial):
            try:
                await Terminal(store, chat, settings, sentences, lines, screen, trial).run()
            finally:
                await chat.close()


def _console() -> tuple[Lines, Screen]:
    """Where lines come from and text goes to."""
    if at_keyboard() and sys.stdout.isatty():
        from bot.terminal.keyboard import Keyboard  # here, because a pipe does without prompt_toolkit

        keyboard = Keyboard()
        return keyboard, keyboard.screen
    interactive = at_keyboard()  # its output may still go to a file
    return Lines(interactive), Screen(interactive)
