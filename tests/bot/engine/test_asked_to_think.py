"""Personas that ask the model to think first: what engines are told, and what is recorded."""

import json

import pytest

from bot.engine.api import Sampling
from bot.engine.dialect import Dialect
from bot.engine.open import open_engine
from bot.opening import cannot_think
from bot.settings import Settings
from tests.bot.engine.asked import FIVE, HELLO, said
from tests.fakes.base import make_base
from tests.fakes.odd import chunk, error, events
from tests.fakes.vllm import FakeVllm

THINKS = Sampling(max_tokens=50, thinks=True)
ARGUMENTS = "chat_template_kwargs"


def test_a_request_says_so_only_where_the_model_can():
    dialect = Dialect({ARGUMENTS: {"enable_thinking": False, "tone": "dry"}})
    assert dialect.body("m", HELLO, THINKS)[ARGUMENTS] == {"enable_thinking": False, "tone": "dry"}
    assert dialect.sampled(THINKS)["thinks"] is False
    dialect.thoughtful = {"enable_thinking": True, "parley_thinks": True}
    told = {"enable_thinking": True, "parley_thinks": True, "tone": "dry"}
    assert dialect.body("m", HELLO, THINKS)[ARGUMENTS] == told
    assert dialect.sampled(THINKS)["thinks"] is True
    assert dialect.body("m", HELLO, Sampling())[ARGUMENTS] == {"enable_thinking": False, "tone": "dry"}
    assert "thinks" not in dialect.sampled(Sampling())


async def test_a_vllm_with_a_base_that_thinks_counts_and_answers_with_the_same_words(elsewhere, tmp_path):
    make_base(tmp_path / "bases", thinks=True, thinking_switch="thinking")
    async with FakeVllm(tmp_path / "bases" / "toy" / "hf") as fake:
        engine = await open_engine(tmp_path / "home", url=fake.url)
        fake.answer("<think>\nTwo and three.\n</think>\n\n", FIVE)
        text, thoughts, reason = await said(engine, sampling=THINKS)
        assert (text, thoughts.strip(), reason) == (FIVE, "Two and three.", "stop")
        assert fake.requests[-1][ARGUMENTS] == {"thinking": True, "parley_thinks": True}
        assert (await said(engine))[2] == "stop"
        assert fake.requests[-1][ARGUMENTS] == {"thinking": False}
        async with engine.session() as session:
            assert await session.count_tokens(HELLO, thinks=True) > 10
        await engine.close()


async def test_a_base_that_does_not_think_is_not_asked_to(base, tmp_path):
    async with FakeVllm(tmp_path / "bases" / "toy" / "hf") as fake:
        engine = await open_engine(tmp_path / "home", url=fake.url)
        await said(engine, sampling=THINKS)
        assert ARGUMENTS not in fake.requests[-1]
        await engine.close()


async def test_another_model_is_asked_in_the_usual_way(odd, opened):
    engine = await opened(odd)
    odd.reply(events(chunk({"reasoning_content": "Hm."}), chunk({"content": FIVE}), chunk({}, "stop")))
    assert await said(engine, sampling=THINKS) == (FIVE, "Hm.", "stop")
    assert odd.requests[-1][ARGUMENTS] == {"enable_thinking": True}


async def test_a_server_that_refuses_the_field_answers_without_it_and_that_is_recorded(odd, opened):
    engine = await opened(odd)
    odd.refuse(ARGUMENTS, error(400, f"Unrecognized request argument supplied: {ARGUMENTS}"))
    assert (await said(engine, sampling=THINKS))[0] == FIVE
    async with engine.session() as session:
        assert session.sampled(THINKS)["thinks"] is False


def settings(home, **more):
    (home / "personas").mkdir(parents=True)
    for name, thinks in (("judge", "true"), ("shop", "false")):
        (home / "personas" / f"{name}.toml").write_text(f'system_prompt="x"\ngreeting="y"\nthinks={thinks}\n')
    return Settings(_env_file=None, home=home, **more)


class Engine:
    def __init__(self, reason=None):
        self.reason = reason

    def cannot_serve(self, release):
        return self.reason


@pytest.mark.parametrize(
    ("thinks", "releases", "said"),
    [
        (False, None, "the base model toy does not think"),
        (True, "ollama", "Ollama is not asked for that"),
        (True, None, None),
    ],
)
def test_a_start_says_whose_wish_to_think_is_not_met(elsewhere, tmp_path, thinks, releases, said):
    make_base(tmp_path / "bases", thinks=thinks)
    sentence = cannot_think(settings(tmp_path / "home", engine_releases=releases), Engine())
    if said is None:
        assert sentence is None
    else:
        assert sentence == f"The persona judge asks the model to think first, but {said}, so it answers at once."


def test_nothing_is_known_against_another_model(base, tmp_path):
    assert cannot_think(settings(tmp_path / "home"), Engine("It answers as a model of its own.")) is None


def test_what_is_recorded_is_plain_json():
    assert json.loads(json.dumps(THINKS.as_dict()))["thinks"] is True
