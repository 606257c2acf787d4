"""TRL's trainers with the few things that Parley does differently. All losses are TRL's."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer
from transformers.trainer import rotate_checkpoints
from trl import DPOTrainer, KTOTrainer, SFTTrainer

from alignment.fast import install
from alignment.fast.fused_lora import round_frozen
from alignment.models import first_line
from alignment.rows.collating import Mismatched, PackedRows
from alignment.rows.order import LengthGrouped, Packs
from alignment.rows.prepare import longest_sequence
from alignment.training import edits, processes
from alignment.training.checkpoints import seal
from alignment.training.errors import DIVERGED, Diverged
from alignment.training.schedule import warm_from_the_first_step, warmup
from data.errors import BadInput
from data.home import private_dir


class Careful(Trainer):  # type: ignore[misc]  # transformers has no types
    """Checkpoints appear complete or not at all; rows of similar length share a batch in a repeatable order.

    Parts that are faster than TRL's own are installed for this trainer alone (`alignment.fast.install`).
    """

    # The weights of the training rows, in their order; None: all the same. (Not a column of the rows: trainers drop
    # columns that they do not know.)
    row_weights: list[float] | None = None
    train_dataset: Any
    tell: Callable[[str], None] = staticmethod(processes.say)  # gets messages for the user
    _staging: Path | None = None
    _installed = False

    def __init__(self, *, args: Any, **kwargs: Any) -> None:
        self._losses: list[torch.Tensor] = []  # of the batches of this optimizer step
        with install.heads(type(self), sharing=_shares(args)), refusals():
            super().__init__(args=args, **kwargs)
        hold_float32(self.model)
        self._install()

    def _install(self) -> None:
        """Compute shared prefixes once, and a layer with its adapter in one step, unless switched off."""
        if self._installed or not _shares(self.args):
            return
        self._installed = True
        for model in self._models():
            # NEFTune's noise depends on how long a sequence is.
            if not self.args.neftune_noise_alpha:
                install.share_prefixes(_inner(model), self._tell)
        if self.is_fsdp_enabled or self.is_deepspeed_enabled:
            return
        model, on_cpu = self.accelerator.unwrap_model(self.model), self.accelerator.device.type == "cpu"
        if install.fuse(model) and on_cpu and self.args.bf16:
            round_frozen(model, torch.bfloat16)

    def _models(self) -> list[Any]:
        """The policy, and the reference if it is a separate model."""
        models = (self.model, getattr(self, "ref_model", None))
        return [self.accelerator.unwrap_model(model) for model in models if model is not None]

    def _tell(self, sentence: str) -> None:
        self.tell(sentence)

    # The schedule

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """transformers' own; what it refuses becomes a sentence."""
        with refusals():
            return super().create_optimizer(*args, **kwargs)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """transformers' schedule, but the first step of the warm-up learns, and a short run is not all warm-up."""
        if self.lr_scheduler is not None:
            return super().create_scheduler(num_training_steps, optimizer)
        args = self.args
        asked = args.warmup_steps
        args.warmup_steps = warm = warmup(args.get_warmup_steps(num_training_steps), num_training_steps)
        try:
            with refusals():
                made = super().create_scheduler(num_training_steps, optimizer)
        finally:
            args.warmup_steps = asked
        if warm and isinstance(made, torch.optim.lr_scheduler.LambdaLR):
            warm_from_the_first_step(made, warm)
        return made

    def rows_seen(self, steps: int) -> int | None:
        """The largest number of rows that this many optimizer steps draw; None if that is not known before."""
        return int(steps * self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size)

    # Divergence

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's, and keep the loss for the check at the end of the optimizer step."""
        loss = super().training_step(*args, **kwargs)
        self._losses.append(loss.detach())
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """transformers' norm of the gradients, once a step and before the weights change."""
        norm = super()._get_grad_norm(model, grad_norm)
        # A scaler (fp16) skips a step whose gradients are too large, and lowers its scale.
        scaled = getattr(self.accelerator, "scaler", None) is not None
        loss = self.accelerator.reduce(torch.stack(self._losses).sum(), reduction="mean")
        self._losses.clear()
        loss, size = float(loss), None if norm is None else float(norm)
        if math.isfinite(loss) and (scaled or size is None or math.isfinite(size)):
            return norm
        self.state.global_step += 1
        self.log({"loss": loss, "grad_norm": size, "learning_rate": self._get_learning_rate()})
        wrong = f"loss is {loss}" if not math.isfinite(loss) else f"gradient norm is {size}"
        raise Diverged(f"The {wrong} in step {self.state.global_step} of {self.state.max_steps}: {DIVERGED}")

    def check_weights(self) -> None:
        """Raise `Diverged` if a trained weight is not finite. Every process must call this."""
        bad = torch.zeros((), device=self.accelerator.device)
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                local = parameter.to_local() if hasattr(parameter, "to_local") else parameter
                bad += (~torch.isfinite(local.detach())).any().to(bad.device)
        if float(self.accelerator.reduce(bad, reduction="sum")):
            step = self.state.global_step
            raise Diverged(f"Weights are not finite after step {step} of {self.state.max_steps}: {DIVERGED}")

    # Checkpoints

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging or super()._get_output_dir(trial))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        self.check_weights()
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
        # This is a pickle that nothing here reads.
        (staged / "training_args.bin").unlink(missing_ok=True)
        if best := self.state.best_global_step:
            # The state was saved before this checkpoint got its name.
            self.state.best_model_checkpoint = str(parent / f"checkpoint-{best}")
            self.state.save_to_json(str(staged / "trainer_state.json"))
        seal(staged)
        shutil.rmtree(parent / name, ignore_errors=True)
        staged.rename(parent / name)
        rotate_checkpoints(
            output_dir=str(parent),
            save_total_limit=self.args.save_total_limit,
            best_model_checkpoint=self.state.best_model_checkpoint,
        )

    def _save_more(self, checkpoint: Path) -> None:
        """Save more into a checkpoint. Every process calls this; the folder exists on process 0."""

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[Any]:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        at_once = self.args.train_batch_size
        step = at_once * self.args.gradient_accumulation_steps * self.args.world_size
        lengths = [longest_sequence(row) for row in rows]
        return LengthGrouped(lengths, step, self.args.seed, self.row_weights, self._prompts(rows), at_once)

    def _prompts(self, _rows: Any) -> list[Any] | None:
        """For each row a value that is equal for rows that should be computed together; None if none should."""
        return None

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No card in a run folder: the manifest says what ran."""


@contextmanager
def refusals() -> Iterator[None]:
    """Make a sentence of what TRL or transformers refuse while they set up; nothing is trained yet."""
    try:
        yield
    except (ValueError, TypeError, ImportError, NotImplementedError, ArithmeticError) as error:
        raise BadInput(f"TRL refuses these settings: {first_line(error)}") from error


def hold_float32(model: Any) -> None:
    """Hold what is trained in float32.

    TRL casts it to bf16 where the base is quantised, and bf16 rounds most steps of a small learning rate away.
    """
    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()


def _shares(args: Any) -> bool:
    return bool(getattr(args, "share_prefixes", True))


def _inner(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "peft_config") else model


class Tokenwise(Careful):
    """A trainer on rows that Parley encoded, with a loss over the log-probabilities of single tokens."""

    def __init__(self, *, args: Any, **kwargs: Any) -> None:
        # TRL's own padding_free is switched off in DPO and unknown in KTO; ours works below TRL's call of the model.
        padding_free, args.padding_free = getattr(args, "padding_free", False), False
        super().__init__(args=args, **kwargs)
        if padding_free:
            for model in self._models():
                install.leave_out_padding(_inner(model))

    def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
        return dataset  # TRL's own preparation is for rows that are still text


class Sft(Tokenwise, SFTTrainer):  # type: ignore[misc]  # TRL has no types
    """Supervised fine-tuning on rows with `input_ids` and `labels`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.args.packing:
            self.train_dataset = PackedRows(self.train_dataset)

    def rows_seen(self, steps: int) -> int | None:
        """See `Careful`. How many rows fit into a pack is not known."""
        return None if self.args.packing else super().rows_seen(steps)

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
        """TRL's. The batch's own rows follow with the same prompts, so they are computed along with these."""
        sharing = install.sharing_of(_inner(self.accelerator.unwrap_model(model)))
        if sharing is None or self.is_fsdp_enabled or self.is_deepspeed_enabled:  # these need every call to happen
            return super()._compute_kl_logps(model, batch)
        with sharing.before(batch["input_ids"], batch["attention_mask"]):
            return super()._compute_kl_logps(model, batch)


class Dpo(Tokenwise, DPOTrainer):  # type: ignore[misc]  # TRL has no types
    """Direct preference optimization on rows with `prompt_ids`, `chosen_ids` and `rejected_ids`."""

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """TRL's pass of the reference over all rows, kept in the run folder."""
        self._install()  # TRL calls this while it still makes the trainer
        install.keep_reference_pass(dataset, private_dir(Path(self.args.output_dir)), name)
        return super()._precompute_ref_logps(dataset, name, batch_size)

    def token_weights(self, inputs: Any) -> Any:
        """The weight of each token of the answers, for `alignment.training.edits`; None where all weigh the same."""
        if self.args.kept_weight == 1 and not self.args.demonstration_weight:
            return None
        return edits.token_weights(inputs["input_ids"], inputs["completion_mask"], self.args.kept_weight)

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        """TRL's sums of the reference's log-probabilities, weighted as the policy's are."""
        weights = self.token_weights(inputs)
        return super().compute_ref_log_probs(model if weights is None else _weighted(model, weights), inputs)

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
        """TRL's loss, on weighted tokens and with the demonstration's part added where the settings ask for that.

        An evaluation also measures how often the policy finds the chosen answer likelier, per token. TRL's reward
        accuracy needs a reference and means nothing before training, when policy and reference agree and every reward
        is zero. This needs none.
        """
        mode, weights, told = "train" if self.model.training else "eval", self.token_weights(inputs), []

        def look(log_probs: Any) -> None:
            if weights is not None:
                told.append(edits.demonstration_loss(log_probs, weights))
            if mode == "eval":
                tokens = inputs["completion_mask"][:, 1:].sum(dim=1).clamp(min=1)
                chosen, rejected = (log_probs.sum(dim=1) / tokens).chunk(2)
                right = self.accelerator.gather_for_metrics((chosen > rejected).float())
                self._metrics[mode]["preference_accuracy"].append(right.mean().item())

        found = super()._compute_loss(_weighted(model, weights, look), inputs, return_outputs)
        if weights is None:
            return found
        loss, outputs = found if return_outputs else (found, None)
        for name, part in (("preference", loss), ("demonstration", told[0])):
            self._metrics[mode][f"loss/{name}"].append(self.accelerator.gather(part.detach()).mean().item())
        loss = loss + self.args.demonstration_weight * told[0]
        return (loss, outputs) if return_outputs else loss


def _weighted(model: Any, weights: Any, look: Callable[[Any], None] = lambda _: None) -> Callable[..., Any]:
    """The model's call, whose log-probabilities are shown to `look` and then weighted, if there are weights."""

    def call(**inputs: Any) -> Any:
        outputs = model(**inputs)
        look(outputs.log_probs)
        if weights is not None:
            outputs.log_probs = outputs.log_probs * weights
        return outputs

    return call
