"""The keyboard: a line that a person edits with prompt_toolkit, below the text that the bot writes.

The line stays at the bottom while an answer streams, so what is typed never mixes with the answer. Complete lines of
text are printed above it; the line that still grows is drawn as a part of the prompt.

Earlier lines come back with the arrow keys while this chat runs. The history is kept in memory only, because a file
would hold what people said.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack, redirect_stderr
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.patch_stdout import StdoutProxy
from prompt_toolkit.utils import get_cwidth

from bot.terminal.console import Lines, Screen
from bot.terminal.wrapping import Wrapper

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from prompt_toolkit.application import Application
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyPressEvent

_STYLES = {"green": "ansigreen", "red": "ansired", "dim": "dim"}  # ours, as prompt_toolkit calls them
_REDRAW = 0.03  # seconds between two drawings of a growing answer


class ScreenAbove(Screen):
    """The text above the line that is typed."""

    def __init__(self, app: Application[str]) -> None:
        super().__init__(interactive=True)
        self._app = app
        self._wrapper = Wrapper(lambda: app.output.get_size().columns)
        self._style: str | None = None  # of the word that the wrapper holds back
        self._waiting: list[tuple[str, str | None]] = []  # text that is not printed yet, with its styles
        self._printing: Awaitable[None] | None = None

    def growing(self) -> StyleAndTextTuples:
        """The text that is not printed yet: wrapped like the terminal wraps it, as many rows as fit, the newest."""
        size = self._app.output.get_size()
        rows: list[StyleAndTextTuples] = [[]]
        used = 0
        waiting = [*self._waiting, (self._wrapper.rest(), self._style)]
        for text, style in waiting:
            for character in text.expandtabs():
                width = get_cwidth(character)
                if character == "\n" or used + width > size.columns:
                    rows.append([])
                    used = 0
                if character != "\n":
                    rows[-1].append((_STYLES.get(style or "", ""), character))
                    used += width
        room = size.rows - self._app.current_buffer.document.line_count - 1
        if not any(text for text, _ in waiting):
            return []
        return [fragment for row in rows[-max(1, room) :] for fragment in (*row, ("", "\n"))]

    def flush(self) -> None:
        """Print everything. The line that is typed must be gone."""
        self._print(all_of_it=True)

    def _put(self, text: str, style: str | None) -> None:
        if style != self._style:
            self._waiting.append((self._wrapper.flush(), self._style))
            self._style = style
        shown = self._wrapper.add(text)
        self._waiting.append((shown, style))
        if not self._app.is_running:
            self.flush()
            return
        if "\n" in shown and self._printing is None:
            self._printing = run_in_terminal(self._print)
        self._app.invalidate()

    def _print(self, *, all_of_it: bool = False) -> None:
        self._printing = None
        if all_of_it:
            self._waiting.append((self._wrapper.flush(), self._style))
        waiting, self._waiting = self._waiting, []
        while waiting and not all_of_it and not waiting[-1][0].endswith("\n"):
            text, style = waiting.pop()
            line, end, rest = text.rpartition("\n")
            self._waiting.insert(0, (rest, style))
            if end:
                waiting.append((line + end, style))
        for text, style in waiting:
            super()._put(text, style)


class Keyboard(Lines):
    """The lines that a person types, and the screen above them.

    Enter ends a line, and Alt-Enter begins a new one inside it. Ctrl-C stops the running answer; where none runs, it
    empties the line, and on an empty line it leaves. So does Ctrl-D.
    """

    def __init__(self) -> None:
        super().__init__(interactive=True)
        self._prompt = ""
        self._session: PromptSession[str] = PromptSession(
            self._message,
            history=InMemoryHistory(),
            key_bindings=self._keys(),
            prompt_continuation=lambda width, _, wrapped: "" if wrapped else " " * width,
            enable_suspend=True,
            erase_when_done=True,
        )
        self._session.app.min_redraw_interval = _REDRAW
        self._session.default_buffer.accept_handler = self._accept
        self._task: asyncio.Task[str] | None = None
        self._redirected = ExitStack()
        self.screen = ScreenAbove(self._session.app)

    async def read(self, prompt: str = "") -> str | None:
        """See `Lines.read`. A line is written to the screen when it is read, not when it is typed."""
        self._show(prompt)
        line = await super().read(prompt)
        self._show("")
        if line is not None:
            self.screen.line(prompt + line)
        return line

    async def close(self) -> None:
        """Take the line that is typed off the screen, and give the terminal back as it was. Idempotent."""
        if self._task is not None:
            if self._session.app.is_running:
                self._session.app.exit(result="")
            else:
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.screen.flush()
        self._redirected.close()

    def _read_from(self, loop: asyncio.AbstractEventLoop) -> None:
        if sys.stderr.isatty():  # warnings go above the line as well
            self._redirected.enter_context(redirect_stderr(self._redirected.enter_context(StdoutProxy(raw=True))))
        self._task = loop.create_task(self._session.prompt_async(handle_sigint=False), name="keyboard")
        self._task.add_done_callback(lambda _: self._put(None))

    def _show(self, prompt: str) -> None:
        self._prompt = prompt
        self._session.app.invalidate()

    def _message(self) -> StyleAndTextTuples:
        return [*self.screen.growing(), ("", self._prompt)]

    def _accept(self, buffer: Buffer) -> bool:
        self._put(buffer.text)
        return False  # empty the line; prompt_toolkit puts its text into the history

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._interrupt is None and event.current_buffer.text:
                event.current_buffer.reset()  # as a shell does: only an empty line leaves
            else:
                self._on_interrupt()

        @keys.add("c-d", filter=Condition(lambda: not self._session.default_buffer.text))
        def _(_: KeyPressEvent) -> None:
            self._put(None)

        @keys.add("c-@")
        def _(_: KeyPressEvent) -> None:
            # While text is printed above the line, the terminal itself reads the keys and hands a Ctrl-D on as this
            # one. prompt_toolkit would begin a selection, and then Backspace deletes nothing.
            pass

        return keys
