"""The plan of a round."""

from pathlib import Path

import pytest

import alignment.round
from alignment.rounds.plan import check_settings, read_plan
from alignment.training.recipe import RECIPES
from data.chosen_base import home_base
from data.errors import BadInput
from tests.data.two_bases import FERN, MOSS, add_base


def test_an_impossible_plan_is_refused(tmp_path: Path) -> None:
    for flags, problem in (
        (["--max_prompts", "0"], "--max_prompts must be at least 1"),
        (["--eval_prompts", "0"], "--eval_prompts must be at least 1"),
        (["--max_held_out", "0"], "--max_held_out must be at least 1"),
        (["--canaries", "99"], "--canaries must be from 0 to 48"),
        (["--base", "gpt2"], "There is no base model 'gpt2' in"),
        (["--dpo_config", str(tmp_path / "no.yaml")], "there is no recipe"),
    ):
        with pytest.raises(BadInput, match=problem):
            read_plan(flags)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on fern; moss is here too, and has no GGUF."""
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARLEY_BASES", str(tmp_path / "bases"))
    monkeypatch.delenv("PARLEY_BASE", raising=False)
    add_base(tmp_path / "bases", "fern", FERN)
    add_base(tmp_path / "bases", "moss", MOSS, gguf=False)
    home_base(tmp_path / "home", "fern", pin=True)
    return tmp_path / "home"


@pytest.mark.parametrize(
    ("algorithm", "recipe", "problem"),
    [
        ("online-dpo", "dpo", "sets no online_every"),
        ("dpo", "online", "is for --algorithm online-dpo"),
        ("online-dpo", "online", None),
        ("auto", "dpo", None),
    ],
)
def test_a_recipe_that_draws_pairs_goes_with_the_algorithm_that_draws_them(
    home: Path, algorithm: str, recipe: str, problem: str | None
) -> None:
    plan = read_plan(["--algorithm", algorithm, "--dpo_config", str(RECIPES / f"{recipe}.yaml")])
    if problem is None:
        check_settings(plan)
        return
    with pytest.raises(BadInput, match=problem):
        check_settings(plan)


def test_a_limit_on_held_out_rows_is_another_plan(home: Path) -> None:
    assert "max_held_out" not in read_plan([]).facts()  # so a round that an earlier version began goes on
    assert read_plan(["--max_held_out", "8"]).facts()["max_held_out"] == 8


def test_a_round_is_on_the_base_of_the_home(home: Path) -> None:
    plan = read_plan(["--base", "fern"])
    assert (read_plan([]).base, plan.base, plan.facts()["base"]) == ("fern", "fern", "fern@ffffffffffff")


def test_another_base_is_refused_before_any_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match=r"--base names the base model moss.*bases switch moss"):
        alignment.round.main(["--base", "moss"])
    monkeypatch.setenv("PARLEY_BASE", "moss")
    with pytest.raises(BadInput, match="PARLEY_BASE names the base model moss"):
        alignment.round.main([])
    assert not (home / "rounds").exists()


def test_a_base_without_a_gguf_is_refused_before_any_work(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_HOME", str(tmp_path / "new"))
    monkeypatch.setenv("PARLEY_BASE", "moss")
    with pytest.raises(BadInput, match=r"moss has no GGUF file.*vLLM.*bases remove moss.*--quantise q8_0"):
        alignment.round.main([])
    assert not (tmp_path / "new").exists()
