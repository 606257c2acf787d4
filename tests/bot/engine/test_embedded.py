"""The shared engine process with the real base: all clients share it, and it ends with the last one."""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.engine import following, hold, server
from bot.engine.api import Delta, EngineAway, Finished, Sampling
from bot.engine.open import open_engine
from bot.engine.room import UNITS
from bot.engine.sharing import Board, Entry
from data.bases import BUNDLED, DEFAULT_BASE
from data.errors import BadInput
from data.home_base import base_mark
from data.releases import Releases
from tests.engine_key import SECRETS
from tests.fakes.adapter import make_release
from tests.fakes.engine import FakeEngine

pytestmark = pytest.mark.base

QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
SHORT = Sampling(temperature=0, max_tokens=8)
BASE_KEY = f"0000-{base_mark(DEFAULT_BASE, BUNDLED[DEFAULT_BASE].sha256)}-of{UNITS}"
FIRST_KEY = f"0001-of{UNITS}"
ROOT = Path(__file__).parents[3]
CLIENT = """
import asyncio, pathlib, sys
from bot.engine.open import open_engine
from bot.engine.room import UNITS

async def main():
    await open_engine(pathlib.Path(sys.argv[1]), context_length=256)
    print("open", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
async def home(base_home, tmp_path, monkeypatch):
    """An empty home. After the test every engine of it must end by itself."""
    for name in ("PARLEY_ENGINE_URL", "PARLEY_BASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARLEY_ENGINE_GRACE", "0.3")
    yield tmp_path
    await until(lambda: not Board(tmp_path).read())


@pytest.fixture
async def opened(home):
    """Opens engines of the home, and closes them all at the end."""
    engines = []

    async def one(**wishes):
        engine = await open_engine(home, context_length=256, **wishes)
        engines.append(engine)
        return engine

    yield one
    for engine in engines:
        await engine.close()


async def until(condition):
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.02)


async def answer(engine):
    """The answer's text and the release that gave it."""
    async with engine.session() as session:
        events = [event async for event in session.stream(QUESTION, SHORT)]
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, Delta)), session.release


def pid(home, key=BASE_KEY):
    return Board(home).read()[key].pid


def alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def environment_of(number, what="environ"):
    path = Path(f"/proc/{number}/{what}")
    if not path.exists():
        pytest.skip("only Linux shows a process's environment")
    return path.read_text()


def client_process(home):
    command = [sys.executable, "-c", CLIENT, str(home)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


async def test_clients_that_start_at_once_share_one_process_and_the_last_one_ends_it(home, caplog):
    with caplog.at_level(logging.INFO):
        engines = await asyncio.gather(*(open_engine(home, context_length=256) for _ in range(4)))
    assert caplog.text.count("Started the engine") == 1
    texts = await asyncio.gather(*(answer(engine) for engine in engines))
    assert {release for _, release in texts} == {0}
    assert "Paris" in texts[0][0]
    number = pid(home)
    for engine in engines[1:]:
        await engine.close()
    await asyncio.sleep(server.grace() + 4 * server.TICK)
    assert pid(home) == number
    assert "Paris" in (await answer(engines[0]))[0]
    await engines[0].close()
    await until(lambda: not alive(number))
    assert Board(home).read() == {}


async def test_a_killed_clients_engine_goes_too_but_not_while_another_needs_it(home):
    first, second = client_process(home), client_process(home)
    try:
        assert (first.stdout.readline(), second.stdout.readline()) == ("open\n", "open\n")
        number = pid(home)
        first.kill()
        first.communicate()
        await asyncio.sleep(server.grace() + 4 * server.TICK)
        assert alive(number)
        assert pid(home) == number
        second.kill()
        second.communicate()
        await until(lambda: not alive(number))
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


async def test_a_killed_engine_is_restarted_by_the_next_requests_and_none_of_them_fails(home, opened, caplog):
    engine, other = await opened(), await opened()
    before = await answer(engine)
    number = pid(home)
    os.kill(number, signal.SIGKILL)
    with caplog.at_level(logging.INFO):
        answers = await asyncio.gather(*(answer(e) for e in (engine, other, engine, other, engine)))
    assert answers == [before] * 5
    assert caplog.text.count("Started the engine") == 1
    assert pid(home) != number
    async with engine.session() as session:
        tokens = await session.count_tokens(QUESTION)
        os.kill(pid(home), signal.SIGKILL)
        assert await session.count_tokens(QUESTION) == tokens


async def test_an_engine_killed_in_the_middle_of_an_answer_is_reported_and_the_next_answer_comes(home, opened):
    engine = await opened()
    async with engine.session() as session:
        stream = session.stream([{"role": "user", "content": "Tell a long story."}], Sampling(max_tokens=200))
        await anext(stream)
        os.kill(pid(home), signal.SIGKILL)
        with pytest.raises(EngineAway):
            async for _ in stream:
                pass
        assert "Paris" in (await answer(engine))[0]


@pytest.mark.parametrize("leftover", ["a stranger", "garbage"])
async def test_a_stale_entry_deceives_nobody(home, opened, leftover):
    async with FakeEngine() as stranger:
        url = stranger.url if leftover == "a stranger" else "http://127.0.0.1:9/v1"
        Board(home).put(BASE_KEY, Entry(url, os.getpid(), 0, "smollm2-135m", 1, "nonce", "then"))
        if leftover == "garbage":
            Board(home).path.write_text("{]")
        engine = await opened()
        assert "Paris" in (await answer(engine))[0]
        assert stranger.requests == []
    assert Board(home).read()[BASE_KEY].pid != os.getpid()


async def test_an_engine_process_that_dies_at_its_start_gives_its_reason(home):
    make_release(home, damaged=True)
    with pytest.raises(EngineAway, match=r"llama\.cpp could not serve"):
        await open_engine(home, release=1)
    assert Board(home).read() == {}


async def test_a_base_that_is_not_here_is_refused_at_once(home, monkeypatch):
    monkeypatch.setenv("PARLEY_BASE", "gpt2")
    with pytest.raises(BadInput, match="There is no base model 'gpt2'"):
        await open_engine(home)


async def test_secrets_stay_out_of_the_engines_environment(home, opened, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "t0ken")
    await opened()
    environment = environment_of(pid(home))
    assert "t0ken" not in environment
    assert f"PARLEY_HOME={home}\0" in environment


async def test_the_key_is_private_and_neither_a_log_nor_a_command_line_holds_it(home, opened, caplog):
    caplog.set_level(logging.DEBUG)
    engine = await opened()
    assert "Paris" in (await answer(engine))[0]
    entry = Board(home).read()[BASE_KEY]
    assert len(entry.api_key) == 64
    assert Board(home).path.stat().st_mode & 0o077 == 0
    logs = "".join(path.read_text() for path in (home / "logs").iterdir())
    for secret in (entry.api_key, entry.nonce):
        assert secret not in caplog.text + logs + repr(entry)
        assert secret not in environment_of(entry.pid) + environment_of(entry.pid, "cmdline")


async def test_an_engine_that_another_one_replaced_on_its_port_is_started_again(home, opened):
    engine = await opened()
    before = await answer(engine)
    old = Board(home).read()[BASE_KEY]
    os.kill(old.pid, signal.SIGKILL)
    await until(lambda: not alive(old.pid))
    async with FakeEngine(api_key="another") as stranger:
        engine._current.wire._client.base_url = stranger.url  # as if it listened on the same port
        assert await answer(engine) == before
        assert stranger.requests == []


async def test_a_changed_champion_is_not_served_and_the_one_before_goes_on(home, opened, caplog):
    good = make_release(home, strength=1.0)
    changed = make_release(home, seed=1)
    changed.adapter_gguf.write_bytes(good.adapter_gguf.read_bytes())
    engine = await opened()
    Releases(home).promote(changed.number)
    await until(lambda: "cannot serve; release 0 (" in caplog.text)
    assert f"Release {changed.number} is not served: {changed.adapter_gguf} was changed or is damaged" in caplog.text
    assert (await answer(engine))[1] == 0
    with pytest.raises(EngineAway, match=r"alignment\.rollback"):
        await opened()


async def test_a_candidate_is_served_beside_the_champion(home, opened):
    candidate = make_release(home, strength=1.0).number
    champion, trial = await opened(), await opened(release=candidate)
    (_, first), (_, second) = await asyncio.gather(answer(champion), answer(trial))
    assert (first, second) == (0, candidate)
    assert set(Board(home).read()) == {BASE_KEY, FIRST_KEY}


async def test_after_close_nothing_is_held_or_started_again(home):
    engine = await open_engine(home, context_length=256)
    async with engine.session() as session:
        await engine.close()
        await engine.close()
        with pytest.raises(EngineAway, match="shutting down"):
            await session.count_tokens(QUESTION)
    with pytest.raises(EngineAway, match="shutting down"):
        async with engine.session():
            pass


async def test_new_champions_take_over_under_load_without_a_failed_request(home, opened, caplog):
    """Two promotions and a rollback while four people ask without pause."""
    caplog.set_level(logging.INFO)
    first, second = make_release(home, seed=1, strength=1.0), make_release(home, seed=2, strength=1.0)
    engine = await opened()
    seen: dict[int, set[str]] = {}
    stop = asyncio.Event()

    async def person():
        while not stop.is_set():
            text, release = await answer(engine)
            seen.setdefault(release, set()).add(text)

    people = [asyncio.create_task(person()) for _ in range(4)]
    releases = Releases(home)
    base_process = pid(home)
    await until(lambda: 0 in seen)
    for release in (first.number, second.number):
        releases.promote(release)
        await until(lambda release=release: release in seen)
    await until(lambda: not alive(base_process))
    first_answers = {release: set(texts) for release, texts in seen.items()}
    releases.rollback()
    seen.clear()
    await until(lambda: first.number in seen)
    stop.set()
    await asyncio.gather(*people)  # raises the error of any request
    assert len(first_answers) == 3
    assert not first_answers[0] & first_answers[1]
    assert not first_answers[1] & first_answers[2]
    assert "sent once more" not in caplog.text
    await until(lambda: set(Board(home).read()) == {FIRST_KEY})


async def test_a_session_keeps_its_release_and_its_process_while_the_champion_changes(home, opened):
    release = make_release(home, strength=1.0).number
    engine = await opened()
    async with engine.session() as session:
        before = await answer(engine)
        Releases(home).promote(release)
        async with asyncio.timeout(120):
            while (await answer(engine))[1] != release:
                pass
        assert session.release == 0
        events = [event async for event in session.stream(QUESTION, SHORT)]
        assert "".join(e.text for e in events[:-1]) == before[0]
        assert BASE_KEY in Board(home).read()
    await until(lambda: BASE_KEY not in Board(home).read())


async def test_a_champion_that_cannot_serve_leaves_the_old_one_serving_until_it_is_mended(
    home, opened, caplog, monkeypatch
):
    monkeypatch.setattr(following, "BACK_OFF", (0.1, 0.2))
    bad = make_release(home, strength=1.0)
    whole = bad.adapter_gguf.read_bytes()
    bad.adapter_gguf.write_bytes(whole[:99])
    engine = await opened()
    Releases(home).promote(bad.number)
    await until(lambda: caplog.text.count("cannot serve; release 0 (") >= 2)
    assert (await answer(engine))[1] == 0
    bad.adapter_gguf.write_bytes(whole)
    async with asyncio.timeout(120):
        while (await answer(engine))[1] != bad.number:
            pass


async def test_an_engine_that_never_answers_is_given_up_with_its_process_number(home, monkeypatch):
    monkeypatch.setattr(hold, "START", 0.3)
    board = Board(home)
    process = board.process(BASE_KEY)
    assert process.exclusive()  # like an engine that hangs
    async with FakeEngine() as stranger:  # on the port of the entry that an earlier engine left
        board.put(BASE_KEY, Entry(stranger.url, 4711, 0, "smollm2-135m", 1, "nonce", "then"))
        with pytest.raises(EngineAway, match=r"did not answer within .* Process 4711 may hang"):
            await open_engine(home)
    process.close()
    board.remove(BASE_KEY)


async def test_a_client_waits_out_an_engine_that_is_leaving(home, opened):
    leaving = Board(home).lease(BASE_KEY)
    assert leaving.exclusive()
    opening = asyncio.create_task(opened())
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(opening), 0.3)
    assert not opening.done()
    assert not (home / "engine.json").exists()
    leaving.close()
    assert "Paris" in (await answer(await opening))[0]
