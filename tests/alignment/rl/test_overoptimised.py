"""When the watch warns: the reward rises while held-out preference falls."""

import pytest

from alignment.rl.overoptimised import OverOptimisation, Reading, warning
from alignment.rl.watched_pairs import load_pairs
from alignment.training.run_folder import RunManifest
from data.errors import BadInput
from tests.alignment import tiny

pytestmark = pytest.mark.tiny

PAIRS = [0.1 * number - 0.5 for number in range(20)]


def reading(step, reward, shift, margins=PAIRS):
    return Reading(step, reward, tuple(margin + shift for margin in margins))


@pytest.mark.parametrize(
    ("readings", "speaks"),
    [
        ([], False),
        ([reading(0, 0.0, 0.0)], False),
        ([reading(0, 0.0, 0.0), reading(4, 1.0, -0.2)], True),
        ([reading(0, 0.0, 0.0), reading(4, 1.0, 0.2)], False),  # both better
        ([reading(0, 1.0, 0.0), reading(4, 0.5, -0.2)], False),  # both worse: not over-optimisation
        (
            [reading(0, 0.0, 0.0), reading(4, 1.0, 0.5), reading(8, 2.0, 0.2)],
            True,
        ),  # worse than at an earlier reading
        ([reading(0, 0.0, 0.0), reading(4, 1.0, -0.3), reading(8, 2.0, 0.1)], False),  # recovered
        # A fall of the mean that single pairs decide does not count.
        ([reading(0, 0.0, 0.0, [0.0, 0.0, 0.0]), reading(4, 1.0, 0.0, [0.1, 0.1, -0.9])], False),
        ([reading(0, 0.0, 0.0, [0.5]), reading(4, 1.0, 0.0, [-0.5])], False),
    ],
)
def test_the_decision(readings, speaks):
    sentence = warning(readings)
    assert (sentence is not None) == speaks
    if sentence:
        assert "over-optimised" in sentence
        assert f"to {readings[-1].step} " in sentence


class Run:
    def __init__(self):
        self.manifest = RunManifest()
        self.logged = []

    def log(self, entry):
        self.logged.append(entry)

    def note_figures(self, **figures):
        self.manifest.figures.update(figures)


class State:
    def __init__(self, step):
        self.global_step = step


def test_the_callback_measures_and_warns_once():
    run, warnings, rewards = Run(), [], []
    shifts = iter([0.0, -0.2, -0.4])
    watch = OverOptimisation(
        lambda: reading(0, 0, next(shifts)).margins, rewards, run, warnings.append, every=2, steps_per_rollout=3
    )
    watch.on_train_begin(None, State(0), None)
    for step in range(1, 13):
        if step % 3 == 1:
            rewards.append(float(step))
        watch.on_step_end(None, State(step), None)
    assert [(each.step, each.reward) for each in watch.readings] == [(0, 1.0), (6, 2.5), (12, 8.5)]
    assert len(warnings) == 1
    assert run.manifest.figures["over_optimised"] != warnings[0]  # the manifest has the newest
    assert [entry["step"] for entry in run.logged] == [6, 12]
    assert run.logged[0]["watch_accuracy"] == pytest.approx(watch.readings[1].accuracy)
    # A resumed run keeps earlier readings, and drops those after its checkpoint.
    again = OverOptimisation(list, [], run, warnings.append, every=2, steps_per_rollout=3)
    again.on_train_begin(None, State(6), None)
    assert again.readings == watch.readings[:2]
    assert again.start is None


def test_a_kill_before_the_first_reading_loses_nothing():
    run, rewards = Run(), [1.0, 2.0, 6.0, 7.0]

    def watch(step, shifts, known):
        made = OverOptimisation(
            lambda: reading(0, 0, next(shifts)).margins, known, run, print, every=2, steps_per_rollout=3
        )
        made.on_train_begin(None, State(step), None)
        return made

    watch(0, iter([0.0]), [])  # killed before step 6
    again = watch(3, iter([-0.2, -0.4]), rewards[:1])  # the checkpoint of step 3 had one rollout
    for step in range(4, 13):
        if step % 3 == 1:
            again.rewards.append(rewards[(step - 1) // 3])
        again.on_step_end(None, State(step), None)
    assert [(each.step, each.reward) for each in again.readings] == [(0, 1.0), (6, 1.5), (12, 6.5)]
    assert again.readings[0].margins == tuple(PAIRS)


def test_too_few_pairs_are_refused(tmp_path):
    few = tiny.write(tmp_path / "few.jsonl", tiny.preferences(3))
    with pytest.raises(BadInput, match="holds 3 preferences that the model can take in; the watch needs"):
        load_pairs(str(few))
