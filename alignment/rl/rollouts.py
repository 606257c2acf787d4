"""Prompts and answers of a rollout: repeatable after a resumption, and reasonably fast.

PPO, RLOO and GRPO share this. Seeds depend on the run's seed and the numbers of rollout and process alone, so a
run that was interrupted at a rollout's end continues as if nothing had happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import TrainerCallback

from alignment.rl.formulas import rollout_seed
from alignment.rl.sampling import PlainCopy
from alignment.rows.order import Draws
from alignment.rows.tokens import control_strings, encode_answer, prompt_ids
from alignment.training.stage import Stage
from data.chat import Message

# Replays given completions instead of sampling: called with the prompts of one process and the rollout's number, it
# returns the token ids of an answer to each, end of turn included. For fixed rollouts (in tests).
Replay = Callable[[Sequence[Sequence[Message]], int], list[list[int]]]


class Prompts(torch.utils.data.Sampler[int]):
    """Indices of prompts, rollout by rollout; those of a rollout come `repeat` times, once for every step on it.

    Each epoch draws its rows by `weights` (see `order.Draws`), in its own order. It is a whole number of rollouts:
    the last one is filled up from the epoch's beginning. Each prompt comes `generations` times in a row.
    """

    def __init__(
        self,
        rows: int,
        prompts: int,
        generations: int,
        repeat: int,
        seed: int,
        weights: Sequence[float] | None = None,
    ) -> None:
        self.prompts, self.generations, self.repeat = prompts, generations, repeat
        self.draws = Draws(rows, seed, weights)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the next epoch; the trainer calls this."""
        self.epoch = epoch

    @property
    def rollouts(self) -> int:
        """Rollouts of one epoch."""
        return math.ceil(self.draws.count / self.prompts)

    def __len__(self) -> int:
        return self.rollouts * self.prompts * self.generations * self.repeat

    def __iter__(self) -> Iterator[int]:
        order = self.draws.draw(self.draws.generator(self.epoch))
        for rollout in range(self.rollouts):
            chunk = [order[(rollout * self.prompts + at) % len(order)] for at in range(self.prompts)]
            for _ in range(self.repeat):
                for index in chunk:
                    yield from [index] * self.generations


class AtRolloutEnds(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Delays a checkpoint that is due within a rollout to the rollout's end: the state in between is not saved."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.due = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - the callback's
        """Delay a checkpoint, or make the delayed one now."""
        due = self.due or control.should_save
        boundary = state.global_step % self.steps == 0
        control.should_save, self.due = due and boundary, due and not boundary
        return control


def say_when_saved(stage: Stage, trainer: Any) -> None:
    """Print it if checkpoints come later than the recipe asks: they are made at the ends of rollouts only."""
    steps, wanted = trainer.steps_per_rollout, trainer.args.save_steps
    if wanted >= 1 and wanted % steps:
        stage.console.print(
            f"Checkpoints lie at the ends of rollouts only, every {steps} steps: save_steps {wanted:g} comes to "
            f"{-(-wanted // steps) * steps:g}."
        )


def end_of_turn(tokenizer: Any) -> int:
    """The token that ends an assistant's turn in the tokenizer's template, by position: where an answer stops."""
    asked = [Message(role="user", content="a")]
    return encode_answer(tokenizer, asked, "a", control_strings(tokenizer)).answer[-1]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside the block all sampling follows from `seed`; afterwards the random state is as before."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


class Rollouts:
    """Mixed in before TRL's trainers that sample their own data. Checkpoints are made at rollout ends only."""

    # Given completions instead of sampled ones, for tests of several processes.
    replay: Replay | None = None
    _plain: PlainCopy | None = None
    _evaluating = 0  # the number of the next batch of an evaluation, from 1; 0 while training

    def begin_rollouts(self: Any) -> None:
        """After TRL's own set-up: stop at the template's end of turn, delay checkpoints to rollout ends."""
        self.stop = end_of_turn(self._tokenizer)
        self.eos_token_ids = [self.stop, *(token for token in self.eos_token_ids if token != self.stop)]
        if not self.use_vllm:
            self.generation_config.eos_token_id = self.eos_token_ids
            self.generation_kwargs["eos_token_id"] = self.eos_token_ids
        self.words = control_strings(self._tokenizer)
        self.add_callback(AtRolloutEnds(self.steps_per_rollout))

    @property
    def steps_per_rollout(self: Any) -> int:
        """Optimizer steps on one rollout's answers: epochs times minibatches."""
        args = self.args
        return max(1, int(args.num_iterations * args.steps_per_generation // args.gradient_accumulation_steps))

    @property
    def rollout(self: Any) -> int:
        """The number of the current rollout, from 0."""
        return int(self.state.global_step) // int(self.steps_per_rollout)

    def rows_seen(self: Any, steps: int) -> int:
        """The largest number of prompts that this many optimizer steps draw."""
        prompts = self.args.generation_batch_size // self.num_generations
        return int(math.ceil(steps / self.steps_per_rollout) * prompts)

    def _get_train_sampler(self: Any, dataset: Any = None) -> Prompts:
        rows = dataset if dataset is not None else self.train_dataset
        args = self.args
        prompts = args.generation_batch_size // self.num_generations
        repeat = args.num_iterations * args.steps_per_generation
        return Prompts(len(rows), prompts, self.num_generations, repeat, args.seed, self.row_weights)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """TRL's evaluation, with the same sampling each time."""
        self._evaluating = 1
        try:
            return super().evaluate(*args, **kwargs)  # type: ignore[misc]  # of the class that this is mixed into
        finally:
            self._evaluating = 0

    def _tokenize_prompts(self: Any, prompts: Any) -> tuple[list[list[int]], None, dict[str, Any]]:
        # As for the engine, control strings in a prompt are plain text.
        return [prompt_ids(self._tokenizer, prompt, self.words) for prompt in prompts], None, {}

    def _generate(self: Any, prompts: Any) -> Any:
        self._asked = prompts
        return super()._generate(prompts)  # type: ignore[misc]  # of the class that this is mixed into

    def _generate_single_turn(self: Any, ids: Any, *args: Any, **kwargs: Any) -> Any:
        number = self.rollout
        if self._evaluating:
            # Evaluations count downwards: each samples the same every time, and not what training samples.
            number, self._evaluating = -self._evaluating, self._evaluating + 1
        elif self.replay is not None:
            return self._as_generated(self.replay(self._asked, number))
        seed = rollout_seed(self.args.seed, number, self.accelerator.process_index)
        if self.accelerator.device.type == "cpu" and hasattr(self.model, "peft_config") and not self.use_vllm:
            return self._as_generated(self._sample_on_cpu(ids, seed))
        with seeded(seed), self.accelerator.autocast(), self._policy_alone():
            return super()._generate_single_turn(ids, *args, **kwargs)  # type: ignore[misc]  # of the class that this is mixed into

    def _sample_on_cpu(self: Any, ids: list[list[int]], seed: int) -> list[list[int]]:
        model = self.accelerator.unwrap_model(self.model)
        if self._plain is None:
            self._plain = PlainCopy(model, torch.bfloat16 if self.args.bf16 else torch.float32)
        self._plain.take(model)
        with seeded(seed):
            return list(
                self._plain.sample(ids, self.generation_config, self._tokenizer.pad_token_id, self.eos_token_ids)
            )

    def _as_generated(self: Any, completions: list[list[int]]) -> Any:
        """Completions as TRL's `_generate_single_turn` returns them; GRPO's gives log-probabilities too, or None."""
        return completions, None

    @contextmanager
    def _policy_alone(self: Any) -> Iterator[None]:
        """Around generation by vLLM, which gets the weights with the adapter merged in.

        TRL merges into the base in training itself, and takes the adapter out again. In bf16 that rounds the
        base each time, and after some hundred rollouts it is no longer the one that the adapter will be served on.
        """
        if not self.use_vllm:
            yield
            return
        layers = _adapted(self.accelerator.unwrap_model(self.model))
        kept = [layer.get_base_layer().weight.detach().clone() for layer in layers]
        try:
            yield
        finally:
            with torch.no_grad():
                for layer, weight in zip(layers, kept, strict=True):
                    layer.get_base_layer().weight.copy_(weight)


def _adapted(model: Any) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
