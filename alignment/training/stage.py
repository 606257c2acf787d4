"""What all stages do in the same way: start from a base or an adapter, train, evaluate, leave a run folder."""

import dataclasses
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from transformers import PrinterCallback
from transformers.integrations import is_deepspeed_zero3_enabled
from trl import get_peft_config, get_quantization_config

from alignment import models
from alignment.fast.install import freed_memory_kept
from alignment.models import Start
from alignment.quiet import quiet
from alignment.rows.prepare import Encoder, Prepared, prepare
from alignment.training import plots, processes
from alignment.training.errors import AlreadyDone
from alignment.training.machine import Machine, choose_gpu, peak_memory, this_machine
from alignment.training.parent import end_with_parent
from alignment.training.progress import Before, Recorder
from alignment.training.recipe import Recipe, read
from alignment.training.run_folder import RunFolder, open_run
from data.chat import template_sha256
from data.errors import BadInput, nearest


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
    console = Console(highlight=False, quiet=not processes.is_main())
    machine = this_machine()
    if sentence := choose_gpu(machine.gpus, os.environ):
        console.print(sentence)
        machine = dataclasses.replace(machine, gpus=1)
    recipe = read(stage, arguments, config_class, machine.defaults())
    _ = recipe.training.device  # under a launcher, this joins the other processes
    with processes.together():
        with processes.main_first():
            source = models.resolve(recipe.model.model_name_or_path, allow_download=recipe.parley.allow_download)
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
        )
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
        run.note(machine=machine.facts(), precision="bf16" if recipe.training.bf16 else "float32")
        _announce(ready)
        yield ready


def load_policy(stage: Stage) -> tuple[Any, Any]:
    """The model to train, and the LoRA configuration of a new adapter (None when one is continued, or without).

    A frozen base on a GPU is held in bf16; weights that are trained are float32 everywhere.
    """
    model = models.load_base(stage.source.base, **base_options(stage))
    models.check_vocabulary(model, stage.tokenizer)
    if stage.source.adapter is not None:
        return models.load_adapter(model, stage.source.adapter, trainable=True), None
    return model, new_adapter(stage, model) if stage.recipe.model.use_peft else None


def load_reference(stage: Stage) -> Any:
    """The reference of a policy that trains all weights: the base, loaded again. None for an adapter."""
    return None if stage.peft else models.load_base(stage.source.base, **base_options(stage))


def base_options(stage: Stage) -> dict[str, Any]:
    """How the base is loaded for training: its dtype, its attention, its quantisation."""
    settings, on_gpu = stage.recipe.model, stage.machine.device == "cuda"
    frozen = "dtype" not in stage.recipe.given and stage.peft and on_gpu and stage.recipe.training.bf16
    options = {
        "dtype": "bfloat16" if frozen else settings.dtype,
        "attn_implementation": settings.attn_implementation,
        "quantization_config": get_quantization_config(settings),
    }
    return {name: value for name, value in options.items() if value is not None}


def new_adapter(stage: Stage, model: Any) -> Any:
    """The LoRA configuration of a new adapter. Raises `BadInput` for targets that the base does not have."""
    config = get_peft_config(stage.recipe.model)
    config.target_modules = config.target_modules or "all-linear"  # for PEFT this excludes the output head
    targets = [config.target_modules] if isinstance(config.target_modules, str) else sorted(config.target_modules)
    if targets != ["all-linear"]:
        names = [name for name, _ in model.named_modules()]
        for target in targets:
            if not any(name.endswith(target) or re.fullmatch(target, name) for name in names):
                leaves = {name.rpartition(".")[2] for name, module in model.named_modules() if _is_linear(module)}
                raise BadInput(
                    f"lora_target_modules: {stage.source.base.name} has no layer {target!r}; it has "
                    f"{', '.join(sorted(leaves))}.{nearest(target, leaves)}"
                )
    # GPT-2 keeps its linear layers transposed.
    config.fan_in_fan_out = any(type(module).__name__ == "Conv1D" for module in model.modules())
    return config


def refuse_zero3(stage: str) -> None:
    """Raise `BadInput` if DeepSpeed ZeRO-3 holds the weights.

    A stage that loads a second model, or reads weights by itself, would wait for ever or read nothing.
    """
    if is_deepspeed_zero3_enabled():
        raise BadInput(f"{stage} does not run under DeepSpeed ZeRO-3. Take deploy/accelerate/fsdp2.yaml or ddp.yaml.")


def _is_linear(module: Any) -> bool:
    return type(module).__name__ in ("Linear", "Conv1D", "Linear4bit", "Linear8bitLt")


def trainer_arguments(stage: Stage) -> dict[str, Any]:
    """What the trainers of all stages take: TRL's configuration, the rows and the tokenizer.

    In the configuration, Parley sets the run folder for checkpoints, and turns off TRL's own progress bar.
    """
    args = stage.recipe.training
    args.output_dir = str(stage.run.checkpoints)
    args.disable_tqdm = True
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
    run.forget_metrics_after(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    if checkpoint:
        stage.console.print(f"Resuming from {checkpoint.name}.")
    held_out = bool(stage.rows.held_out.examples)
    if not held_out:
        run.note_figures(eval_before={})
    trainer.args.eval_on_start = "eval_before" not in run.manifest.figures
    baseline = Before(lambda metrics: run.note_figures(eval_before=_held_out_figures(metrics)))
    recorder = Recorder(run, stage.console, stage.recipe.stage)
    for callback in (baseline, recorder, *([stage.observer] if stage.observer else [])):
        trainer.add_callback(callback)
    with freed_memory_kept():
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            recorder.close()
        training_seconds = time.monotonic() - baseline.over
        after = _held_out_figures(trainer.evaluate()) if held_out else {}
    losses = [entry["loss"] for entry in run.metrics() if "loss" in entry]
    return {
        "first_loss": losses[0] if losses else None,
        "last_loss": losses[-1] if losses else None,
        "eval_after": after,
        "steps": trainer.state.global_step,
        "resumed_from_step": int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0,
        "tokens": round(stage.rows.train.tokens * (trainer.state.epoch or 0)),
        "train_seconds": round(training_seconds, 1),
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_bytes": peak_memory(),
    }


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
    _report(stage, result)
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


def _held_out_figures(metrics: dict[str, float]) -> dict[str, float]:
    wanted = (
        "loss",
        "mean_token_accuracy",
        "accuracy",
        "margin",
        "preference_accuracy",
        "rewards/accuracies",
        "rewards/margins",
        "reward",
        "kl",
        "length",
    )
    found = {name: metrics[f"eval_{name}"] for name in wanted if f"eval_{name}" in metrics}
    return {name: round(float(value), 6) for name, value in found.items()}


def _announce(stage: Stage) -> None:
    rows, recipe = stage.rows, stage.recipe
    start = (
        f"adapter {stage.source.adapter} on {stage.source.base.name}"
        if stage.source.adapter
        else stage.source.base.name
    )
    stage.console.print(
        f"[bold]{recipe.stage}[/bold]: {start}, {'an adapter' if stage.peft else 'all weights'}, "
        f"{'bf16' if recipe.training.bf16 else 'float32'} on {stage.machine.device}"
    )
    for name, part in (("train", rows.train), ("held out", rows.held_out)):
        dropped = ", ".join(f"{count} dropped: {reason}" for reason, count in part.dropped.items())
        stage.console.print(
            f"  {name}: {len(part)} rows, {part.tokens} tokens" + (f" ({dropped})" if dropped else "")
        )
    if rows.note:
        stage.console.print(f"  {rows.note}", soft_wrap=True)
    for file in rows.files if rows.mixed else ():
        twice = f", {file.duplicates} of them in an earlier file too" if file.duplicates else ""
        stage.console.print(f"  {file.path}: {file.rows} rows, weight {file.weight:g}{twice}", soft_wrap=True)


def _report(stage: Stage, result: Path) -> None:
    figures = stage.run.manifest.figures
    before, after = figures["eval_before"], figures["eval_after"]
    if after:
        table = Table("held out", "before", "after", box=None)
        for name in after:
            # A reward is how far the policy has left its reference; before the first step that means nothing.
            was = before if not name.startswith("rewards/") else {}
            table.add_row(name, *(f"{side[name]:.4f}" if name in side else "-" for side in (was, after)))
        stage.console.print(table)
    say_end(stage, result)


def say_end(stage: Stage, result: Path) -> None:
    """Print how long a finished stage took, and where its result is."""
    figures = stage.run.manifest.figures
    stage.console.print(
        f"{stage.recipe.stage}: {figures['steps']} steps in {figures['seconds']:.0f} s, "
        f"at most {figures['peak_memory_bytes'] / 2**30:.1f} GiB; the result is in {result}",
        soft_wrap=True,  # a path that is broken over two lines cannot be copied
    )
