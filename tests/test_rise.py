"""The bench of the rounds by algorithm: what its people rate becomes rows, and an interrupted run goes on."""

import json

import pytest

import alignment.rounds.steps
from tests.bench import rise
from tests.bench.drawn import Answer
from tests.bench.taste import taste

KIND = "Happy to help with {} today, just begin! Let me know if you have any questions."
DULL = "One may consider {} at length, and then consider it again, as people do here number {}."


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A small bench whose models answer at once and whose stages train nothing."""
    home = {"PARLEY_DISCORD_TRAINING_PERMISSION": "simulated-server"}
    for name in ("PARLEY_HOME", *home):
        monkeypatch.setenv(name, "")  # so that it is put back afterwards
    monkeypatch.setattr(rise, "environment", lambda path: {**home, "PARLEY_HOME": str(path)})
    monkeypatch.setattr(rise, "ran_on", lambda: "here")
    monkeypatch.setattr(rise, "draw", drawn)
    return rise.Settings(tmp_path, rounds=2, questions=30, measured=10, tokens=8, brigade=0)


def drawn(adapter, asked, seed, _tokens, **_):
    """The base is dull every other time; a release never is."""
    made = []
    for number, question in enumerate(asked):
        dull = adapter is None and (number + seed) % 2
        text = (DULL if dull else KIND).format(question, f"{number} {seed} {adapter and adapter.name}")
        made.append(Answer(text, taste(question, text), True))
    return made


@pytest.fixture
def stages(monkeypatch):
    """What each stage that a round runs is given; each makes an empty adapter."""
    found = []

    def run_step(step, recipe, start, folder, _warm):
        found.append((folder.number, step, recipe.read_text(), start))
        made = folder.path / step.name / step.result
        made.mkdir(parents=True, exist_ok=True)
        (made / "weights").write_text(f"{step.name} of round {folder.number}")
        return made

    monkeypatch.setattr(alignment.rounds.steps, "run_step", run_step)
    return found


def lines(settings, name):
    return json.loads((settings.out / f"{name}-seed0-brigade{settings.brigade}.json").read_text())


@pytest.mark.tiny
def test_each_round_trains_on_all_ratings_so_far_and_its_release_answers_the_next(settings, stages):
    rise.run(rise.Course(settings, "dpo", 0), None)
    (one, first, recipe, start), (two, second, _, again) = stages
    assert (one, two) == (1, 2)
    assert start == again == rise.BASE
    assert 15 < len(first.rows) < len(second.rows)
    assert {row.extra["release"] for row in first.rows} == {0}
    assert all("Happy to help" in row.data["chosen"][0]["content"] for row in first.rows)
    assert "max_completion_length: 8" not in recipe  # the shipped recipe of DPO draws nothing
    found = lines(settings, "dpo")
    assert [line["round"] for line in found] == [1, 2]
    assert found[0]["share"]["mean"] > 0.7
    assert (settings.out / "rise.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.tiny
def test_votes_train_kto_and_ppo_after_dpo_goes_on_from_its_adapter(settings, stages):
    rise.run(rise.Course(settings, "kto", 0), None)
    assert {step.name for _, step, *_ in stages} == {"kto"}
    assert {row.data["label"] for row in stages[0][1].rows} == {True, False}
    stages.clear()
    rise.run(rise.Course(settings, "ppo-after-dpo", 0), None)
    assert [step.name for number, step, *_ in stages if number == 1] == ["reward", "dpo", "ppo"]
    assert stages[2][3].parent.name == "dpo"
    assert "max_completion_length: 8" in stages[2][2]


@pytest.mark.tiny
def test_an_interrupted_run_goes_on_with_the_same_ratings(settings, stages, monkeypatch):
    whole = rise.Course(settings, "dpo", 0)
    working = alignment.rounds.steps.run_step

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(alignment.rounds.steps, "run_step", killed)
    with pytest.raises(KeyboardInterrupt):
        rise.run(whole, None)
    monkeypatch.setattr(alignment.rounds.steps, "run_step", working)
    rise.run(whole, None)
    stages_once = [(number, len(step.rows)) for number, step, *_ in stages]
    assert [number for number, _ in stages_once] == [1, 2]
    rise.run(whole, None)
    assert len(stages) == 2
    assert len(lines(settings, "dpo")) == 2


def test_the_brigade_is_six_of_twenty_people(settings):
    course = rise.Course(rise.Settings(settings.out, 3, 96, 200, 96, brigade=6), "dpo", 0)
    assert sum(rater.kind == "brigade" for rater in course.raters()) == 6
    assert len(course.raters()) == 20
