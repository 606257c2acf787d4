"""A reward model: the base with an adapter and a score head, kept in one folder, that scores text.

    adapter_config.json, adapter_model.safetensors    LoRA and the score head, as PEFT saves them
    reward.json                                       the base, the hashes of what it was trained on, its figures

Several heads may share the adapter (`--heads 3`): the score is their mean, and how far they are apart says how unsure
it is. The score is read at the last token of an answer, its end of turn, found by its position. transformers' own
classifiers look for the last token that is not padding, by token id, and so read one token too early wherever padding
and end of turn are the same token, as in SmolLM2.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig
from transformers.modeling_outputs import SequenceClassifierOutputWithPast
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from alignment import models
from alignment.fast.install import share_prefixes, shares
from alignment.fast.rounding import hold
from alignment.gpu import on_gpu
from alignment.models import Base
from alignment.rows.batching import batches, padded, related
from alignment.rows.tokens import control_strings, encode_answer
from data.chat import Message, template_sha256
from data.errors import BadInput

FACTS = "reward.json"
WEIGHTS = "adapter_model.safetensors"
# What PEFT calls the score head in the file of weights.
HEAD = "base_model.model.score.weight"


@dataclass
class RewardModel:
    """A loaded reward model. `base` is the base's name, `facts` the contents of `reward.json`."""

    base: str
    model: Any
    tokenizer: Any
    facts: dict[str, Any]

    @property
    def heads(self) -> int:
        """How many score heads it has; reward models of earlier versions have one."""
        return int(self.facts.get("heads", 1))

    def score(
        self,
        prompts: Sequence[Sequence[Message]],
        completions: Sequence[str],
        *,
        batch_tokens: int = 4096,
        bf16: bool = False,
    ) -> list[float]:
        """The score of each completion as the answer to its prompt, in the reward model's own unit: its heads' mean.

        Only differences between answers to one prompt mean something: the log-odds that people prefer one. A batch
        holds at most `batch_tokens` tokens, but always one answer. Tokens are counted as the model computes them:
        shared beginnings once, or padding too. `bf16` is up to three times as fast where the hardware multiplies
        bfloat16, and off by about 0.01 instead of 0.0001. Raises `BadInput` for lists of different lengths and for a
        conversation that the base cannot take in whole.
        """
        return _means(self.score_heads(prompts, completions, batch_tokens=batch_tokens, bf16=bf16))

    def score_heads(
        self,
        prompts: Sequence[Sequence[Message]],
        completions: Sequence[str],
        *,
        batch_tokens: int = 4096,
        bf16: bool = False,
    ) -> list[list[float]]:
        """What each head says of each completion; otherwise as `score`."""
        if len(prompts) != len(completions):
            raise BadInput(f"There are {len(prompts)} prompts and {len(completions)} completions to score.")
        control = control_strings(self.tokenizer)
        sequences = []
        for prompt, completion in zip(prompts, completions, strict=True):
            coded = encode_answer(self.tokenizer, prompt, completion, control)
            sequences.append([*coded.prompt, *coded.answer])
        return self.head_scores(sequences, batch_tokens=batch_tokens, bf16=bf16)

    def hold_in_bf16(self) -> None:
        """Hold the weights of layers in bf16: half the memory, and no rounding in each pass.

        From then on the model scores in bf16 only. The score head stays float32.
        """
        layers = {
            id(module.weight)
            for name, module in self.model.named_modules()
            if isinstance(module, torch.nn.Linear) and "score" not in name.split(".")
        }
        hold(self.model, layers, torch.bfloat16)

    def score_ids(
        self, sequences: Sequence[Sequence[int]], *, batch_tokens: int = 4096, bf16: bool = False
    ) -> list[float]:
        """The scores of conversations given as token ids of the reward model's tokenizer, ends of turn included."""
        return _means(self.head_scores(sequences, batch_tokens=batch_tokens, bf16=bf16))

    def head_scores(
        self, sequences: Sequence[Sequence[int]], *, batch_tokens: int = 4096, bf16: bool = False
    ) -> list[list[float]]:
        """What each head says of such conversations; otherwise as `score_ids`."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        longest = max(map(len, sequences), default=0)
        if limit and longest > limit:
            raise BadInput(f"A conversation of {longest} tokens is too long to score: {self.base} takes {limit}.")
        if not all(sequences):
            raise BadInput("An empty conversation cannot be scored.")
        device = next(self.model.parameters()).device
        inner = self.model.get_base_model() if hasattr(self.model, "peft_config") else self.model
        was_training = self.model.training
        self.model.eval()
        scores: list[list[float]] = [[] for _ in sequences]
        try:
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                lengths = [len(ids) for ids in sequences]
                together = related(sequences, batch_tokens) if shares(inner) else batches(lengths, batch_tokens)
                for batch in together:
                    ids, mask = padded([sequences[index] for index in batch], self.tokenizer.pad_token_id)
                    found = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
                    for index, value in zip(batch, found.float().tolist(), strict=True):
                        scores[index] = value
        finally:
            self.model.train(was_training)
        return scores


def _means(scores: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(each) for each in scores]


def critic_parts(folder: Path) -> tuple[dict[str, Tensor], Any, Tensor, dict[str, Any]]:
    """The start of a critic on the same base: the adapter, its configuration, the score head, the facts.

    The adapter's tensors, without the head, have the names under which PEFT saves them; the head's weight has the
    shape (1, hidden), and is the mean of several heads' weights. Nothing of the base is loaded. Raises `BadInput` for
    a folder that is not a reward model.
    """
    folder = reward_folder(folder)
    facts = read_facts(folder)
    with _readable(folder / WEIGHTS):
        state = load_file(str(folder / WEIGHTS))
    head = state.pop(HEAD, None)
    if head is None:
        raise BadInput(f"{folder / WEIGHTS} holds no score head ({HEAD}); train the reward model again.")
    if len(head) > 1:
        head = head.mean(dim=0, keepdim=True)
    return state, LoraConfig.from_pretrained(str(folder)), head, facts


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        what = models.first_line(error)
        raise BadInput(f"{path} is missing or damaged: {what}. Train the reward model again.") from error


def reward_folder(folder: Path) -> Path:
    """The folder of the reward model: that of a run has it in `reward`."""
    inner = Path(folder) / "reward"
    return inner if (inner / FACTS).is_file() and not (Path(folder) / FACTS).is_file() else Path(folder)


def read_facts(folder: Path) -> dict[str, Any]:
    """The contents of `reward.json`. Raises `BadInput` when the folder is not a reward model."""
    folder = Path(folder)
    missing = [name for name in (FACTS, "adapter_config.json", WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise BadInput(
            f"{folder} is not a reward model: it has no {missing[0]}. "
            f"`python -m alignment.reward` makes one, in the folder `reward` of its run."
        )
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or not isinstance(facts["base"], str):
            raise TypeError
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{folder / FACTS} is damaged; train the reward model again.") from None
    return facts


def load_reward_model(
    folder: Path,
    *,
    trainable: bool = False,
    base: str | None = None,
    dtype: Any = "float32",
    share: Callable[[str], None] | None = lambda _: None,
) -> RewardModel:
    """Load a reward model, on a GPU where there is one.

    Shared beginnings of conversations are computed once (not with `share=None`); if that is impossible, `share` gets
    a message about it. `base` says where the base is now, if it moved; it must be the same to the last bit.
    Raises `BadInput` when the folder is not a reward model, or when base, tokenizer or template are not those
    that it was trained with.
    """
    folder = reward_folder(folder)
    facts = read_facts(folder)
    found = models.locate(base or facts["base"])
    if models.base_sha256(found) != facts.get("base_sha256"):
        raise BadInput(
            f"The reward model in {folder} was trained on another {facts['base']} than the one here: the hashes of "
            "their weights differ, and its scores would mean nothing. Get that base back, or train it again."
        )
    tokenizer = models.load_tokenizer(found)
    for name, here in (
        ("tokenizer", models.tokenizer_sha256(tokenizer)),
        ("template", template_sha256(tokenizer.chat_template)),
    ):
        if facts.get(f"{name}_sha256") != here:
            raise BadInput(
                f"The reward model in {folder} was trained with another {name} than {found.name} has here, so it "
                "would score other tokens. Train it again."
            )
    scorer = load_scorer(found, dtype=dtype, heads=facts.get("heads", 1))
    if share is not None:
        share_prefixes(scorer, share)
    model = attach(scorer, folder, trainable=trainable)
    return RewardModel(found.name, model, tokenizer, facts)


def attach(scorer: Any, folder: Path, *, trainable: bool = False) -> Any:
    """Put a saved adapter with its score heads on a scorer, and that on a GPU where there is one."""
    with _readable(folder / WEIGHTS), safe_open(str(folder / WEIGHTS), "pt") as file:
        if HEAD not in file.keys():  # noqa: SIM118 - the file is not a dictionary
            raise BadInput(f"{folder / WEIGHTS} holds no score head ({HEAD}); train the reward model again.")
        heads, wanted = file.get_slice(HEAD).get_shape()[0], scorer.score.out_features
    if heads != wanted:
        raise BadInput(f"{folder / WEIGHTS} holds {heads} score heads, and {wanted} are asked for; train it again.")
    model = models.load_adapter(scorer, folder, trainable=trainable)
    if not trainable:
        return on_gpu(model.requires_grad_(False).eval())
    return model.to("cuda") if torch.cuda.is_available() else model


def load_scorer(base: Base, *, dtype: Any = "float32", seed: int = 0, heads: int = 1, **options: Any) -> Any:
    """A base with new score heads, repeatable by seed: normal, with deviation 1 / sqrt(hidden + 1).

    The deviation is that of Stiennon et al., "Learning to summarize from human feedback", 2020, as reported in
    Huang et al., "The N implementation details of RLHF with PPO", 2024. The head is float32, whatever the
    base is held in.
    """
    try:
        config = AutoConfig.from_pretrained(base.path)
        config.num_labels = 1  # TRL insists on it; the heads are made below
        scorer = _scorer_class(config.__class__).from_pretrained(base.path, config=config, dtype=dtype, **options)
    except (OSError, ValueError, ImportError) as error:
        raise BadInput(f"The base model {base.name} does not load: {str(error).strip().splitlines()[0]}") from error
    hidden = scorer.score.in_features
    drawn = torch.randn(heads, hidden, generator=torch.Generator().manual_seed(seed)) / (hidden + 1) ** 0.5
    head = torch.nn.Linear(hidden, heads, bias=False)
    with torch.no_grad():
        head.weight.copy_(drawn)
    scorer.score = head.to(scorer.device)
    scorer.config._name_or_path = base.name
    return scorer


@functools.cache
def _scorer_class(config_class: Any) -> Any:
    """The family's classifier, with the score read at one position only."""
    if config_class not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise BadInput(
            f"transformers has no classifier for {config_class.model_type} models, so it cannot carry a score head."
        )
    family = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[config_class]

    class Scorer(family):  # type: ignore[misc, valid-type]  # transformers has no types
        # The base's file has an output head, which is not needed, and no score head, which is made here.
        _keys_to_ignore_on_load_missing = (r"^score\.",)
        _keys_to_ignore_on_load_unexpected = (r"^lm_head\.",)

        def forward(self, input_ids: Any = None, attention_mask: Any = None, absent: Any = None, **_: Any) -> Any:
            """Scores, shape (batch, heads), of token ids and mask, shape (batch, tokens), padded on the right.

            They are 0 where `absent`, shape (batch,), is true (see `alignment.rewards.thumbs`).
            """
            if attention_mask is None:
                attention_mask = torch.ones_like(input_ids)
            hidden = self.base_model(
                input_ids=input_ids, attention_mask=attention_mask, use_cache=False
            ).last_hidden_state
            ends = attention_mask.sum(dim=-1) - 1
            last = hidden[torch.arange(len(ends), device=hidden.device), ends]
            weight = next(self.score.parameters())
            with torch.autocast(last.device.type, enabled=False):  # bf16 has only two to three digits
                scores = self.score(last.to(weight.dtype))
            if absent is not None:
                scores = scores.masked_fill(absent[:, None], 0.0)
            return SequenceClassifierOutputWithPast(logits=scores)

    Scorer.__name__ = Scorer.__qualname__ = family.__name__
    return Scorer
