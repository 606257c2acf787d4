"""TRL's trainers with the few things that Parley does otherwise. All losses are TRL's."""

import shutil
from pathlib import Path
from typing import Any

import trl.trainer.utils
from transformers import Trainer
from transformers.trainer import rotate_checkpoints
from trl import DPOTrainer, SFTTrainer

from alignment.prepare import longest_sequence
from alignment.sampler import LengthGrouped

# TRL's fused head scores the trained positions only on devices with Triton, and everywhere else every position, for
# the sake of accelerators that compile for each shape. A CPU does not: with a vocabulary of 49,152 and 40 % of the
# positions trained, a step takes 0.62 of the time this way, with the same loss to the last digit. (In TRL 1.16 this
# name in this module decides nothing else; a test compares both ways.)
trl.trainer.utils._use_triton = lambda _device: True


class Careful(Trainer):  # type: ignore[misc]  # transformers has no types
    """Checkpoints appear complete or not at all; rows of like length share a batch in a repeatable order."""

    _staging: Path | None = None

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

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGrouped:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        step = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return LengthGrouped([longest_sequence(row) for row in rows], step, self.args.seed)

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card in a run folder: the manifest says what ran."""


class Sft(Careful, SFTTrainer):  # type: ignore[misc]
    """Supervised fine-tuning on rows with `input_ids` and `labels`."""


class Dpo(Careful, DPOTrainer):  # type: ignore[misc]
    """Direct preference optimization on rows with `prompt_ids`, `chosen_ids` and `rejected_ids`."""

    def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
        return dataset  # TRL's own preparation knows no encoded rows

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
