"""Two CPU processes (gloo, DDP) learn the same as one: losses, gradient norms, weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors.torch import load_file

from alignment.training import processes
from data.errors import BadInput
from tests.alignment import tiny, two_processes
from tests.alignment.running import command, manifest, metrics, weights

pytestmark = [pytest.mark.tiny, pytest.mark.process]

STAGES = ("sft", "dpo", "reward", "ppo")
# Rollouts of four answers, each trained on for two epochs in minibatches of two.
PPO = {
    "eval_fraction": 0,
    "steps_per_generation": 2,
    "num_iterations": 2,
    "max_completion_length": 32,
    "save_steps": 4,
    "max_steps": 8,
}
SETTINGS = {"learning_rate": 1e-3, "eval_fraction": 0.2, "max_steps": 6, "num_train_epochs": None}


def _launch(plan: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return subprocess.run(
        [*command, "-m", "tests.alignment.two_processes", str(plan)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=Path(__file__).parents[3],
    )


def tensors(folder: Path) -> dict:
    """All tensors of a folder's files."""
    found = [load_file(path).items() for path in sorted(folder.glob("*.safetensors"))]
    assert found, folder
    return {name: tensor for part in found for name, tensor in part}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The stages in this process, and the same in two processes in one launch; returns what the launch left."""
    folder = tmp_path_factory.mktemp("distributed")
    base = tiny.build("qwen", folder / "base")
    rows = {
        "sft": tiny.write(folder / "demonstrations.jsonl", tiny.demonstrations(12)),
        "dpo": tiny.write(folder / "preferences.jsonl", tiny.preferences(12)),
    }
    rows["reward"] = rows["dpo"]
    asked = [{"prompt": row["prompt"]} for row in tiny.preferences(12)]
    rows["ppo"] = tiny.write(folder / "prompts.jsonl", asked)
    rows["kto"] = tiny.write(folder / "votes.jsonl", tiny.votes(tiny.preferences(12), repeat=20))

    def argv(stage, out, size, **flags):
        settings = {**SETTINGS, **(PPO if stage == "ppo" else {}), **flags}
        words = command(stage, base, rows[stage], out, per_device_train_batch_size=size, **settings)
        return list(map(str, words))

    tasks = []
    for stage in STAGES:
        task = {"stage": stage, "base": str(base)}
        assert two_processes.run({**task, "argv": argv(stage, folder / "one" / stage, 2)}) == 0
        tasks.append({**task, "argv": argv(stage, folder / "two" / stage, 1)})
    resumed = argv("sft", folder / "resumed", 1, save_steps=2)
    tasks += [
        {"stage": "sft", "argv": resumed, "interrupt": 5},
        {"stage": "sft", "argv": resumed},
        {
            "stage": "sft",
            "argv": argv("sft", folder / "missing", 1),
            "other_argv": [*argv("sft", folder / "missing", 1), "--dataset_name", str(folder / "nothing.jsonl")],
        },
        {"stage": "sft", "argv": argv("sft", folder / "locked", 1)},
        # KTO estimates its KL term from the rows of one process: two do not learn what one does.
        *(
            {"stage": "kto", "argv": argv("kto", folder / "kto" / shared, 4, share_prefixes=shared, max_length=2048)}
            for shared in ("true", "false")
        ),
        {"sharded": str(folder), "base": str(base)},
        {"stage": "sft", "argv": argv("sft", folder / "crashed", 1), "crash": 1},
    ]
    (folder / "locked").mkdir()
    with FileLock(folder / "locked" / ".lock"):
        (folder / "plan.json").write_text(json.dumps(tasks))
        done = _launch(folder / "plan.json")
    assert (folder / "plan.1.json").exists(), done.stderr[-4000:]
    ended = [json.loads((folder / f"plan.{rank}.json").read_text()) for rank in (0, 1)]
    return folder, ended, done


@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_learn_what_one_learns(stage, ran):
    folder, ended, done = ran
    assert [codes[STAGES.index(stage)] for codes in ended] == [0, 0], (ended, done.stderr[-4000:])
    one, two = (metrics(folder / name / stage) for name in ("one", "two"))
    assert [entry["step"] for entry in one] == [entry["step"] for entry in two]
    for name in ("loss", "grad_norm", "eval_loss") if stage != "ppo" else ("loss", "grad_norm", "reward", "kl"):
        found = [[entry[name] for entry in run if name in entry] for run in (one, two)]
        assert len(found[0]) >= 2
        assert found[1] == pytest.approx(found[0], rel=1e-4), name
    result = manifest(folder / "two" / stage)["result"]
    for part in (result, "critic") if stage == "ppo" else (result,):
        one, two = (tensors(folder / name / stage / part) for name in ("one", "two"))
        assert one.keys() == two.keys()
        for name, tensor in one.items():
            # Adam divides by the gradient's own size, so it makes rounding of tiny gradients visible.
            assert two[name].sub(tensor).abs().max() <= 1e-3 * max(float(tensor.abs().max()), 1e-3), (part, name)
    assert {path.name for path in (folder / "two" / stage).iterdir()} == {
        path.name for path in (folder / "one" / stage).iterdir()
    }
    assert manifest(folder / "two" / stage)["processes"] == 2
    assert manifest(folder / "two" / stage)["status"] == "done"


def test_in_two_processes_kto_learns_the_same_with_and_without_sharing(ran):
    folder, ended, done = ran
    assert [codes[len(STAGES) + 4 : len(STAGES) + 6] for codes in ended] == [[0, 0]] * 2, done.stderr[-4000:]
    one, two = (metrics(folder / "kto" / shared) for shared in ("true", "false"))
    for name in ("loss", "grad_norm", "kl"):
        found = [[entry[name] for entry in run if name in entry] for run in (one, two)]
        assert len(found[0]) == 6
        assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-5), name


def test_two_processes_resume_from_their_checkpoint(ran):
    folder, ended, _ = ran
    for codes in ended:
        assert codes[len(STAGES)] == "RuntimeError: interrupted at step 5"
        assert codes[len(STAGES) + 1] == 0
    assert manifest(folder / "resumed")["figures"]["resumed_from_step"] == 4
    one, two = weights(folder / "one" / "sft" / "adapter"), weights(folder / "resumed" / "adapter")
    for name, tensor in one.items():
        assert two[name].sub(tensor).abs().max() <= 1e-4 * max(float(tensor.abs().max()), 1e-3), name
    steps = [entry["step"] for entry in metrics(folder / "resumed") if "loss" in entry]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_an_error_in_one_process_ends_both_with_one_message(ran):
    folder, ended, _ = ran
    first, second = (codes[len(STAGES) + 2] for codes in ended)
    assert first == "SystemExit: 2"
    assert second.startswith("BadInput: ")
    assert "nothing.jsonl" in second
    assert not (folder / "missing" / "manifest.json").exists()
    first, second = (codes[len(STAGES) + 3] for codes in ended)
    assert first.startswith("BadInput: Another process is training in ")
    assert second == "SystemExit: 2"


def test_a_process_that_dies_while_training_ends_the_other(ran):
    folder, ended, done = ran
    assert done.returncode != 0
    assert "interrupted at step 1" in done.stderr
    assert len(ended[1]) == len(STAGES) + 7
    # The launcher ends process 0, if it has not noticed by itself that the other is gone.
    assert all(str(code).startswith(("RuntimeError", "DistBackendError")) for code in ended[0][len(STAGES) + 7 :])
    assert manifest(folder / "crashed")["status"] == "running"


def test_only_the_first_process_prints(ran):
    _, _, done = ran
    assert done.stdout.count("sft: step 6/6") == 2  # once for each of the two runs that reached it
    assert done.stdout.count("the result is in") == len(STAGES) + 3


def test_policy_and_critic_are_saved_whole_from_pieces_and_loaded_into_them(ran):
    folder, ended, done = ran
    assert [codes[len(STAGES) + 6] for codes in ended] == ["sharded and back"] * 2, done.stderr[-4000:]
    assert load_file(folder / "critic" / "adapter_model.safetensors")


def test_without_a_launcher_nothing_waits(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert (processes.number(), processes.count(), processes.is_main()) == (0, 1, True)
    assert processes.from_main("mine") == "mine"
    processes.wait()
    with pytest.raises(BadInput, match="said once"), processes.together(), processes.main_first():
        raise BadInput("said once")
