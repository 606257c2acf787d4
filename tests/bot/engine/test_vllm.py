"""Releases on vLLM, played by `tests.fakes.vllm`: champion, trial, rollback, restart, refusals, expiry."""

import asyncio
import logging
from contextlib import aclosing

import numpy as np
import pytest

from bot.engine import following, unused, vllm
from bot.engine.api import ContextTooLong, Delta, EngineError, Sampling
from bot.engine.open import open_engine
from bot.trial import Trial
from data.errors import BadInput
from data.home_base import base_mark
from data.vllm import base_problem
from tests.bot.engine.asked import HELLO, eventually, said, serving, until
from tests.fakes.base import make_base, make_release_of
from tests.fakes.vllm import FakeVllm


@pytest.fixture
async def fake(base, tmp_path):
    async with FakeVllm(tmp_path / "bases" / "toy" / "hf") as fake:
        yield fake


@pytest.fixture
async def opened(home, fake):
    engines = []

    async def open_it(**more):
        engines.append(await open_engine(home, url=fake.url, **more))
        return engines[-1]

    yield open_it
    for engine in engines:
        await engine.close()


async def test_the_base_serves_first_and_then_each_champion(fake, base, home, releases, opened):
    engine = await opened()
    async with engine.session() as session:
        assert (session.release, session.model) == (0, base_mark("toy", base.sha256))
        assert session.context_length == 2048
        assert "<|im_end|>" in session.control
        assert session.template
    release = make_release_of(home, base)
    releases.promote(1)
    await until(engine, 1)
    await said(engine)
    (name,) = fake.adapters
    assert name.startswith("release-0001-")
    assert fake.adapters[name] == str(release.adapter)
    assert fake.requests[-1]["model"] == name
    async with engine.session() as session:
        assert session.model is None
        assert session.context_length == 2048  # the parent's: an adapter has none of its own
        assert await session.count_tokens(HELLO) > 10


async def test_an_answer_that_runs_ends_with_its_release_while_the_next_one_serves(
    fake, base, home, releases, opened
):
    for weights in ("one", "two"):
        make_release_of(home, base, weights=weights)
    releases.promote(1)
    engine = await opened()
    hold = asyncio.Event()
    fake.answer("old ", "answer", hold=hold)
    async with engine.session() as session, aclosing(session.stream(HELLO, Sampling())) as events:
        assert await anext(events) == Delta("old ")
        releases.promote(2)
        await until(engine, 2)
        assert (await said(engine))[2] == "stop"
        hold.set()
        rest = [event async for event in events]
    assert rest[0] == Delta("answer")
    first, second = fake.requests
    assert first["model"].startswith("release-0001-")
    assert second["model"].startswith("release-0002-")
    releases.rollback()
    await until(engine, 1)
    assert [kind for kind, _ in fake.orders] == ["load", "load"]  # release 1 was still there


def computing(log_probs):
    """For `FakeVllm.computes`: a prompt's own tokens after the first one have these log-probabilities."""

    def computes(_adapter, ids):
        found = np.full((len(log_probs), 16), -1.0, dtype=np.float32)
        found[range(len(log_probs)), ids[1 : 1 + len(log_probs)]] = log_probs
        return found

    return computes


@pytest.mark.parametrize("off", [0.02, -0.02, 1.0, None])
async def test_weights_out_of_sight_are_known_by_what_they_make_of_a_conversation(elsewhere, tmp_path, off):
    ids, log_probs = (7, 8, 9, 10), (-0.5, -2.0, -3.25)
    make_base(tmp_path / "bases", probe_ids=ids, probe_log_probs=log_probs)
    async with FakeVllm(tmp_path / "bases" / "toy" / "hf", root="/elsewhere/toy/hf") as fake:
        fake.computes = computing([] if off is None else [value + off for value in log_probs])
        opening = open_engine(tmp_path / "home", url=fake.url)
        if off == 1.0:
            with pytest.raises(EngineError, match=r"other weights than the base model toy: .* 1\.00 nats away"):
                await opening
        else:
            engine = await opening
            assert (await said(engine))[2] == "stop"
            await engine.close()


async def test_a_candidate_answers_beside_the_champion(fake, base, home, releases, opened):
    make_release_of(home, base)
    engine = await opened()
    trial = Trial(home, lambda number: opened(release=number), share=1.0)
    releases.put_on_trial(1)
    async with trial.engine(beside=0) as candidate:
        assert candidate is not None
        assert (await serving(engine), await serving(candidate)) == (0, 1)
        await said(candidate)
        await said(engine)
    assert fake.requests[0]["model"].startswith("release-0001-")
    assert fake.requests[1]["model"] == fake.root
    await trial.close()


async def test_a_vllm_that_forgot_its_adapters_gets_them_again(fake, base, home, releases, opened, caplog):
    make_release_of(home, base)
    releases.promote(1)
    engine = await opened()
    fake.forget()
    answers = await asyncio.gather(*(said(engine) for _ in range(3)))
    assert [reason for _, _, reason in answers] == ["stop"] * 3
    assert [kind for kind, _ in fake.orders] == ["load", "load"]  # once for all three
    assert "had forgotten a release" in caplog.text
    fake.forget()
    async with engine.session() as session:
        assert await session.count_tokens(HELLO) > 10


async def test_a_vllm_that_came_back_with_another_template_does_not_answer(fake, base, home, releases, opened):
    make_release_of(home, base)
    releases.promote(1)
    engine = await opened()
    fake.forget()
    fake.tail = "<think>"
    for _ in range(2):
        with pytest.raises(EngineError, match="makes other tokens"):
            await said(engine)
    assert not fake.adapters
    fake.tail, fake.loads = "", False
    with pytest.raises(EngineError, match="takes no adapters"):
        await said(engine)


async def test_another_template_or_tokenizer_is_refused(fake, base, opened):
    fake.tail = "<think>\n"
    with pytest.raises(EngineError, match=r"other tokens .* from token \d+ on"):
        await opened()


async def test_another_base_talks_under_its_own_name_and_serves_no_release(
    fake, base, home, releases, opened, caplog
):
    fake.root = "Qwen/Qwen3-4B"
    engine = await opened()
    assert "answers as 'Qwen/Qwen3-4B', whatever release is the champion" in caplog.text
    assert "It serves Qwen/Qwen3-4B, and the base model of this home is toy." in caplog.text
    async with engine.session() as session:
        assert (session.release, session.model) == (0, "Qwen/Qwen3-4B")
    make_release_of(home, base)
    assert "do not reach it" in str(engine.cannot_serve(1))
    with pytest.raises(EngineError, match=r"cannot serve release 1\. It serves Qwen"):
        await opened(release=1)
    releases.promote(1)
    with pytest.raises(EngineError, match=r"cannot serve release 1\. It serves Qwen/Qwen3-4B"):
        await opened()
    named = await opened(model="Qwen/Qwen3-4B")  # the operator wants that model
    assert await serving(named) == 0


@pytest.mark.parametrize("root", ["/elsewhere/toy/hf", "Some/Toy"])
async def test_the_base_is_known_from_afar_by_its_folder_or_by_its_id(root, tmp_path, opened, fake):
    make_base(tmp_path / "bases", "toy2", source="Some/Toy")
    info = vllm.base_info("toy2")
    assert (base_problem({"root": root.replace("toy", "toy2")}, info) is None) is True
    assert base_problem({"root": "/elsewhere/toy3/hf"}, info)
    assert base_problem({"root": str(tmp_path)}, info)  # a folder that is here, and another one


async def test_a_release_that_cannot_be_loaded_says_why(fake, base, home, releases, opened):
    make_release_of(home, base)
    whole = make_release_of(home, base, weights="whole", kind="model")
    engine = await opened()
    assert engine.cannot_serve(1) is None
    assert "is a whole model, which vLLM cannot load" in str(engine.cannot_serve(whole.number))
    fake.rank = 64
    with pytest.raises(BadInput, match="lora rank 64 is greater than max_lora_rank 16"):
        await opened(release=1)
    fake.loads = False
    with pytest.raises(BadInput, match=r"takes no adapters.*GPT-2"):
        await opened(release=1)
    fake.loads, fake.rank = True, 16
    (home / "releases" / "0001" / "adapter" / "adapter_model.safetensors").write_text("damaged")
    with pytest.raises(BadInput, match="was changed or is damaged"):
        await opened(release=1)
    assert not fake.adapters


async def test_a_champion_that_cannot_serve_leaves_the_old_one_serving(
    fake, base, home, releases, opened, caplog, monkeypatch
):
    engine = await opened()
    fake.loads = False
    make_release_of(home, base)
    releases.promote(1)

    async def said_so():
        return "Release 1, the new champion, cannot serve; release 0 (toy@abababababab) still does" in caplog.text

    await eventually(said_so, True)
    assert await serving(engine) == 0
    assert str(engine.cannot_serve(1)).startswith(
        "Release 1 cannot serve, so release 0 (toy@abababababab) still does."
    )
    fake.loads = True
    monkeypatch.setattr(following, "BACK_OFF", (0.0, 0.0))
    releases.promote(0)
    await eventually(lambda: asyncio.sleep(0, engine.cannot_serve(1)), None)
    releases.promote(1)
    await until(engine, 1)


async def test_a_champion_whose_new_files_do_not_serve_goes_on_with_the_old_ones(
    base, home, releases, opened, caplog, monkeypatch
):
    async def fails(*_):
        raise BadInput("There is no memory.")

    make_release_of(home, base)
    releases.promote(1)
    engine = await opened()
    assert await serving(engine) == 1
    monkeypatch.setattr(vllm.RemoteModel, "outdated", lambda _: True)
    monkeypatch.setattr(vllm.VllmServer, "serve", fails)
    sentence = "Release 1 still serves as before, because what should serve now cannot."
    await eventually(lambda: asyncio.sleep(0, sentence in caplog.text), True)
    assert "There is no memory." in caplog.text
    assert str(engine.cannot_serve(1)) == f"{sentence} The bot's log says why."


async def test_the_folder_of_the_releases_may_have_another_path_there(fake, base, home, releases, opened):
    release = make_release_of(home, base)
    releases.promote(1)
    fake.seen_as["/mnt/releases/0001/adapter"] = release.adapter
    engine = await opened(adapters="/mnt/releases/")
    assert list(fake.adapters.values()) == ["/mnt/releases/0001/adapter"]
    assert await serving(engine) == 1
    fake.forget()
    with pytest.raises(BadInput, match=r"does not find the adapter of release 1 at /other/0001/adapter.*ADAPTERS"):
        await opened(adapters="/other")


@pytest.mark.played
async def test_what_nobody_needs_is_taken_out_after_a_while(fake, base, home, releases, opened, caplog, monkeypatch):
    monkeypatch.setattr(following, "FORGET", 0.0)
    monkeypatch.setattr(unused, "UNUSED", 0.05)
    caplog.set_level(logging.INFO)
    fake.adapters["release-0009-12345678"] = "another home's"
    for weights in ("one", "two", "three"):
        make_release_of(home, base, weights=weights)
    releases.promote(1)
    engine = await opened()
    releases.promote(2)
    await until(engine, 2)
    releases.put_on_trial(3)
    await opened(release=3)

    async def unloaded():
        return any(name.startswith("release-0001-") and kind == "unload" for kind, name in fake.orders)

    await eventually(unloaded, True)
    await asyncio.sleep(0.2)
    assert sorted(name[:12] for name in fake.adapters) == ["release-0002", "release-0003", "release-0009"]
    releases.rollback()
    await until(engine, 1)  # it is loaded again
    assert any(name.startswith("release-0001-") for name in fake.adapters)


async def test_a_release_that_was_made_anew_is_another_adapter(fake, base, home, opened, tmp_path):
    make_release_of(home, base, weights="one")
    await opened(release=1)
    other = tmp_path / "other"
    make_release_of(other, base, weights="two")
    engine = await open_engine(other, url=fake.url, release=1)
    assert len(fake.adapters) == 2
    await engine.close()


async def test_a_conversation_that_is_too_long_is_cut_to_the_parents_context(fake, base, home, releases, opened):
    make_release_of(home, base)
    releases.promote(1)
    engine = await opened()
    with pytest.raises(ContextTooLong):
        await said(engine, messages=[{"role": "user", "content": "word " * 4000}])


async def test_a_vllm_that_is_away_at_the_start_serves_the_champion_later(fake, base, home, releases, opened, caplog):
    make_release_of(home, base)
    releases.promote(1)
    port = int(fake.url.split(":")[2].split("/")[0])
    await fake.stop()
    engine = await opened()
    assert "The bot starts without it" in caplog.text
    assert engine.cannot_serve(7) is None  # nothing is known yet
    await fake.start(port)
    assert (await said(engine))[2] == "stop"
    assert await serving(engine) == 1
