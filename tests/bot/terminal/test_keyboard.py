"""The keyboard: what is typed and what is written above it, with keys from a pipe and at a pseudo-terminal."""

import asyncio
import os
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from bot.terminal.keyboard import Keyboard
from bot.texts import EN
from tests.fakes.engine import FakeEngine

ENTER, ALT_ENTER, UP, BACKSPACE, CTRL_C, CTRL_D, HOME = "\r", "\x1b\r", "\x1b[A", "\x7f", "\x03", "\x04", "\x1b[H"
NUL = "\x00"  # what the terminal makes of a Ctrl-D that is typed while text is printed above the line


class Typist:
    """A keyboard, and the person at it."""

    def __init__(self, keys: PipeInput) -> None:
        self._keys = keys
        self.keyboard = Keyboard()

    async def type(self, *keys: str) -> None:
        self._keys.send_text("".join(keys))
        await asyncio.sleep(0.05)

    async def read(self, prompt: str = "") -> str | None:
        async with asyncio.timeout(10):
            return await self.keyboard.read(prompt)


@pytest.fixture
async def typist() -> AsyncIterator[Typist]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        typist = Typist(keys)
        typist.keyboard.start()
        await asyncio.sleep(0.05)
        yield typist
        async with asyncio.timeout(10):
            await typist.keyboard.close()


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("hello" + ENTER, "hello"),
        ("你好，世界" + ENTER, "你好，世界"),
        ("你好" + BACKSPACE + "们" + ENTER, "你们"),
        ("first" + ALT_ENTER + "second" + ENTER, "first\nsecond"),
        ("\x1b[200~two lines\npasted\x1b[201~" + ENTER, "two lines\npasted"),
        ("here" + HOME + CTRL_D + "t" + ENTER, "tere"),  # with text in the line, Ctrl-D deletes
        ("half a line" + CTRL_C + "hello" + ENTER, "hello"),  # and Ctrl-C empties it
        ("typed" + NUL + BACKSPACE * 2 + ENTER, "typ"),  # it selects nothing, so BACKSPACE deletes
        (ENTER, ""),
    ],
)
async def test_a_line_is_what_was_typed(typist: Typist, keys: str, line: str):
    await typist.type(keys)
    assert await typist.read() == line


async def test_earlier_lines_come_back_with_the_arrow_key(typist: Typist):
    await typist.type("one", ENTER, "two", ENTER)
    await typist.type(UP, UP, ENTER)
    assert [await typist.read() for _ in range(3)] == ["one", "two", "one"]


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D])
async def test_ctrl_c_and_ctrl_d_leave_when_no_answer_runs(typist: Typist, key: str):
    await typist.type(key)
    assert await typist.read() is None
    assert await typist.read() is None  # the end stays the end


@pytest.mark.parametrize("keys", [CTRL_C, " /stop " + ENTER])
async def test_a_running_answer_is_stopped_and_other_lines_wait(typist: Typist, keys: str):
    asked = asyncio.create_task(typist.keyboard.stop_asked())
    await typist.type("later", ENTER, "and a beginning")
    assert not asked.done()
    assert await typist.read() == "later"
    await typist.type(BACKSPACE * 20, keys)
    async with asyncio.timeout(10):
        await asked
    await typist.type("go on", ENTER)
    assert await typist.read() == "go on"


async def test_an_answer_is_printed_by_lines_and_what_is_typed_stays_out_of_it(
    typist: Typist, capsys: pytest.CaptureFixture[str]
):
    screen = typist.keyboard.screen
    for piece in ("The first ", "line.\nThe sec", "ond", " line grows"):
        screen.write(piece, "green")
        await typist.type("x")
    assert capsys.readouterr().out == "The first line.\n"
    assert "".join(text for _, text, *_ in screen.growing()) == "The second line grows\n"
    screen.end()
    await typist.type(ENTER)
    assert await typist.read("you> ") == "xxxx"
    await asyncio.sleep(0.05)
    assert capsys.readouterr().out == "The second line grows\nyou> xxxx\n"


async def test_text_that_is_not_complete_is_printed_at_the_end(typist: Typist, capsys: pytest.CaptureFixture[str]):
    typist.keyboard.screen.write("no end")
    await typist.keyboard.close()
    typist.keyboard.screen.line("bye")
    assert capsys.readouterr().out == "no end\nbye\n"


async def test_a_growing_line_is_wrapped_by_the_width_of_its_characters(typist: Typist):
    typist.keyboard.screen.write("世" * 50)  # two columns each, and the screen has 80
    rows = "".join(text for _, text, *_ in typist.keyboard.screen.growing())
    assert rows == f"{'世' * 40}\n{'世' * 10}\n"


async def test_a_growing_line_that_is_too_long_shows_its_newest_rows(typist: Typist):
    typist.keyboard.screen.write("a" * 80 * 60 + "b")
    rows = "".join(text for _, text, *_ in typist.keyboard.screen.growing()).splitlines()
    assert len(rows) == 38  # of the 40 rows of the screen one is the line's, and one stays free
    assert rows[-1] == "b"


# -- a process at a pseudo-terminal, and one at a pipe


def environment(home: Path, url: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "DISCORD_"))}
    own = {"PARLEY_HOME": str(home), "PARLEY_ENGINE_URL": url, "DISCORD_TOKEN": "", "TERM": "xterm"}
    return {**env, **own, "PROMPT_TOOLKIT_NO_CPR": "1"}


class Pseudo:
    """The other end of a pseudo-terminal."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.shown = ""
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            self.shown += os.read(self.descriptor, 65536).decode(errors="replace")
        except OSError:  # nobody holds the other end any more
            asyncio.get_running_loop().remove_reader(self.descriptor)
        self._changed.set()

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    async def until(self, text: str) -> None:
        try:
            async with asyncio.timeout(60):
                while text not in self.shown:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{text!r} was not shown: {self.shown!r}") from None


@pytest.mark.process
async def test_at_a_terminal_ctrl_c_stops_ctrl_d_leaves_and_the_terminal_is_given_back(tmp_path: Path):
    ours, theirs = os.openpty()
    before = termios.tcgetattr(theirs)
    terminal = Pseudo(ours)
    async with FakeEngine() as fake:
        fake.answer("half an ", "never", hold=asyncio.Event())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "--platform", "terminal"),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(tmp_path, fake.url),
            start_new_session=True,
        )
        await terminal.until(EN.you.strip())  # blanks at the end are not drawn
        terminal.type("你好\r")
        await terminal.until("half an")
        terminal.type("typed")
        await terminal.until("typed")
        terminal.type(CTRL_C)
        await terminal.until(EN.stopped)
        leaving = asyncio.create_task(terminal.until(EN.goodbye))
        while not leaving.done():  # keys that arrive while one prompt gives way to the next may be lost
            terminal.type(BACKSPACE * 5 + CTRL_D)
            await asyncio.wait([leaving], timeout=3)
        await leaving
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    assert fake.requests[0]["messages"][-1]["content"] == "你好"
    assert termios.tcgetattr(theirs) == before
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)
    os.close(theirs)


@pytest.mark.process
async def test_a_pipe_does_without_prompt_toolkit(tmp_path: Path):
    program = (
        "import runpy, sys\n"
        "sys.argv = ['bot', '--platform', 'terminal']\n"
        "try:\n"
        "    runpy.run_module('bot', run_name='__main__')\n"
        "except SystemExit:\n"
        "    print('prompt_toolkit' in sys.modules, 'discord' in sys.modules)\n"
    )
    async with FakeEngine() as fake:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(tmp_path, fake.url),
        )
        async with asyncio.timeout(60):
            written, _ = await process.communicate(b"/quit\n")
    assert written.decode().splitlines()[-1] == "False False"
