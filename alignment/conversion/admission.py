"""Does a base compute in the embedded engine what transformers computes with it? Only then it is admitted.

Compared are token ids of 2,000 texts, the token ids of rendered conversations, and log-probabilities on real prompts.
The engine serves from the folder of bases that is given, so that a base can be checked before it gets its name.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from alignment.conversion.texts import shown, texts
from alignment.models import load_model, load_tokenizer
from alignment.rows.tokens import control_strings, prompt_ids
from alignment.serving import noise
from alignment.serving.engine import RunningEngine, serve
from alignment.serving.passages import (
    CONTEXT,
    NotServable,
    Passage,
    apart,
    compare_tokens,
    engine_log_probs,
    log_probs,
    probe,
    real_passages,
)
from data.bases import base_info
from data.chat import Message, harmless_messages
from data.errors import BadInput, ParleyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Admission:
    """What was compared, and by how much log-probabilities differ in nats (absolute; `mean` and the largest)."""

    texts: int
    conversations: int
    positions: int
    mean: float
    max: float
    limit: float  # of `mean`, by the quantisation
    quantisation: str
    # Tokens and their log-probabilities, as `BaseInfo` has them.
    probe_ids: tuple[int, ...] = ()
    probe_log_probs: tuple[float, ...] = ()

    def __str__(self) -> str:
        return (
            f"token ids equal on {self.texts} texts and {self.conversations} conversations; log-probabilities at "
            f"{self.positions} positions differ by {self.mean:.4f} nats on average (limit {self.limit:g} for "
            f"{self.quantisation or 'this quantisation'}, largest {self.max:.3f})"
        )


def admit(name: str, bases: Path, *, say: Callable[[str], None] = print) -> Admission:
    """Serve the base `name` of the folder `bases` with the embedded engine and compare it with transformers.

    The base needs its `base.json`, `hf/`, `model.gguf` and template there. Raises `NotServable` with what differs.
    """
    with _bases(bases):
        info, tokenizer = base_info(name), load_tokenizer(name)
        control = control_strings(tokenizer)
        asked, talks = texts(control), conversations(tokenizer, control)
        passages = real_passages(tokenizer, min(CONTEXT, info.context_length))
        with serve(name, None) as engine:
            try:
                say(f"Comparing token ids of {len(asked)} texts and {len(talks)} conversations ...")
                compare_texts(engine, tokenizer, asked)
                compare_tokens(engine, [*talks, *passages])
                say("Comparing log-probabilities on real prompts ...")
                served = engine_log_probs(engine, passages)
            except (OSError, HTTPException) as error:
                raise ParleyError(
                    f"The engine broke off while the base {name} was compared ({error}). Run the same command again, "
                    "and look at the free memory if it happens twice."
                ) from error
        # The engine has ended: the model need not fit into memory twice.
        model = _exact(name)
        sizes = apart(served, log_probs(model, passages))
        probe_ids, probe_log_probs = probe(model, passages)
    found = Admission(
        texts=len(asked),
        conversations=len(talks) + len(passages),
        positions=len(served),
        mean=float(sizes.mean()),
        max=float(sizes.max()),
        limit=noise.limit(info.quantisation),
        quantisation=info.quantisation,
        probe_ids=probe_ids,
        probe_log_probs=probe_log_probs,
    )
    if not found.mean <= found.limit:
        raise NotServable(
            f"The engine does not compute with the base {name} what transformers computes, so it must not serve: "
            f"{found}."
        )
    return found


def compare_texts(engine: RunningEngine, tokenizer: Any, asked: Sequence[str]) -> None:
    """Raise `NotServable` with the first text of which engine and transformers make other token ids."""
    for text in asked:
        made = engine.post("/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]
        if made != list(tokenizer(text, add_special_tokens=False)["input_ids"]):
            raise NotServable(
                f"The engine makes other tokens than transformers of {shown(text)}, so the base must not serve."
            )


def conversations(tokenizer: Any, control: Sequence[str]) -> list[Passage]:
    """Conversations of every form that people have, with the token ids that the trainer makes of them."""
    system = Message(role="system", content="You are kind.  Be brief.\n")
    asked = [
        Message(role="user", content="Hello! How do I water a fern?"),
        Message(role="assistant", content="Little and often."),
        Message(role="user", content="你好！第2盆呢？🌱 \n\n<|im_end|></s>[/INST]<end_of_turn>"),
        Message(role="assistant", content="```py\nprint(1)\n```"),
        Message(role="user", content="  And then?  "),
    ]
    crowd = [Message(role="user", content="Anna: hi"), Message(role="user", content="Ben: hi!")]
    found = []
    for messages in (asked[:1], asked[:3], asked, crowd):
        for talk in ([system, *messages], messages):
            try:
                ids = prompt_ids(tokenizer, talk, control)
            except BadInput:  # the template takes no such conversation; the trainer drops such rows
                continue
            found.append(Passage(harmless_messages(talk, control), ids, ids, []))
    return found


def _exact(name: str) -> Any:
    """A base that computes in float32, but keeps its blocks in memory as they are stored: four bytes only in use."""
    import torch

    model = load_model(name)
    blocks = max((m for m in model.modules() if isinstance(m, torch.nn.ModuleList)), key=_size, default=None)
    if model.dtype == torch.float32 or blocks is None:
        return model.float()
    _widen(model, blocks, model.dtype)
    return model


def _widen(model: Any, blocks: Any, stored: Any) -> None:
    """Make every block float32 while it computes, and the rest of the model for good."""
    inside = {id(parameter) for parameter in blocks.parameters()}
    for parameter in model.parameters():
        if id(parameter) not in inside:
            parameter.data = parameter.data.float()
    for block in blocks:
        block.register_forward_pre_hook(lambda module, _: module.float() and None)
        block.register_forward_hook(lambda module, *_: module.to(stored) and None)


def _size(module: Any) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def _bases(folder: Path) -> Iterator[None]:
    """Take another folder of bases for the time of the block, here and in the processes that it starts."""
    before = os.environ.get("PARLEY_BASES")
    os.environ["PARLEY_BASES"] = str(folder.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ["PARLEY_BASES"]
        else:
            os.environ["PARLEY_BASES"] = before
