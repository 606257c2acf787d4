"""Lines in, text out, for `bot.terminal.chat`: this is the pipe; `bot.terminal.keyboard` is for a person who types.

Standard input is read while an answer runs, so that `/stop` reaches it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console as Rich

from data.printing import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOP = "/stop"


class Screen:
    """Where text is written, in colour only when a person sits at a keyboard and reads a terminal."""

    def __init__(self, interactive: bool) -> None:
        self._rich = Rich() if interactive else Rich(color_system=None, force_terminal=False)
        self._column = 0

    def write(self, text: str, style: str | None = None) -> None:
        """Write text without ending the line, visible at once. Control characters are left out."""
        if text := printable(text):  # a model, or a person it quotes, can write what a terminal would obey
            self._column = 0 if text.endswith("\n") else 1
            self._put(text, style)

    def line(self, text: str, style: str | None = None) -> None:
        """Write a line of its own."""
        self.end()
        self.write(f"{text}\n", style)

    def end(self) -> None:
        """End the current line if it has text."""
        if self._column:
            self.write("\n")

    def _put(self, text: str, style: str | None) -> None:
        self._rich.out(text, end="", style=style, highlight=False)


class Lines:
    """The lines of standard input; None at the end. `interactive` says that a person writes them."""

    def __init__(self, interactive: bool, descriptor: int = 0) -> None:
        self.interactive = interactive
        self._descriptor = descriptor
        self._lines: deque[str | None] = deque()
        self._changed = asyncio.Event()
        self._interrupt: Callable[[], None] | None = None
        self._rest = b""

    def start(self) -> None:
        """Begin to read. Call it inside the running loop, from the main thread."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        self._read_from(loop)

    async def close(self) -> None:
        """Stop reading."""

    async def read(self, prompt: str = "") -> str | None:
        """The next line without its end, or None when there are no more. The prompt is shown to a person only."""
        if self.interactive and not self._lines:
            self._show(prompt)
        while not self._lines:
            self._changed.clear()
            await self._changed.wait()
        line = self._lines[0]
        if line is not None:  # the end stays the end
            self._lines.popleft()
        return line

    def unread(self, line: str) -> None:
        """Put a line back, to be read next."""
        self._lines.appendleft(line)

    async def stop_asked(self) -> None:
        """Return when the running answer must stop: after Ctrl-C, or when the next line is `/stop`."""
        interrupted = asyncio.Event()
        self._interrupt = interrupted.set
        try:
            while not interrupted.is_set():
                if self._lines and (self._lines[0] or "").strip() == STOP:
                    self._lines.popleft()
                    return
                self._changed.clear()
                waits = [asyncio.ensure_future(event.wait()) for event in (interrupted, self._changed)]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for wait in waits:
                        wait.cancel()
        finally:
            self._interrupt = None

    def _on_interrupt(self) -> None:
        if self._interrupt:
            self._interrupt()
        else:
            self._put(None)

    def _put(self, line: str | None) -> None:
        self._lines.append(line)
        self._changed.set()

    def _read_from(self, loop: asyncio.AbstractEventLoop) -> None:
        # A daemon, because a read cannot be cancelled; it holds no lock that the interpreter needs to exit.
        threading.Thread(target=self._read_all, args=(loop,), daemon=True).start()

    def _show(self, prompt: str) -> None:
        print(prompt, end="", flush=True)

    def _read_all(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this line
            # os.read, not sys.stdin: a thread inside a buffered reader makes the interpreter abort when it exits.
            while block := os.read(self._descriptor, 65536):
                for line in self._split(block):
                    loop.call_soon_threadsafe(self._put, line)
            if self._rest:
                loop.call_soon_threadsafe(self._put, self._rest.decode(errors="replace"))
            loop.call_soon_threadsafe(self._put, None)

    def _split(self, block: bytes) -> Iterator[str]:
        *lines, self._rest = (self._rest + block).split(b"\n")
        return (line.decode(errors="replace").removesuffix("\r") for line in lines)


def at_keyboard() -> bool:
    """Whether a person types: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()
