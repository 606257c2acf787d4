"""How clients share an engine's memory: never more than there is, and nobody waits for ever."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from bot.engine import room as module
from bot.engine import session as session_module
from bot.engine.api import Delta, Sampling
from bot.engine.room import UNITS, Room
from data.chat import Message

TOKENS = 16 * 1024


async def waits(room: Room, tokens: int) -> bool:
    """Whether there is no room for this many tokens now."""
    try:
        async with asyncio.timeout(0.1), room.take(tokens):
            return False
    except TimeoutError:
        return True


async def test_short_conversations_run_together_and_whole_ones_four_at_once(tmp_path: Path) -> None:
    for tokens, at_once in ((1, 16), (1024, 16), (1025, 8), (4096, 4), (TOKENS, 1), (10 * TOKENS, 1)):
        room = Room(tmp_path / "0001.room", TOKENS)
        async with AsyncExitStack() as stack:
            for _ in range(at_once):
                assert not await waits(room, tokens)
                await stack.enter_async_context(room.take(tokens))
            assert await waits(room, tokens)
        assert not await waits(room, TOKENS)  # all of it is given back
    assert not await waits(Room(tmp_path / "tiny.room", 4), 4)


async def test_what_was_taken_before_an_error_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room, asked = Room(tmp_path, TOKENS), module.FileLock.exclusive

    def fails(lock: module.FileLock) -> bool:
        if str(Path(f"/proc/self/fd/{lock.fileno()}").readlink()).endswith("03"):
            raise OSError(24, "Too many open files")
        return asked(lock)

    with monkeypatch.context() as patch:
        patch.setattr(module.FileLock, "exclusive", fails)
        with pytest.raises(OSError, match="Too many"):
            await waits(room, TOKENS)
    assert not await waits(room, TOKENS)


async def test_an_answer_that_ends_in_an_error_gives_its_room_back(tmp_path: Path) -> None:
    room = Room(tmp_path, TOKENS)
    with pytest.raises(OSError, match="broke off") as kept:
        async with room.take(TOKENS):
            raise OSError("it broke off")
    assert kept.value.__traceback__  # so nothing that it held was collected
    assert not await waits(room, TOKENS)


@pytest.mark.process
async def test_two_clients_share_it_and_a_killed_one_gives_its_part_back(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys, time; from pathlib import Path; from bot.engine.room import Room\n"
        "async def main():\n"
        "    async with Room(Path(sys.argv[1]), 16384).take(12288):\n"
        "        print('held', flush=True); time.sleep(60)\n"
        "asyncio.run(main())"
    )
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", script, tmp_path, stdout=subprocess.PIPE)
    try:
        assert other.stdout
        assert await asyncio.wait_for(other.stdout.readline(), 30) == b"held\n"
        room = Room(tmp_path, TOKENS)
        assert not await waits(room, 4096)
        assert await waits(room, 4097)
    finally:
        other.kill()
        await other.wait()
    assert not await waits(room, TOKENS)


async def test_who_needs_much_is_not_overtaken_by_those_who_need_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_STEP", 0.001)
    room, order = Room(tmp_path, TOKENS), []

    async def take(name: str, tokens: int) -> None:
        async with room.take(tokens):
            order.append(name)

    async with AsyncExitStack() as stack:
        for _ in range(UNITS - 1):
            await stack.enter_async_context(room.take(1))
        tasks = [asyncio.create_task(take(f"{tokens}", tokens)) for tokens in (4096, 1)]
        await asyncio.sleep(0.05)
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["4096", "1"]


async def test_a_question_that_is_given_up_while_it_waits_holds_nothing(tmp_path: Path) -> None:
    room = Room(tmp_path, TOKENS)
    async with room.take(TOKENS):
        assert await waits(room, 1)
        assert await waits(room, 1)
    assert not await waits(room, TOKENS)


@pytest.mark.parametrize(("counted", "most", "taken"), [(100, 512, 612), (3000, 512, 3512), (4000, 512, 4096)])
async def test_an_answer_takes_room_for_its_prompt_and_its_longest_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: int, most: int, taken: int
) -> None:
    asked: list[int] = []

    class Recorded(Room):
        @asynccontextmanager
        async def take(self, tokens: int) -> AsyncIterator[None]:
            asked.append(tokens)
            yield

    async def count(*_: object, thinks: bool) -> int:
        assert not thinks
        return counted

    async def answered(*_: object) -> AsyncIterator[Delta]:
        yield Delta("Hello")

    wire = SimpleNamespace(dialect=SimpleNamespace(messages=lambda messages: messages))
    backend = SimpleNamespace(
        release=1, model=None, control=(), context_length=4096, template="", counting=None, wire=wire
    )
    backend.room = Recorded(tmp_path, TOKENS)
    monkeypatch.setattr(session_module, "count", count)
    monkeypatch.setattr(session_module.HttpSession, "_answered", answered)
    session = session_module.HttpSession(backend)  # type: ignore[arg-type]  # a namespace with what it needs
    question = [Message(role="user", content="Hello!")]
    for _ in range(2):  # counted by the session itself, and then known
        assert [event async for event in session.stream(question, Sampling(max_tokens=most))] == [Delta("Hello")]
    assert asked == [taken, taken]
    backend.room = None
    assert [event async for event in session.stream(question, Sampling())] == [Delta("Hello")]
    assert len(asked) == 2
