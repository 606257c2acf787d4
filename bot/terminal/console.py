"""Lines in, text out: a keyboard or a pipe for `bot.terminal.chat`.

Standard input is read while an answer runs, so that `/stop` reaches it. From a pipe a thread reads ahead; at a
keyboard the terminal itself collects a line while the answer streams, and `input` with readline is used in between.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console as Rich

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STOP = "/stop"
# A model (or a person it quotes) can write escape sequences, which a terminal would obey.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """What is written. Colours only when a person sits at a keyboard and reads a terminal."""

    def __init__(self, interactive: bool) -> None:
        self._rich = Rich() if interactive else Rich(color_system=None, force_terminal=False)
        self._column = 0

    def write(self, text: str, style: str | None = None) -> None:
        """Text as it is but for control characters, without a line's end, visible at once."""
        if text := _CONTROL.sub("", text):
            self._rich.out(text, end="", style=style, highlight=False)
            self._column = 0 if text.endswith("\n") else 1

    def line(self, text: str, style: str | None = None) -> None:
        """A whole line, on a line of its own."""
        self.end()
        self.write(f"{text}\n", style)

    def end(self) -> None:
        """End the current line if it has been begun."""
        if self._column:
            self.write("\n")


class Lines:
    """What is typed, line by line; None at the end."""

    def __init__(self, interactive: bool, descriptor: int = 0) -> None:
        self.interactive = interactive
        self._descriptor = descriptor
        self._lines: deque[str | None] = deque()
        self._changed = asyncio.Event()
        self._interrupt: Callable[[], None] | None = None
        self._rest = b""

    def start(self) -> None:
        """Begin to read. Must be called inside the running loop, from the main thread."""
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(signal.SIGINT, self._on_interrupt)
        if self.interactive:
            with suppress(ImportError):
                import readline  # noqa: F401 - importing it gives `input` its line editing and history
        else:
            self._thread(self._read_pipe)

    async def read(self, prompt: str = "") -> str | None:
        """The next line without its end, None when there are no more. The prompt is shown at a keyboard only."""
        if self.interactive and not self._lines:
            self._thread(self._read_keyboard, prompt)
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
        """Returns when the running answer is to be stopped: by Ctrl-C, or when the next line is `/stop`."""
        interrupted = asyncio.Event()
        self._interrupt = interrupted.set
        self._listen()
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
            self._unlisten()

    def _on_interrupt(self) -> None:
        if self._interrupt:
            self._interrupt()
        else:
            self._put(None)

    def _put(self, line: str | None) -> None:
        self._lines.append(line)
        self._changed.set()

    def _thread(self, target: Callable[..., None], *arguments: object) -> None:
        # Daemons, because a read cannot be cancelled; they hold no lock that the interpreter needs to leave.
        threading.Thread(target=target, args=(asyncio.get_running_loop(), *arguments), daemon=True).start()

    def _read_keyboard(self, loop: asyncio.AbstractEventLoop, prompt: str) -> None:
        try:
            line: str | None = input(prompt)
        except EOFError:
            line = None
        with suppress(RuntimeError):  # the loop is closed: nobody waits for this line
            loop.call_soon_threadsafe(self._put, line)

    def _read_pipe(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):
            # os.read, not sys.stdin: a thread inside a buffered reader makes the interpreter abort on its way out.
            while block := os.read(self._descriptor, 65536):
                for line in self._split(block):
                    loop.call_soon_threadsafe(self._put, line)
            if self._rest:
                loop.call_soon_threadsafe(self._put, self._rest.decode(errors="replace"))
            loop.call_soon_threadsafe(self._put, None)

    def _split(self, block: bytes) -> Iterator[str]:
        *lines, self._rest = (self._rest + block).split(b"\n")
        return (line.decode(errors="replace").removesuffix("\r") for line in lines)

    def _listen(self) -> None:
        if self.interactive:
            with suppress(NotImplementedError, PermissionError):
                asyncio.get_running_loop().add_reader(self._descriptor, self._typed)

    def _unlisten(self) -> None:
        if self.interactive:
            with suppress(NotImplementedError):
                asyncio.get_running_loop().remove_reader(self._descriptor)

    def _typed(self) -> None:
        block = os.read(self._descriptor, 65536)
        if not block:
            self._unlisten()
            self._put(None)
        for line in self._split(block):
            self._put(line)


def at_keyboard() -> bool:
    """Whether a person types: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


class KeepTerminal:
    """Restores the terminal's modes at the end: a thread that still waits in `input` would leave it without echo."""

    def __enter__(self) -> None:
        self._modes: list[object] | None = None
        with suppress(ImportError, OSError):
            import termios

            self._modes = termios.tcgetattr(0) if sys.stdin.isatty() else None

    def __exit__(self, *_: object) -> None:
        if self._modes is not None:
            import termios

            # The modes are those that tcgetattr gave.
            termios.tcsetattr(0, termios.TCSADRAIN, self._modes)  # type: ignore[arg-type]
