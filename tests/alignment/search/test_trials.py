"""`--search N`: trials, resumption, the best recipe."""

import json
from pathlib import Path

import optuna
import pytest
import yaml
from filelock import FileLock

import alignment.search.study
import alignment.search.trials
import alignment.sft
from alignment.search import report
from alignment.search.reporter import Reporter
from alignment.training.errors import Diverged
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.pictures import drawn
from tests.alignment.running import command

pytestmark = pytest.mark.tiny

HERE = Path(__file__).parent
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
    words = command(
        "sft",
        base,
        rows,
        out,
        **{"num_train_epochs": None, "max_steps": 4, "save_steps": 2, "learning_rate": None, "lora_r": None, **flags},
    )
    return [*map(str, words), "--config", str(folder / "recipe.yaml"), "--search", str(number)]


def trials(out):
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(out / "search.journal")))
    return optuna.load_study(study_name="search", storage=storage).trials


@pytest.fixture(scope="module")
def searched(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    with drawn():
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
    # It is a complete run by itself, and gets the figure that it promises.
    assert alignment.sft.main(["--config", str(searched / "best.yaml"), "--output_dir", str(tmp_path / "best")]) == 0
    again = json.loads((tmp_path / "best" / "manifest.json").read_text())["figures"]
    assert again["eval_after"]["loss"] == pytest.approx(best.value, rel=1e-5)


@pytest.mark.long
def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(world, searched, tmp_path, monkeypatch):
    out = tmp_path / "out"
    real = Reporter.on_evaluate

    def killed(self, args, state, control, **kwargs):
        real(self, args, state, control, **kwargs)
        if self.trial.number == 1 and state.global_step == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "on_evaluate", killed)
    with pytest.raises(KeyboardInterrupt):
        alignment.sft.main(argv(world, out, 2))
    assert [trial.state.name for trial in trials(out)] == ["COMPLETE", "RUNNING"]
    monkeypatch.setattr(Reporter, "on_evaluate", real)
    assert alignment.sft.main(argv(world, out, 2)) == 0
    assert "Resuming from checkpoint-2." in (out / "trials.log").read_text()
    whole = trials(searched)[:2]
    assert [trial.params for trial in trials(out)] == [trial.params for trial in whole]
    assert [trial.value for trial in trials(out)] == pytest.approx([trial.value for trial in whole], rel=1e-4)
    # It is complete: the same command trains nothing more.
    monkeypatch.setattr(alignment.search.trials.Search, "_train", None)
    assert alignment.sft.main(argv(world, out, 2)) == 0
    with pytest.raises(BadInput, match=r"another search \(another flags\)"):
        alignment.sft.main(argv(world, out, 2, weight_decay=0.1))
    with FileLock(out / ".lock"), pytest.raises(BadInput, match="Another search is at work"):
        alignment.sft.main(argv(world, out, 2))


def test_a_trial_killed_before_its_figure_was_kept_does_not_train_again(world, searched, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def killed(self, *given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            alignment.sft.main(argv(world, out, 1))
    assert [trial.state.name for trial in trials(out)] == ["RUNNING"]
    assert alignment.sft.main(argv(world, out, 1)) == 0
    assert (out / "trials.log").read_text().count("complete: nothing to do") == 1
    (trial,) = trials(out)
    assert trial.value == pytest.approx(trials(searched)[0].value, rel=1e-4)


def test_a_search_begun_by_the_previous_version_goes_on(world, tmp_path):
    """Its journal has a trial that ended and one that was killed. (The base's hashes are left out.)"""
    _, base, rows = world
    out = tmp_path / "out"
    out.mkdir()
    text = (HERE / "begun_before.journal").read_text()
    for name, path in (("BASE", base), ("ROWS", rows), ("OUT", out)):
        text = text.replace(name, str(path))
    (out / "search.journal").write_text(text)
    identity = json.loads(text.splitlines()[1])["user_attr"]["identity"]
    searched = {"learning_rate": {"low": 1e-6, "high": 0.1, "log": True}, "lora_r": {"choices": [2, 4]}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**identity["recipe"], "search": searched}))
    words = ["--config", str(tmp_path / "recipe.yaml"), *identity["flags"], "--output_dir", str(out), "--search", "2"]
    assert alignment.sft.main(words) == 0
    first, second = trials(out)
    assert first.value == 5.782830238342285
    assert second.state.name == "COMPLETE"
    assert second.params == {"learning_rate": pytest.approx(0.00012164941464151862), "lora_r": 2}
    assert (out / "best.yaml").exists()


@pytest.mark.long
def test_bad_learning_rates_are_stopped_early(world, tmp_path, monkeypatch):
    monkeypatch.setattr(alignment.search.study, "BEFORE_PRUNING", 1)
    assert alignment.sft.main(argv(world, tmp_path / "out", 4)) == 0
    found = trials(tmp_path / "out")
    stopped = [trial for trial in found if trial.state.name == "PRUNED"]
    assert stopped
    best = min((trial for trial in found if trial.state.name == "COMPLETE"), key=lambda trial: trial.value)
    assert all(report.value_of(trial) > best.value for trial in stopped)
    assert "stopped early" in (tmp_path / "out" / "trials.md").read_text()
    assert [path.name for path in (tmp_path / "out" / "trials").iterdir()] == [f"{best.number:04}"]


def test_a_diverged_trial_counts_as_failed_and_the_search_goes_on(world, tmp_path, monkeypatch):
    real, calls = alignment.search.trials.Search._begun, []

    def begun(self, stage, reporter):
        calls.append(reporter.trial.number)
        if reporter.trial.number == 0:
            raise Diverged("no longer finite")
        return real(self, stage, reporter)

    monkeypatch.setattr(alignment.search.trials.Search, "_begun", begun)
    assert alignment.sft.main(argv(world, tmp_path / "out", 2)) == 0
    assert [trial.state.name for trial in trials(tmp_path / "out")] == ["FAIL", "COMPLETE"]
    assert calls == [0, 1]


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
def test_what_cannot_be_searched_is_reported(number, lines, flags, sentence, world, tmp_path):
    _, base, rows = world
    config = tmp_path / "r.yaml"
    config.write_text(f"model_name_or_path: {base}\nsearch:\n  {lines}\n")
    words = command("sft", base, rows, tmp_path / "out", max_steps=2, num_train_epochs=None, lora_r=None, **flags)
    with pytest.raises(BadInput) as caught:
        alignment.sft.main([*map(str, words), "--config", str(config), "--search", number])
    assert sentence in str(caught.value)


def test_a_folder_with_something_else_is_refused(world, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="not empty and holds no search"):
        alignment.sft.main(argv(world, tmp_path, 2))
