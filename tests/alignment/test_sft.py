"""The SFT stage on tiny bases."""

import contextlib
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time

import pytest
import torch

from alignment import models
from alignment.models import load_model
from data.errors import BadInput
from tests.alignment import tiny
from tests.alignment.pictures import drawn
from tests.alignment.running import command, cut_in_two_ways, losses, manifest, metrics, train, weights

pytestmark = pytest.mark.tiny


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return tiny.write(tmp_path_factory.mktemp("rows") / "rows.jsonl", tiny.demonstrations(20))


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {family: tiny.build(family, tmp_path_factory.mktemp(family)) for family in tiny.FAMILIES}


@pytest.fixture(scope="module")
def learnt(bases, rows, tmp_path_factory):
    """The folder of a run for every family, and what the run printed."""
    runs = {}
    for family in tiny.FAMILIES:
        out, printed = tmp_path_factory.mktemp("learnt") / family, io.StringIO()
        with contextlib.redirect_stdout(printed), drawn():
            train("sft", bases[family], rows, out, num_train_epochs=4)
        runs[family] = out, printed.getvalue()
    return runs


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_a_run_learns_and_leaves_a_complete_folder(family, learnt):
    out, printed = learnt[family]
    run = manifest(out)
    figures = run["figures"]
    assert run["status"] == "done"
    assert figures["eval_after"]["loss"] < figures["eval_before"]["loss"]
    assert figures["last_loss"] < figures["first_loss"]
    assert run["data"]["train"]["rows"] + run["data"]["held_out"]["rows"] == 20
    assert run["versions"]["trl"].startswith("1.16")
    assert figures["peak_memory_bytes"] > 0
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "checkpoints").exists()
    assert {path.name for path in (out / "adapter").iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    for name in ("manifest.json", "metrics.jsonl", "trained_tokens.txt", "loss.png"):
        assert stat.S_IMODE((out / name).stat().st_mode) == 0o600, name
    assert "shows which tokens of three rows are trained" in " ".join(printed.split())
    assert "⟦" in (out / "trained_tokens.txt").read_text()
    # Metrics stay with the run; the base's vocabulary stays the base's.
    assert [entry["step"] for entry in metrics(out) if "loss" in entry] == list(range(1, figures["steps"] + 1))
    assert not any("embed" in name or "lm_head" in name or "wte" in name for name in weights(out / "adapter"))


def test_the_adapter_applies_to_the_base_and_names_it(bases, learnt):
    adapter = learnt["gpt2"][0] / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(bases["gpt2"])
    assert config["revision"] is None
    source = models.resolve(str(adapter))
    assert source.base.path == str(bases["gpt2"])
    tuned, plain = load_model(source.base, source.adapter), load_model(source.base)
    ids = torch.tensor([[5, 6, 7]])
    assert not torch.allclose(tuned(ids).logits, plain(ids).logits)
    assert not any(parameter.requires_grad for parameter in tuned.parameters())


def test_how_a_batch_is_cut_changes_nothing(bases, rows, tmp_path):
    one, eight = cut_in_two_ways("sft", bases["llama"], rows, tmp_path)
    assert losses(one) == pytest.approx(losses(eight), rel=1e-4)
    one, eight = weights(one / "adapter"), weights(eight / "adapter")
    for name, tensor in one.items():
        assert torch.allclose(tensor, eight[name], atol=2e-3), name


def test_full_fine_tuning_leaves_a_model_that_loads(bases, rows, tmp_path):
    run = train("sft", bases["qwen"], rows, tmp_path / "out", use_peft="false", learning_rate=1e-3)
    assert run["result"] == "model"
    base = models.locate(str(tmp_path / "out" / "model"))
    tokenizer = models.load_tokenizer(base)
    assert tokenizer.chat_template == models.load_tokenizer(str(bases["qwen"])).chat_template
    before, after = weights(bases["qwen"]), weights(tmp_path / "out" / "model")
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_an_adapter_is_continued(bases, rows, learnt, tmp_path):
    first, _ = learnt["llama"]
    run = train("sft", first / "adapter", rows, tmp_path / "second", max_steps=1)
    assert run["base"] == str(bases["llama"])
    assert run["figures"]["eval_before"]["loss"] == pytest.approx(
        manifest(first)["figures"]["eval_after"]["loss"], rel=1e-3
    )


def test_long_rows_are_dropped_and_counted_never_cut(bases, tmp_path, capsys):
    long = {"messages": [{"role": "user", "content": "hello " * 80}, {"role": "assistant", "content": "Paris"}]}
    rows = tiny.write(tmp_path / "rows.jsonl", [*tiny.demonstrations(12), long])
    with pytest.raises(BadInput, match=r"1 of \d+ rows cannot be used \(longer than max_length \(100 tokens\): 1\)"):
        train("sft", bases["llama"], rows, tmp_path / "out", max_length=100, max_dropped=0.05, eval_fraction=0)
    run = train("sft", bases["llama"], rows, tmp_path / "out", max_length=100, max_dropped=0.3, eval_fraction=0)
    assert run["data"]["train"]["dropped"] == {"longer than max_length (100 tokens)": 1}
    assert run["data"]["train"]["rows"] == 12
    assert "1 dropped: longer than" in capsys.readouterr().out.replace("\n", " ")


def test_all_answers_of_messages_are_trained_and_of_a_completion_nothing_before_it(bases, tmp_path):
    def turns(*texts):
        return [{"role": role, "content": text} for role, text in zip(("user", "assistant") * 2, texts, strict=False)]

    asked = turns("first question", "first answer", "second question", "second answer")
    rows = [{"messages": asked}, {"prompt": asked[:3], "completion": asked[3:]}]
    path = tiny.write(tmp_path / "rows.jsonl", rows)
    for family in tiny.FAMILIES:
        train("sft", bases[family], path, tmp_path / family, max_steps=1, eval_fraction=0)
        shown = (tmp_path / family / "trained_tokens.txt").read_text().split("--- row ")[1:]
        trained = {t[0]: [part.strip() for part in re.findall(r"⟦(.*?)⟧", t, re.DOTALL)] for t in shown}
        end = models.load_tokenizer(str(bases[family])).eos_token
        assert trained == {"1": [f"first answer{end}", f"second answer{end}"], "2": [f"second answer{end}"]}
        assert all("first answer" in text and "second question" in text for text in shown)


def test_no_row_left_is_an_error(bases, rows, tmp_path):
    with pytest.raises(BadInput, match="no row is left to train on"):
        train("sft", bases["llama"], rows, tmp_path / "out", max_length=5, max_dropped=1)


LONG = {"num_train_epochs": 8, "save_steps": 4, "lora_dropout": 0.1}


@pytest.mark.process
def test_a_killed_run_resumes_to_the_same_weights(bases, rows, tmp_path, capsys):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    words = command("sft", bases["llama"], rows, killed, **LONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "alignment.sft", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((killed / "checkpoints").glob("checkpoint-*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert manifest(killed)["status"] == "running"
    assert not (killed / "adapter").exists()
    # Leftovers of a kill in the middle of a save must not be taken for a checkpoint.
    (killed / "checkpoints" / ".incomplete" / "checkpoint-9999").mkdir(parents=True, exist_ok=True)

    train("sft", bases["llama"], rows, killed, **LONG)
    assert "Resuming from checkpoint-" in capsys.readouterr().out
    train("sft", bases["llama"], rows, whole, **LONG)
    assert manifest(killed)["figures"]["resumed_from_step"] >= 4
    assert losses(killed) == losses(whole)
    assert manifest(killed)["figures"]["eval_after"] == manifest(whole)["figures"]["eval_after"]
    resumed, through = weights(killed / "adapter"), weights(whole / "adapter")
    assert all(torch.equal(resumed[name], through[name]) for name in through)


def test_the_same_command_again_does_nothing_and_another_is_refused(bases, rows, learnt, capsys):
    out, _ = learnt["llama"]
    before = (out / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    train("sft", bases["llama"], rows, out, num_train_epochs=4)
    assert "nothing to do" in capsys.readouterr().out
    assert (out / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(BadInput, match=r"another run .*learning_rate.*--output_dir"):
        train("sft", bases["llama"], rows, out, num_train_epochs=4, learning_rate=1e-3)
