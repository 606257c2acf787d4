"""TRL's trainers with the few things that Parley does otherwise. All losses are TRL's."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import trl.trainer.utils
from transformers import Trainer
from transformers.trainer import rotate_checkpoints
from trl import DPOTrainer, KTOTrainer, SFTTrainer

from alignment.fast import head, memory
from alignment.fast.fused_lora import fuse, round_frozen
from alignment.fast.padding_free import leave_out_padding
from alignment.fast.trunk import share_prefixes
from alignment.rows.collating import Mismatched, PackedRows
from alignment.rows.order import LengthGrouped, Packs
from alignment.rows.prepare import longest_sequence
from alignment.training import processes
from data.home import private_dir

# TRL's fused head scores the trained positions only on devices with Triton, and everywhere else every position, for
# the sake of accelerators that compile for each shape. A CPU does not: with a vocabulary of 49,152 and 40 % of the
# positions trained, a step takes 0.62 of the time this way, with the same loss to the last digit. (In TRL 1.16 this
# name in this module decides nothing else; a test compares both ways.)
trl.trainer.utils._use_triton = lambda _device: True
head.take_over()


class Careful(Trainer):  # type: ignore[misc]  # transformers has no types
    """Checkpoints appear complete or not at all; rows of like length share a batch in a repeatable order."""

    # The weights of the training rows, in their order; None: all the same. (No column of the rows: trainers drop
    # those that they do not know.)
    row_weights: list[float] | None = None
    train_dataset: Any
    _staging: Path | None = None
    tell: Callable[[str], None] = staticmethod(processes.say)  # where sentences for the user go

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hold_float32(self.model)
        self._compute_once()

    def _compute_once(self) -> None:
        """What rows share, a layer with its adapter, a frozen head; unless that is switched off."""
        head.LogProbs.on = bool(getattr(self.args, "share_prefixes", True))
        if not head.LogProbs.on:
            return
        for model in (self.model, getattr(self, "ref_model", None)):
            # NEFTune's noise depends on how long a sequence is.
            if model is not None and not self.args.neftune_noise_alpha:
                share_prefixes(_inner(self.accelerator.unwrap_model(model)), self._tell)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return
        model, on_cpu = self.accelerator.unwrap_model(self.model), self.accelerator.device.type == "cpu"
        if fuse(model) and on_cpu and self.args.bf16:
            round_frozen(model, torch.bfloat16)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's, which keeps freed memory for the next step."""
        memory.keep_freed()
        try:
            return super().train(*args, **kwargs)
        finally:
            memory.give_back()

    def _tell(self, sentence: str) -> None:
        self.tell(sentence)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        parent = Path(self.args.output_dir)
        name = f"checkpoint-{self.state.global_step}"
        self._staging = parent / ".incomplete"
        try:
            super()._save_checkpoint(model, trial)
        finally:
            staged, self._staging = self._staging / name, None
        self._save_more(staged)
        self.accelerator.wait_for_everyone()
        if not self.args.should_save:
            return
        # A pickle that nothing here reads.
        (staged / "training_args.bin").unlink(missing_ok=True)
        if best := self.state.best_global_step:
            # The state was saved before this checkpoint had its name.
            self.state.best_model_checkpoint = str(parent / f"checkpoint-{best}")
            self.state.save_to_json(str(staged / "trainer_state.json"))
        shutil.rmtree(parent / name, ignore_errors=True)
        staged.rename(parent / name)
        rotate_checkpoints(
            output_dir=str(parent),
            save_total_limit=self.args.save_total_limit,
            best_model_checkpoint=self.state.best_model_checkpoint,
        )

    def _save_more(self, checkpoint: Path) -> None:
        """What else belongs into a checkpoint. Every process comes here; the folder is there on process 0."""

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[Any]:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        at_once = self.args.train_batch_size
        step = at_once * self.args.gradient_accumulation_steps * self.args.world_size
        lengths = [longest_sequence(row) for row in rows]
        return LengthGrouped(lengths, step, self.args.seed, self.row_weights, self._prompts(rows), at_once)

    def _prompts(self, _rows: Any) -> list[Any] | None:
        """What is equal for rows that should be computed together, if any should."""
        return None

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card in a run folder: the manifest says what ran."""


def hold_float32(model: Any) -> None:
    """Hold what is trained in float32. TRL casts it to bf16 where the base is quantised, and there most steps of a
    small learning rate are rounded away."""
    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model


class Tokenwise(Careful):
    """A trainer on rows that Parley encoded, whose loss is made of single tokens' log-probabilities."""

    def __init__(self, *, args: Any, **kwargs: Any) -> None:
        # TRL's own padding_free is switched off in DPO and unknown in KTO; ours is below TRL's call of the model.
        padding_free, args.padding_free = getattr(args, "padding_free", False), False
        super().__init__(args=args, **kwargs)
        if padding_free:
            for model in (self.model, getattr(self, "ref_model", None)):
                if model is not None:
                    leave_out_padding(_inner(self.accelerator.unwrap_model(model)))

    def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
        return dataset  # TRL's own preparation knows no encoded rows


class Sft(Tokenwise, SFTTrainer):  # type: ignore[misc]  # TRL has no types
    """Supervised fine-tuning on rows with `input_ids` and `labels`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.args.packing:
            self.train_dataset = PackedRows(self.train_dataset)

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[Any]:
        if not self.args.packing:
            return super()._get_train_sampler(train_dataset)
        packed = train_dataset if train_dataset is not None else self.train_dataset
        lengths = [len(row["input_ids"]) for row in packed.rows]
        return Packs(lengths, self.args.max_length, self.args.seed, self.row_weights)


class Kto(Tokenwise, KTOTrainer):  # type: ignore[misc]  # TRL has no types
    """Kahneman-Tversky optimization on rows with `prompt_ids`, `completion_ids` and `label`."""

    def __init__(self, *, args: Any, processing_class: Any, **kwargs: Any) -> None:
        # TRL pairs each prompt with a neighbour's answer once, in the order of the file. Here each batch does so
        # itself, since batches are shuffled.
        collator = Mismatched(processing_class.pad_token_id, args.max_length)
        super().__init__(args=args, processing_class=processing_class, data_collator=collator, **kwargs)

    def _prompts(self, rows: Any) -> list[Any]:
        return [tuple(prompt) for prompt in rows["prompt_ids"]]

    def _compute_kl_logps(self, model: Any, batch: dict[str, Any]) -> Any:
        """TRL's, to whom the rows themselves come next: they have the same prompts, and are computed with these."""
        shared = getattr(_inner(self.accelerator.unwrap_model(model)).base_model, "_shared", None)
        if shared is None or self.is_fsdp_enabled or self.is_deepspeed_enabled:  # these must see each call
            return super()._compute_kl_logps(model, batch)
        with shared.before(batch["input_ids"], batch["attention_mask"]):
            return super()._compute_kl_logps(model, batch)


class Dpo(Tokenwise, DPOTrainer):  # type: ignore[misc]  # TRL has no types
    """Direct preference optimization on rows with `prompt_ids`, `chosen_ids` and `rejected_ids`."""

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """TRL's pass of the reference over all rows, kept in the run folder.

        For rows in memory TRL's file would lie in a folder of its own for each process, where only the first writes.
        """
        self._compute_once()  # TRL comes here while the trainer is made
        folder = private_dir(Path(self.args.output_dir))
        dataset._get_cache_file_path = lambda fingerprint: str(folder / f"reference-{name}-{fingerprint}.arrow")
        return super()._precompute_ref_logps(dataset, name, batch_size)

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
        """TRL's loss; while evaluating, also how often the policy finds the chosen answer likelier, per token.

        Unlike TRL's reward accuracy that needs no reference, so it means something before training too, when policy
        and reference agree and every reward is zero.
        """
        if self.model.training:
            return super()._compute_loss(model, inputs, return_outputs)

        def watched(**kwargs: Any) -> Any:
            outputs = model(**kwargs)
            tokens = inputs["completion_mask"][:, 1:].sum(dim=1).clamp(min=1)
            chosen, rejected = (outputs.log_probs.sum(dim=1) / tokens).chunk(2)
            right = self.accelerator.gather_for_metrics((chosen > rejected).float())
            self._metrics["eval"]["preference_accuracy"].append(right.mean().item())
            return outputs

        return super()._compute_loss(watched, inputs, return_outputs)
