"""The candidate on trial next to the champion: opened, held, closed, and compared in the terminal."""

from typing import Any

from bot.conversation import Chat
from bot.engine.api import Engine, EngineError
from bot.settings import Settings
from bot.terminal.chat import Terminal
from bot.texts import EN
from bot.trial import Trial
from data import schema
from tests.bot.discord.world import World, eventually
from tests.bot.terminal.world import Paper, ScriptedLines
from tests.bot.tried import Tried


async def test_a_trial_is_opened_once_and_closed_when_it_ends(tried: Tried):
    trial = tried.trial(usual=0.0)
    assert not trial.due()  # it is still opening
    await eventually(trial.look)
    assert trial.due()
    async with trial.engine() as engine:
        assert engine is not None
        tried.releases.end_trial()
        assert not trial.look()
        assert tried.closed == 0  # an answer still uses it
    await eventually(lambda: tried.closed == 1)
    assert tried.opened == [2]
    tried.releases.put_on_trial(1)
    async with trial.engine() as engine:  # this waits until the candidate serves
        assert engine is not None
    assert tried.opened == [2, 1]
    await trial.close()
    assert tried.closed == 2


async def test_neither_a_candidate_that_cannot_serve_nor_a_broken_file_harms_anybody(tried: Tried, caplog: Any):
    async def start(release: int) -> Engine:
        raise EngineError("its adapter is damaged")

    trial = Trial(tried.home, start, share=1.0)
    trial.look()
    await eventually(lambda: "cannot serve" in caplog.text)
    assert not trial.due()
    async with trial.engine() as engine:
        assert engine is None
    tried.releases.candidate_path.write_text("two")
    assert not trial.due()
    assert "ends here" in caplog.text
    await trial.close()


def test_without_a_way_to_serve_two_releases_there_is_no_trial(tried: Tried):
    assert not Trial(tried.home, None, share=1.0).due()
    assert Trial(tried.home, None, usual=1.0).due()


async def test_in_the_terminal_again_uses_the_candidate_and_names_the_releases_afterwards(world: World, tried: Tried):
    trial, paper = tried.trial(), Paper()
    typed = ScriptedLines(("/consent yes", "y", "hello", "/again", "b", "/again", "tie"))
    world.fake.answer("one")
    world.fake.answer("three")
    tried.fake.answer("two")
    settings = Settings(_env_file=None)
    await Terminal(world.store, Chat(world.store, world.engine), settings, EN, typed, paper, trial).run()  # type: ignore[arg-type]  # a stand-in
    await trial.close()
    named = {"first": EN.the_base, "second": EN.of_release.format(release=2)}
    told = EN.which_was_which.format(**named)
    assert paper.text.index("two") < paper.text.index(EN.stored_comparison) < paper.text.index(told)
    assert EN.serving.format(release=2) not in paper.text
    # The candidate's answer was preferred; the other answer is the champion's.
    generations = await world.rows(schema.Generation)
    assert [row.release for row in generations] == [0, 2, 0]
    assert [(row.generation_id, row.other_id) for row in await world.rows(schema.Rating)] == [(1, 2), (2, 3)]


async def test_a_trial_that_ends_while_nobody_asks_closes_its_engine(tried: Tried):
    trial = tried.trial(usual=0.0)
    trial.look()
    await eventually(trial.look)
    tried.releases.promote(2)
    assert not trial.due()
    await eventually(lambda: tried.closed == 1)
    await trial.close()
    assert tried.closed == 1


async def test_a_candidate_that_fails_in_an_unexpected_way_harms_nobody(tried: Tried):
    async def start(release: int) -> Engine:
        raise KeyError("base")

    trial = Trial(tried.home, start, share=1.0)
    trial.look()
    async with trial.engine() as engine:
        assert engine is None
    assert not trial.due()
    await trial.close()
