"""What all stages do in the same way: start from a base or an adapter, train, evaluate, leave a run folder."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from transformers import PrinterCallback

from alignment import models
from alignment.fast.install import freed_memory_kept
from alignment.models import Start
from alignment.quiet import quiet
from alignment.rows.prepare import Encoder, Prepared, prepare
from alignment.training import plots, processes
from alignment.training.checkpoints import set_aside_damaged, step_of
from alignment.training.checks import check_held_out, ignored_shape
from alignment.training.errors import DIVERGED, AlreadyDone, Diverged
from alignment.training.machine import Machine, choose_gpu, peak_memory, this_machine
from alignment.training.parent import end_with_parent
from alignment.training.progress import HeldOut, Recorder
from alignment.training.recipe import Recipe, read
from alignment.training.run_folder import RunFolder, open_run
from alignment.training.telling import announce, report
from data.chat import template_sha256
from data.console import PlainConsole
from data.errors import BadInput
from data.home import private_dir


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage about to run: its settings, its start, its rows and its folder."""

    recipe: Recipe
    machine: Machine
    source: Start
    tokenizer: Any
    rows: Prepared
    run: RunFolder
    console: Console
    observer: Any = None  # a further callback for the trainer

    @property
    def peft(self) -> bool:
        """Whether an adapter is trained, not the whole model."""
        return bool(self.recipe.model.use_peft or self.source.adapter)


# Makes a further callback for the trainer of a stage that runs in this context. `alignment.search` sets it.
OBSERVER: ContextVar[Callable[[Stage], Any] | None] = ContextVar("OBSERVER", default=None)


@contextmanager
def begin(
    stage: str, kind: str, arguments: list[str], config_class: Any, *, encoder: Encoder | None = None
) -> Iterator[Stage]:
    """Read settings and rows, open the run folder, and print what will run.

    Raises `BadInput` if anything is wrong with them, before anything is trained, and `AlreadyDone` if the folder
    holds this same run, complete.
    """
    quiet()
    end_with_parent()
    console = PlainConsole(highlight=False, quiet=not processes.is_main())
    machine = this_machine()
    if sentence := choose_gpu(machine.gpus, os.environ):
        console.print(sentence)
        machine = dataclasses.replace(machine, gpus=1)
    recipe = read(stage, arguments, config_class, machine.defaults())
    _ = recipe.training.device  # under a launcher, this joins the other processes
    with processes.together():
        with processes.main_first():
            source = models.resolve(recipe.model.model_name_or_path, allow_download=recipe.parley.allow_download)
        _check_start(recipe, source, console)
        tokenizer = models.load_tokenizer(source.base)
        rows = prepare(
            kind,
            tokenizer,
            recipe.parley.dataset_name or [],
            recipe.parley.eval_dataset_name,
            encoder=encoder,
            eval_fraction=recipe.parley.eval_fraction,
            max_length=recipe.training.max_length,
            max_dropped=recipe.parley.max_dropped,
            allow_download=recipe.parley.allow_download,
        )
        check_held_out(recipe.training, len(rows.held_out))
        facts = {
            "data": rows.facts(),
            "base": source.base.name,
            "base_sha256": models.base_sha256(source.base),
            "adapter_sha256": models.adapter_sha256(source.adapter) if source.adapter else None,
            "tokenizer_sha256": models.tokenizer_sha256(tokenizer),
            "template_sha256": template_sha256(tokenizer.chat_template),
            "seed": recipe.training.seed,
            "processes": processes.count(),
        }
    given = {name: value for name, value in recipe.given.items() if not name.endswith("dataset_name")}
    with open_run(recipe.output_dir, stage, given, facts) as run:
        ready = Stage(recipe, machine, source, tokenizer, rows, run, console)
        if make := OBSERVER.get():
            ready = dataclasses.replace(ready, observer=make(ready))
        if run.done:
            console.print(f"{run.path} holds this same run, complete: nothing to do.", soft_wrap=True)
            raise AlreadyDone
        with processes.together():
            for sentence in set_aside_damaged(run.checkpoints) if run.writes else ():
                console.print(sentence, soft_wrap=True)
        precision = "bf16" if recipe.training.bf16 else "float32"
        run.note(machine=machine.facts(), precision=precision, status="running", failure=None)
        how = f"{'an adapter' if ready.peft else 'all weights'}, {precision} on {machine.device}"
        announce(console, stage, source, rows, how)
        try:
            yield ready
        except Diverged as error:
            run.note(status="failed", failure=str(error))
            if checkpoint := run.last_checkpoint():
                console.print(f"{checkpoint} is the last checkpoint from before.", soft_wrap=True)
            raise


def _check_start(recipe: Recipe, source: Start, console: Console) -> None:
    """Fit the settings to the base or the adapter that the stage starts from, and say what that changes."""
    if source.adapter is not None and (
        sentence := ignored_shape(recipe.given, models.adapter_config(source.adapter))
    ):
        console.print(sentence, soft_wrap=True)
    limit, asked = models.positions(source.base), recipe.training.max_length
    if limit is not None and (asked is None or asked > limit):
        if asked is not None:
            console.print(
                f"max_length {asked} is more than the {limit} positions of {source.base.name}: rows longer than "
                f"{limit} tokens are dropped.",
                soft_wrap=True,
            )
        recipe.training.max_length = limit


def trainer_arguments(stage: Stage) -> dict[str, Any]:
    """What the trainers of all stages take: TRL's configuration, the rows and the tokenizer.

    In the configuration, Parley sets the run folder for checkpoints, and turns off TRL's own progress bar and
    transformers' filter, which puts an average in the place of a loss that is not finite.
    """
    args = stage.recipe.training
    args.output_dir = str(stage.run.checkpoints)
    args.disable_tqdm = True
    args.logging_nan_inf_filter = False
    return {
        "args": args,
        "train_dataset": stage.rows.train.dataset(),
        "eval_dataset": stage.rows.held_out.dataset() if stage.rows.held_out.examples else None,
        "processing_class": stage.tokenizer,
    }


def train(stage: Stage, trainer: Any) -> dict[str, Any]:
    """Evaluate, train from the last complete checkpoint if there is one, evaluate again.

    Returns the figures for the manifest.
    """
    run, started = stage.run, time.monotonic()
    trainer.row_weights = stage.rows.train.weights
    name_base(trainer.model, stage.source)
    trainer.remove_callback(PrinterCallback)
    checkpoint = processes.from_main(run.last_checkpoint())
    run.forget_metrics_after(step_of(checkpoint))
    if checkpoint:
        stage.console.print(f"Resuming from {checkpoint.name}.")
    held_out = bool(stage.rows.held_out.examples)
    if not held_out:
        run.note_figures(eval_before={})
    trainer.args.eval_on_start = "eval_before" not in run.manifest.figures
    baseline = HeldOut(lambda metrics: run.note_figures(eval_before=_held_out_figures(metrics)))
    recorder = Recorder(run, stage.console, stage.recipe.stage, len(stage.rows.train), trainer.rows_seen)
    for callback in trainer.callback_handler.callbacks:
        if getattr(callback, "logging_dir", "") is None:  # TensorBoard's, unless its environment variable is set
            callback.logging_dir = str(private_dir(run.trackers))
    for callback in (baseline, recorder, *([stage.observer] if stage.observer else [])):
        trainer.add_callback(callback)
    with freed_memory_kept():
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            recorder.close()
        training_seconds = time.monotonic() - baseline.over
        trainer.check_weights()
        after = _held_out_figures(trainer.evaluate()) if held_out else {}
    if not held_out:
        _check_computes(stage, trainer)
    losses = [entry["loss"] for entry in run.metrics() if "loss" in entry]
    return {
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "eval_after": after,
        "steps": trainer.state.global_step,
        "resumed_from_step": step_of(checkpoint),
        "tokens": round(stage.rows.train.tokens * (trainer.state.epoch or 0)),
        "train_seconds": round(training_seconds, 1),
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak_memory(),
    }


def _check_computes(stage: Stage, trainer: Any) -> None:
    """Raise `Diverged` if the trained model computes no finite numbers on a row.

    Huge weights are finite, and without held-out rows nothing else would be computed with those of the last step.
    """
    columns = stage.rows.train.examples[0].columns
    ids = columns.get("input_ids") or [*columns["prompt_ids"], *columns.get("chosen_ids", ())]
    model, training = trainer.model, trainer.model.training
    model.eval()
    try:
        with torch.no_grad(), trainer.accelerator.autocast():
            found = model(input_ids=torch.tensor([ids], device=trainer.accelerator.device)).logits
    finally:
        model.train(training)
    if not bool(torch.isfinite(found).all()):
        raise Diverged(
            f"The trained model computes no finite numbers after step {trainer.state.global_step}: {DIVERGED}"
        )


def finish(stage: Stage, trainer: Any, figures: dict[str, Any]) -> Path:
    """Save the adapter (or the model) and the pictures, and print a summary. Returns the result's folder."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    weights = gathered_weights(trainer)

    def save(folder: Path) -> None:
        plots.plot_loss(
            stage.run.metrics(), stage.run.path / "loss.png", f"{stage.recipe.stage} on {stage.source.base.name}"
        )
        if stage.peft:
            save_adapter(model, folder, weights)
        else:
            model.save_pretrained(folder, state_dict=weights)
            stage.tokenizer.save_pretrained(folder)

    result = stage.run.finish("adapter" if stage.peft else "model", save, **figures)
    report(stage.console, stage.recipe.stage, stage.run.manifest.figures, result)
    return result


def save_adapter(model: Any, folder: Path, weights: dict[str, Any] | None) -> None:
    """Save the trained adapter, and nothing else: DPO's frozen copy `ref` is not a result."""
    model.save_pretrained(folder, selected_adapters=["default"], save_embedding_layers=False, state_dict=weights)
    (folder / "README.md").unlink(missing_ok=True)


def gathered_weights(trainer: Any) -> dict[str, Any] | None:
    """The whole model's weights if they are split over the devices (FSDP, ZeRO-3), else None.

    Every process must call this; process 0 gets the whole weights.
    """
    kind = str(trainer.accelerator.distributed_type.value)
    if kind not in ("FSDP", "DEEPSPEED"):
        return None
    return dict(trainer.accelerator.get_state_dict(trainer.model_wrapped))


def name_base(model: Any, source: Start) -> None:
    """Make the adapter's configuration name the base as the user did, not by a path of this machine."""
    for config in getattr(model, "peft_config", {}).values():
        config.base_model_name_or_path = source.base.name
        config.revision = None


def note_same(stage: Stage, name: str, sha256: str, what: str) -> None:
    """Note a hash in the manifest. Raises `BadInput` if a resumed run began with another."""
    if stage.run.manifest.more.get(name, sha256) != sha256:
        raise BadInput(f"{what} that this run began with. Name another --output_dir.")
    stage.run.note(**{name: sha256})


def _held_out_figures(metrics: dict[str, float]) -> dict[str, float]:
    wanted = (
        "loss",
        "mean_token_accuracy",
        "accuracy",
        "margin",
        "preference_accuracy",
        "loss/preference",
        "loss/demonstration",
        "rewards/accuracies",
        "rewards/margins",
        "reward",
        "kl",
        "length",
    )
    found = {name: metrics[f"eval_{name}"] for name in wanted if f"eval_{name}" in metrics}
    return {name: round(float(value), 6) for name, value in found.items()}
