"""Semi-online DPO: every few optimizer steps the policy draws new pairs itself, and a reward model judges them.

Lanchantin et al., "Bridging Offline and Online Reinforcement Learning for LLMs" (arXiv 2506.21495): DPO on pairs from
the current policy is about as good as online reinforcement learning, also when the pairs are some steps old, and both
are far better than pairs that were collected once. Of several answers to a prompt the best is chosen over the worst.

The reference stays the policy that training starts from, as by default in the authors' code (fairseq2). So the loss
means the same over the whole run, and held-out losses can be compared.

TRL's experimental `OnlineDPOTrainer` is not a `DPOTrainer`. It draws two answers in every micro-batch, trains on
equal ones as if one were better, and samples from the global random state, so a resumed run differs. Here the trainer
is offline DPO's, and only its batches come from elsewhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence
from transformers import GenerationConfig
from trl.models import unwrap_model_for_generation

from alignment.rl.drawn_pairs import Columns, Drawn, arrange, pair_up
from alignment.rl.formulas import rollout_seed
from alignment.rl.rollouts import AtRolloutEnds, end_of_turn, seeded
from alignment.rl.samples import Sampled, write_samples
from alignment.rl.sampling import PlainCopy, cut, padded_left
from alignment.rl.scoring import Scoring
from alignment.rows.order import Draws
from alignment.rows.prepare import Examples
from alignment.training.trainers import Dpo
from data.errors import ParleyError
from data.home import write_atomic

STATE = "drawn.json"
_PLACE = "place"  # the one column of the batches that the loader makes
_TRIES = 4  # draws in a row without a pair that are too many
OFFLINE = "offline"  # counts the offline rows, beside `Drawn.counts`


class SemiOnlineDpo(Dpo):
    """DPO whose batches are pairs that the policy draws, mixed with `offline` rows.

    A draw is good for `online_every` steps. It is a function of the weights, the seed and how much was drawn before.
    Checkpoints lie at the ends of these steps only and hold the counts, so a resumed run draws what an uninterrupted
    one would have. A draw that makes no pair counts as well, so the next one asks other prompts.
    """

    def __init__(
        self, *, prompts: Examples, offline: Examples, scores: Scoring, samples: Path, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        args = self.args
        self.asked_for, self.offline, self.scores, self.samples = prompts, offline, scores, samples
        self.steps_per_rollout = int(args.online_every)
        self.step_size = args.per_device_train_batch_size * args.gradient_accumulation_steps
        places = self.steps_per_rollout * self.step_size
        self.mixed_in = min(round(args.offline_share * places), places - 1) if len(offline) else 0
        self.asked = places - self.mixed_in  # prompts of a draw
        self.order = Draws(len(prompts), args.seed, prompts.weights)
        self.offline_order = Draws(len(offline), args.seed, offline.weights) if len(offline) else None
        self.stop = end_of_turn(self._tokenizer)
        self.stops = [*dict.fromkeys((self.stop, int(self._tokenizer.eos_token_id)))]
        self.sampling = GenerationConfig(
            max_new_tokens=args.max_completion_length,
            do_sample=True,
            temperature=args.temperature,
            top_p=1.0,
            top_k=0,
            bos_token_id=self._tokenizer.bos_token_id,
            pad_token_id=self._tokenizer.pad_token_id,
            eos_token_id=self.stops,
            disable_compile=True,
        )
        self.counts: Counter[str] = Counter()
        self.held: tuple[int, list[list[Columns]]] | None = None  # the number of a draw, and its optimizer steps
        self.first: list[Drawn] | None = None
        self.plain: PlainCopy | None = None
        self.micro = 0  # the next micro-batch of this optimizer step
        self.add_callback(AtRolloutEnds(self.steps_per_rollout))

    # Batches

    def get_train_dataloader(self) -> Any:
        """Places for one pass over the prompts, in whole draws. Which pairs are in them follows from the step."""
        draws = max(1, -(-self.order.count // self.asked))
        places: Any = range(draws * self.steps_per_rollout * self.step_size)
        loader: Any = torch.utils.data.DataLoader(
            places, self.args.per_device_train_batch_size, collate_fn=lambda rows: {_PLACE: torch.tensor(rows)}
        )
        return self.accelerator.prepare(loader)

    def rows_seen(self, steps: int) -> int:
        """How many prompts so many optimizer steps ask, beside those of draws that made no pair."""
        return int(-(-steps // self.steps_per_rollout) * self.asked)

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Train a micro-batch, and count it."""
        loss = super().training_step(*args, **kwargs)
        self.micro = (self.micro + 1) % self.args.gradient_accumulation_steps
        return loss

    def _prepare_inputs(self, inputs: Any) -> Any:
        """The pairs of a micro-batch, drawn now if that is due; held-out rows as they are."""
        if _PLACE not in inputs:
            return super()._prepare_inputs(inputs)
        number, step = divmod(int(self.state.global_step), self.steps_per_rollout)
        if self.held is None or self.held[0] != number:
            self.held = number, self._begin(number)
        size = self.args.per_device_train_batch_size
        rows = self.held[1][step][self.micro * size : (self.micro + 1) * size]
        return super()._prepare_inputs(self.data_collator(rows))

    # Drawing

    def _begin(self, number: int) -> list[list[Columns]]:
        """The optimizer steps of a draw. It is logged, and a few of its answers are kept."""
        draws, self.first = self.first or self._draw_pairs(), None
        for drawn in draws:
            for name, value in drawn.figures().items():
                self._metrics["train"][name].append(value)
            write_samples(self.samples, int(self.state.global_step), drawn.sampled)
        pairs = draws[-1].rows()
        asked = self.asked if pairs else 0
        rows = self._offline_rows(self.mixed_in if asked else self.steps_per_rollout * self.step_size)
        self.counts[OFFLINE] += len(rows)
        return arrange(pairs, rows, asked, self.step_size, rollout_seed(self.args.seed, number, -1))

    def _draw_pairs(self) -> list[Drawn]:
        """Draw until there is a pair; without one, offline rows are trained, where there are any.

        Raises `ParleyError` if there is nothing to train on: `_TRIES` draws without a pair, and no offline rows.
        """
        draws: list[Drawn] = []
        while len(draws) < _TRIES:
            draws.append(self.draw())
            self.counts.update(draws[-1].counts())
            if draws[-1].pairs or self.offline_order:
                return draws
        raise ParleyError(
            f"None of {sum(each.prompts for each in draws)} prompts made a pair after step {self.state.global_step}: "
            f"{sum(each.equal for each in draws)} whose answers the reward scores alike, "
            f"{sum(each.dropped for each in draws)} without a better answer that ended. Raise max_completion_length, "
            "num_generations or temperature, or give the model SFT first."
        )

    def draw(self) -> Drawn:
        """Answers of the current policy to the next prompts, and the pairs that they make."""
        args, before = self.args, self.counts["prompts"]
        rows = [self.asked_for.examples[at] for at in self.order.stretch(before, self.asked)]
        return pair_up(
            self._sample([row.columns for row in rows], before // self.asked),
            args.num_generations,
            deviation=self.scores.deviation,
            penalty=args.missing_eos_penalty,
        )

    def _offline_rows(self, count: int) -> list[Columns]:
        """The next offline rows."""
        if self.offline_order is None:
            return []
        return [self.offline.examples[at].columns for at in self.offline_order.stretch(self.counts[OFFLINE], count)]

    def _sample(self, rows: Sequence[Columns], number: int) -> Sampled:
        """`num_generations` answers to each prompt, those to one prompt side by side, with their scores."""
        group = self.args.num_generations
        ids = [list(row["prompt_ids"]) for row in rows for _ in range(group)]
        # Prompts of like length are answered together.
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]["prompt_ids"]))
        at_once = max(1, self.args.generation_batch_size // group)
        answers: list[list[int]] = [[] for _ in ids]
        sample = self._sampler()
        with seeded(rollout_seed(self.args.seed, number, 0)):
            for start in range(0, len(order), at_once):
                mine = [row * group + n for row in order[start : start + at_once] for n in range(group)]
                for each, answer in zip(mine, sample([ids[each] for each in mine]), strict=True):
                    answers[each] = answer
        texts = self._tokenizer.batch_decode(answers, skip_special_tokens=True)
        prompts = [row["prompt"] for row in rows for _ in range(group)]
        completions = [[{"role": "assistant", "content": text}] for text in texts]
        scores = self.scores.score(prompts=prompts, completions=completions, completion_ids=answers)
        return Sampled(
            prompts,
            texts,
            ids,
            answers,
            torch.tensor(scores, dtype=torch.float64),
            torch.tensor([answer[-1] == self.stop for answer in answers]),
            pad_sequence([torch.ones(len(answer)) for answer in answers], batch_first=True),
        )

    def _sampler(self) -> Callable[[list[list[int]]], list[list[int]]]:
        """The function that samples an answer to each of some prompts from the policy as it is now."""
        pad = int(self._tokenizer.pad_token_id)
        policy = self.accelerator.unwrap_model(self.model)
        if self.accelerator.device.type != "cpu" or not hasattr(policy, "peft_config"):
            return lambda ids: self._generate(ids, pad)
        if self.plain is None:
            self.plain = PlainCopy(policy, torch.bfloat16 if self.args.bf16 else torch.float32)
        plain = self.plain
        plain.take(policy)
        return lambda ids: plain.sample(ids, self.sampling, pad, self.stops)

    def _generate(self, ids: list[list[int]], pad: int) -> list[list[int]]:
        inputs, mask = (each.to(self.accelerator.device) for each in padded_left(ids, pad))
        training = self.model.training
        self.model.eval()
        try:
            with (
                unwrap_model_for_generation(self.model_wrapped, self.accelerator) as model,
                torch.no_grad(),
                self.accelerator.autocast(),
            ):
                found = model.generate(
                    input_ids=inputs, attention_mask=mask, generation_config=self.sampling, use_cache=True
                )
        finally:
            self.model.train(training)
        return [cut(tokens, self.stops) for tokens in found[:, inputs.shape[1] :].tolist()]

    # The beginning, the end, checkpoints

    def begin(self) -> list[Columns]:
        """Draw the first pairs before training; returns them, or offline rows where there are none."""
        self.first = self._draw_pairs()
        rows = self.first[-1].rows() or self._offline_rows(self.asked)
        self.train_dataset = Dataset.from_list([dict(row) for row in rows])  # for the preflight
        return rows

    def _save_more(self, checkpoint: Path) -> None:
        if self.args.should_save:
            write_atomic(checkpoint / STATE, json.dumps(self.counts))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            self.counts = Counter(json.loads((Path(checkpoint) / STATE).read_text(encoding="utf-8")))
