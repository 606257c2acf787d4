"""`--search N`: trials, resumption, the best recipe."""

import json

import optuna
import pytest
import yaml

import alignment.search.trials
import alignment.sft
from alignment.search import report
from alignment.search.ranges import Goal, Range, goal, ranges
from alignment.search.trials import Reporter
from alignment.training.errors import Diverged
from alignment.training.recipe import RECIPES, help_text, load
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.running import command

pytestmark = pytest.mark.tiny

LOSS = Goal("loss", lower_is_better=True)
RECIPE = """\
# A recipe for tests.
model_name_or_path: {base}
use_peft: true
lora_dropout: 0.0

# How fast it learns.
learning_rate: 1.0e-2
per_device_train_batch_size: 4

# What is tried.
search:
  learning_rate: {{low: 1e-6, high: 1.0e-1, log: true}}
  lora_r: {{choices: [2, 4]}}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    base = tiny.build("qwen", folder / "base")
    rows = tiny.write(folder / "rows.jsonl", tiny.demonstrations(12))
    (folder / "recipe.yaml").write_text(RECIPE.format(base=base))
    return folder, base, rows


def argv(world, out, number, **flags):
    folder, base, rows = world
    told = command(
        "sft",
        base,
        rows,
        out,
        **{"num_train_epochs": None, "max_steps": 4, "save_steps": 2, "learning_rate": None, "lora_r": None, **flags},
    )
    return [*map(str, told), "--config", str(folder / "recipe.yaml"), "--search", str(number)]


def trials(out):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(out / "search.journal")))
    return optuna.load_study(study_name="search", storage=storage).trials


@pytest.fixture(scope="module")
def searched(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    assert alignment.sft.main(argv(world, out, 3)) == 0
    return out


def test_the_best_trial_is_kept_and_its_recipe_trains(world, searched, tmp_path):
    found = trials(searched)
    assert [trial.state.name for trial in found] == ["COMPLETE"] * 3
    assert len({trial.params["learning_rate"] for trial in found}) == 3
    best = min(found, key=lambda trial: trial.value)
    assert [path.name for path in (searched / "trials").iterdir()] == [f"{best.number:04}"]
    figures = json.loads((searched / "trials" / f"{best.number:04}" / "manifest.json").read_text())["figures"]
    assert figures["eval_after"]["loss"] == pytest.approx(best.value, abs=1e-5)
    assert (searched / "trials.png").read_bytes().startswith(b"\x89PNG")
    assert (searched / "trials.md").read_text().count("\n") == 5

    text = (searched / "best.yaml").read_text()
    recipe = yaml.safe_load(text)
    assert recipe["learning_rate"] == best.params["learning_rate"]
    assert recipe["lora_r"] == best.params["lora_r"]
    assert "# How fast it learns.\nlearning_rate: " in text
    assert "search" not in recipe
    assert "eval_steps" not in recipe
    # It is a whole run by itself, and gets the figure that it promises.
    assert alignment.sft.main(["--config", str(searched / "best.yaml"), "--output_dir", str(tmp_path / "best")]) == 0
    again = json.loads((tmp_path / "best" / "manifest.json").read_text())["figures"]
    assert again["eval_after"]["loss"] == pytest.approx(best.value, rel=1e-5)


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(world, searched, tmp_path, monkeypatch):
    out = tmp_path / "out"
    real = Reporter.on_evaluate

    def killed(self, args, state, control, **kwargs):
        real(self, args, state, control, **kwargs)
        if self.trial.number == 1 and state.global_step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "on_evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        alignment.sft.main(argv(world, out, 2))
    assert [trial.state.name for trial in trials(out)] == ["COMPLETE", "RUNNING"]
    monkeypatch.setattr(Reporter, "on_evaluate", real)
    assert alignment.sft.main(argv(world, out, 2)) == 0
    whole = trials(searched)[:2]
    assert [trial.params for trial in trials(out)] == [trial.params for trial in whole]
    assert [trial.value for trial in trials(out)] == pytest.approx([trial.value for trial in whole], rel=1e-4)
    # Complete: the same command trains nothing more.
    monkeypatch.setattr(alignment.search.trials.Search, "_try", None)
    assert alignment.sft.main(argv(world, out, 2)) == 0
    with pytest.raises(BadInput, match=r"another search \(another flags\)"):
        alignment.sft.main(argv(world, out, 2, weight_decay=0.1))


class _Trial:
    """Stands for optuna's trial: takes reports, says when to stop."""

    number = 0

    def __init__(self, prune):
        self.study, self.intermediate_values, self.prune = self, {}, prune
        self.trials = [self]

    def report(self, value, step):
        self.intermediate_values[step] = value

    def should_prune(self):
        return self.prune


class _State:
    def __init__(self, step):
        self.global_step, self.max_steps = step, 20


def test_a_trial_that_falls_behind_is_stopped_but_not_before_or_after_training():
    reporter = Reporter(_Trial(prune=True), LOSS)
    for step in (0, 20):
        reporter.on_evaluate(None, _State(step), None, metrics={"eval_loss": 2.0})
    with pytest.raises(optuna.TrialPruned):
        reporter.on_evaluate(None, _State(5), None, metrics={"eval_loss": 3.0})
    assert reporter.trial.intermediate_values == {25: 3.0}
    with pytest.raises(BadInput, match="what is: accuracy, loss"):
        Reporter(_Trial(prune=False), Goal("rewards/margins", lower_is_better=False)).on_evaluate(
            None, _State(5), None, metrics={"eval_loss": 3.0, "eval_accuracy": 1.0}
        )


def test_bad_learning_rates_are_stopped_early(world, tmp_path, monkeypatch):
    monkeypatch.setattr(alignment.search.trials, "BEFORE_PRUNING", 1)
    assert alignment.sft.main(argv(world, tmp_path / "out", 4)) == 0
    found = trials(tmp_path / "out")
    stopped = [trial for trial in found if trial.state.name == "PRUNED"]
    assert stopped
    best = min((trial for trial in found if trial.state.name == "COMPLETE"), key=lambda trial: trial.value)
    assert all(report.value_of(trial) > best.value for trial in stopped)
    assert "stopped early" in (tmp_path / "out" / "trials.md").read_text()
    assert [path.name for path in (tmp_path / "out" / "trials").iterdir()] == [f"{best.number:04}"]


class _Run:
    """Stands for the run folder of a trial that was interrupted."""

    def __init__(self, rewards):
        self.lines = [{"step": step, "reward": reward} for step, reward in enumerate(rewards, start=1)]

    def metrics(self):
        return [*self.lines, {"step": len(self.lines), "eval_reward": 9.0}]


def test_where_nothing_is_held_out_the_last_quarter_of_the_steps_counts():
    rewards = [0.0] * 6 + [1.0, 2.0]
    for done in (0, 5):
        reporter = Reporter(_Trial(prune=False), goal("ppo", None), _Run(rewards[:done]))
        reporter.on_train_begin(None, _State(done), None)
        for step, reward in list(enumerate(rewards, start=1))[done:]:
            reporter.on_log(None, _State(step), None, logs={"loss": 0.1, "reward": reward})
        assert reporter.goal.direction == "maximize"
        assert reporter.value == 1.5


def test_a_batch_of_bad_luck_stops_no_trial():
    """What training logs is compared by its mean over a quarter of the way, not by each of its values."""
    reporter = Reporter(_Trial(prune=False), goal("ppo", None))
    for step in range(1, 21):
        reporter.on_log(None, _State(step), None, logs={"loss": 0.1, "reward": float(step)})
        reporter.on_log(None, _State(step), None, logs={"loss": 0.1})  # a later step on the same rollout
    assert reporter.trial.intermediate_values == {25: 3.0, 50: 8.0, 75: 13.0}
    with pytest.raises(BadInput, match="what is: loss, reward"):
        Reporter(_Trial(prune=False), Goal("accuracy", lower_is_better=False, held_out=False)).on_log(
            None, _State(1), None, logs={"loss": 0.1, "reward": 1.0}
        )


def test_a_trial_that_diverged_is_a_failed_one_and_the_search_goes_on(world, tmp_path, monkeypatch):
    real, calls = alignment.search.trials.Search._check, []

    def check(self, stage, trial, reporter):
        calls.append(trial.number)
        if trial.number == 0:
            raise Diverged("no numbers any more")
        return real(self, stage, trial, reporter)

    monkeypatch.setattr(alignment.search.trials.Search, "_check", check)
    assert alignment.sft.main(argv(world, tmp_path / "out", 2)) == 0
    assert [trial.state.name for trial in trials(tmp_path / "out")] == ["FAIL", "COMPLETE"]
    assert calls == [0, 1]


@pytest.mark.parametrize("stage", ["sft", "dpo", "kto", "reward", "ppo"])
def test_every_shipped_recipe_can_be_searched(stage):
    mapping = load(RECIPES / f"{stage}.yaml")["search"]
    found = ranges(mapping, goal(stage, None), stage)
    assert "learning_rate" in [each.name for each in found]
    assert "--search N" in help_text(stage)


def test_metrics_have_a_direction():
    assert goal("sft", None) == LOSS
    assert goal("dpo", "eval_rewards/margins") == Goal("rewards/margins", lower_is_better=False)
    assert goal("dpo", "preference_accuracy").direction == "maximize"
    with pytest.raises(BadInput, match=r"--search_metric accurcy: .*Did you mean 'accuracy'"):
        goal("sft", "accurcy")


def test_ranges_are_read():
    mapping = {
        "learning_rate": {"low": "1e-5", "high": 1e-3, "log": True},
        "num_train_epochs": {"low": 1, "high": 3},
        "use_rslora": {"choices": [True, False]},
    }
    assert ranges(mapping, LOSS, "r") == [
        Range("learning_rate", low=1e-5, high=1e-3, log=True),
        Range("num_train_epochs", low=1, high=3, whole=True),
        Range("use_rslora", choices=(True, False)),
    ]


@pytest.mark.parametrize(
    ("mapping", "sentence"),
    [
        (None, "has no ranges to search"),
        ([1], "expected lines of"),
        ({"seed": {"choices": [1, 2]}}, "seed cannot be searched"),
        ({"beta": {"low": 0.1, "high": 1.0}}, "beta changes what the held-out loss measures"),
        ({"lora_r": 8}, "must be {low"),
        ({"lora_r": {"low": 8, "hihg": 9}}, "unknown key 'hihg'. Did you mean 'high'"),
        ({"lora_r": {"low": 8, "high": 8}}, "low below high"),
        ({"lora_r": {"low": True, "high": 8}}, "low below high"),
        ({"lora_r": {"low": 0, "high": 8, "log": True}}, "above 0"),
        ({"lora_r": {"low": 1, "high": 8, "log": 3}}, "log is true or false"),
        ({"lora_r": {"choices": [8]}}, "at least two"),
        ({"lora_r": {"choices": [8, [9]]}}, "a choice is"),
        ({"lora_r": {"choices": [8, 9], "log": True}}, "one of them"),
    ],
)
def test_what_is_no_range_is_said(mapping, sentence):
    with pytest.raises(BadInput) as caught:
        ranges(mapping, LOSS, "r.yaml")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("number", "lines", "flags", "sentence"),
    [
        ("0", "", {}, "at least 1, not '0'"),
        ("many", "", {}, "at least 1, not 'many'"),
        ("2", "learning_rat: {low: 1.0, high: 2.0}", {}, "unknown name 'learning_rat' under search. Did you mean"),
        ("2", "lora_r: {choices: [2, 4]}", {"eval_fraction": 0}, "there are none. Set eval_fraction above 0"),
        ("2", "lora_r: {choices: [2, 4]}", {"search_metric": "perplexity"}, "it is not measured here; what is: "),
    ],
)
def test_what_cannot_be_searched_is_said(number, lines, flags, sentence, world, tmp_path):
    _, base, rows = world
    config = tmp_path / "r.yaml"
    config.write_text(f"model_name_or_path: {base}\nsearch:\n  {lines}\n")
    told = command("sft", base, rows, tmp_path / "out", max_steps=2, num_train_epochs=None, lora_r=None, **flags)
    with pytest.raises(BadInput) as caught:
        alignment.sft.main([*map(str, told), "--config", str(config), "--search", number])
    assert sentence in str(caught.value)


def test_a_folder_with_something_else_is_refused(world, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="not empty and holds no search"):
        alignment.sft.main(argv(world, tmp_path, 2))


def test_the_best_recipe_keeps_what_lines_can_keep():
    text = "# Why.\nloss_type:\n  - sigmoid\n  - sft\n# beta: 0.1\n\n# Tried.\nsearch:\n  beta: {low: 1}\nseed: 0\n"
    made = report.best_recipe(text, {"loss_type": ["ipo"], "beta": 0.25, "seed": 0, "lora_r": 4}, ["Best."])
    assert made.startswith("# Best.\n\n# Why.\nloss_type: [ipo]\nbeta: 0.25\n")
    assert "Tried" not in made
    assert yaml.safe_load(made) == {"loss_type": ["ipo"], "beta": 0.25, "seed": 0, "lora_r": 4}
    strange = "{learning_rate: 1.0,\n lora_r: 2}\n"
    assert yaml.safe_load(report.best_recipe(strange, {"lora_r": 4})) == {"lora_r": 4}


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_help_tells_of_the_search(stage):
    text = help_text(stage)
    assert "--search N, --search_metric NAME" in text
    assert "        learning_rate: {low: " in text
