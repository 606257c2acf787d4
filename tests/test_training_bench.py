"""The comparison with TRL: a variant that runs out of memory is reported, and the others keep their figures."""

import json
import signal
import subprocess

import pytest
from rich.console import Console

from tests.bench import training


@pytest.mark.tiny
@pytest.mark.parametrize("killed", [0, 1, 2])
def test_a_variant_that_was_killed_in_any_repeat_has_no_figures(killed, monkeypatch):
    asked = []

    def run(command, **_):
        way = command[command.index("--one") + 2]
        asked.append(way)
        gone = way == "best" and asked.count("best") == killed + 1
        seconds = {"trl": 10.0, "best": 8.0, "parley": 2.0}[way] + asked.count(way)
        figures = {"seconds": seconds, "tokens": 1000, "memory": 2**30, "loss": 0.5}
        return subprocess.CompletedProcess(command, -signal.SIGKILL if gone else 0, json.dumps(figures) + "\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    found = training.compare("dpo", "multi", list(training.WAYS), 3, "base", 4, [])
    assert asked == list(training.WAYS) * 3
    assert found["best"] == {}
    assert (found["trl"]["seconds"], found["parley"]["seconds"]) == (12.0, 4.0)
    console = Console(width=200, record=True)
    training.show(console, [("dpo", "multi", found)], list(training.WAYS))
    said = console.export_text()
    assert "killed: too little memory" in said
    assert said.count("3.00x") == 1


def test_a_run_that_fails_for_another_reason_ends_the_comparison_and_is_shown(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda told, **_: subprocess.CompletedProcess(told, 1, "", "no such base"))
    with pytest.raises(SystemExit, match="no such base"):
        training.compare("dpo", "multi", ["trl"], 1, "base", None, [])


def test_a_rollout_has_whole_steps_and_no_more_than_the_prompts_allow():
    found = [training.answers([{}] * prompts) for prompts in (2, 4, 7, 8, 24)]
    assert found == [8, 8, 8, 16, 16]
