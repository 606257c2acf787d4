"""Does the served artefact compute what was trained? Its log-probabilities against PEFT's, on real prompts.

The engine computes with a quantised base, so its log-probabilities are off even if nothing is wrong: for SmolLM2-135M
in Q4_1 by 0.098 nats on average over the 32 likeliest tokens (single ones by up to 1.2), with the right adapter as
without one. If the adapter is weak, a broken export hides in that noise. So the noise is measured first, on the base
alone. Then the adapter is probed a second time, at a scale where it moves log-probabilities by about 0.6 nats: the
noise stays the same, and errors grow with the scale. Errors that are still too small to show are found in the file,
whose numbers are compared one by one (`alignment.serving.gguf_check`).

Mean absolute differences in nats, 8 prompts x 6 positions x 32 tokens, rank 16 on all linear layers ("trained" is 24
steps of SFT, "random" has a random B, "faint" a four times smaller one; the limit of each probe is 0.128):

    adapter: effect (probed at)        trained: 0.617 (1)   random: 0.080 (7.5)   faint: 0.020 (30)
    the right file, as served                 0.096                0.102                0.103
    the right file, probed                    0.096                0.094                0.095
    key rows not permuted, probed             0.118 (!)            0.192                0.238
    query and key rows not, probed            0.174                0.289                0.300
    half the scale, probed                    0.327                                     0.366
    scale 0                                   0.641
    another adapter, probed                   0.640                                     2.346

(!) below the limit: only the comparison of the file's numbers finds that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING

from alignment.gpu import on_gpu
from alignment.models import load_model, load_tokenizer
from alignment.serving.engine import RunningEngine, serve
from alignment.serving.gguf_check import expected_layers, file_difference
from alignment.serving.noise import limit
from alignment.serving.passages import (
    CONTEXT,
    TOKENS,
    NotServable,
    Passage,
    apart,
    compare_tokens,
    engine_log_probs,
    log_probs,
    real_passages,
)
from data.bases import base_info, gguf_path, is_alias
from data.errors import BadInput, ParleyError
from data.merged_files import LORA

if TYPE_CHECKING:
    from pathlib import Path

    from alignment.serving.passages import LogProbs

    # An engine's log-probabilities by token id, before each position.
    Tables = list[dict[int, float]]


PROBE = 0.6  # nats by which the probed adapter should move log-probabilities
NOISE = 1.25  # times the floor; right files had 0.94 to 1.08 times
HAIR = 0.005  # nats, for an engine that computes almost without noise
OWN_NOISE = 0.05  # of the effect at full scale: a strong adapter's arithmetic is noisier (2 % at 1.2 nats)


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the served log-probabilities are from PEFT's, in nats, with the adapter at one scale.

    `effect` is how far the adapter moves them, by PEFT (mean); `limit` is the largest `mean` that passes.
    """

    scale: float
    mean: float
    max: float
    effect: float
    limit: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared, and how far apart they were: the base alone, the adapter as served, the adapter probed."""

    positions: int
    tokens: int
    base: Gap
    served: Gap
    probe: Gap

    def __str__(self) -> str:
        return (
            f"mean |difference| to PEFT's log-probabilities in nats, {self.positions} positions: "
            f"{self.served.mean:.3f} served (limit {self.served.limit:.3f}, largest {self.served.max:.2f}), "
            f"{self.probe.mean:.3f} at scale {self.probe.scale:.3g} (limit {self.probe.limit:.3f}), "
            f"{self.base.mean:.3f} for the base alone; the adapter itself moves them by {self.served.effect:.3f}"
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """PEFT's log-softmax in float32 for every position: without the adapter, with it, and with it at `scale`.

    The arrays have the shape (positions, vocabulary). `layers` are the matrices that the file must hold.
    """

    passages: list[Passage]
    base: LogProbs
    full: LogProbs
    scale: float
    probe: LogProbs
    layers: dict[str, tuple[LogProbs, LogProbs]]


def check_served(adapter: Path, base: str, gguf: Path) -> Agreement:
    """Serve a LoRA GGUF with the embedded engine and compare it with the adapter that it was made from.

    Takes under a minute for SmolLM2-135M. Raises `NotServable` with the figures when they differ by more than the
    engine's own noise, and `BadInput` for a base that the embedded engine cannot serve.
    """
    return compare(expected(adapter, base), base, gguf)


def expected(adapter: Path, base: str, *, passages: int = 8, layers: bool = True) -> Expected:
    """What PEFT computes for an adapter on the check's passages, and at which scale to probe it.

    `layers` says whether to compute the expected layers of a GGUF too. Raises `BadInput` for a base that was never
    added and, with `layers`, for one without a GGUF.
    """
    if not is_alias(base):
        raise BadInput(
            f"The base model {base} was not added here, so no engine serves it and the adapter cannot be compared as "
            "served. Add it with `python -m alignment.bases add`, or export with --no-check and compare it yourself."
        )
    gguf = gguf_path(base) if layers else None
    import torch
    from peft.helpers import rescale_adapter_scale

    found = real_passages(load_tokenizer(base), min(CONTEXT, base_info(base).context_length))[:passages]
    model = on_gpu(load_model(base, adapter, dtype=torch.float32))
    matrices = expected_layers(model, gguf) if gguf else {}
    with model.disable_adapter():
        plain = log_probs(model, found)
    full = log_probs(model, found)
    scale, probe = 1.0, full
    for _ in range(4):
        moved = effect(probe, plain)
        if moved < 1e-6 or PROBE / 1.5 <= moved <= PROBE * 1.5:
            break  # no scale helps an adapter that changes nothing
        scale *= min(max(PROBE / moved, 1 / 64), 64)
        with rescale_adapter_scale(model, scale):
            probe = log_probs(model, found)
    return Expected(found, plain, full, scale, probe, matrices)


def compare(wanted: Expected, base: str, gguf: Path) -> Agreement:
    """Compare `gguf`, its numbers and as served, with what is expected. Raises `NotServable` if they differ."""
    problem = file_difference(gguf, wanted.layers)
    if problem:
        raise NotServable(f"{gguf} must not serve: {problem}.")
    found = measure(wanted, base, gguf)
    problem = difference(found)
    if problem:
        raise NotServable(f"{gguf} must not serve: {problem} ({found}).")
    return found


def measure(wanted: Expected, base: str, gguf: Path) -> Agreement:
    """Serve `gguf` on `base` and measure how far its log-probabilities are from what is expected.

    Raises `NotServable` when the engine has other adapters or makes other token ids.
    """
    with serve(base, gguf, form=LORA) as engine:  # a merged file beside it is not what is measured
        try:
            _compare_setup(engine, gguf)
            compare_tokens(engine, wanted.passages)
            # Measure as served first: its results must not come from a prompt cache that another scale filled.
            served = engine_log_probs(engine, wanted.passages)
            probe = served if wanted.scale == 1 else engine_log_probs(engine, wanted.passages, wanted.scale)
            plain = engine_log_probs(engine, wanted.passages, 0.0)
        except (OSError, HTTPException) as error:
            raise ParleyError(
                f"The engine that served {gguf} for the check broke off ({error}); nothing was compared. Run the "
                "same command again, and look at the free memory if it happens twice."
            ) from error
    return agreement(wanted, plain, served, probe, widest=limit(base_info(base).quantisation))


def agreement(
    wanted: Expected, plain: Tables, served: Tables, probe: Tables, *, widest: float, tokens: int = TOKENS
) -> Agreement:
    """How far an engine's log-probabilities are from those expected: of the base, of the adapter, and of the probe.

    `widest` is the largest mean that passes for the base alone, `tokens` how many are compared at each position.
    """
    floor = _gap(0.0, plain, wanted.base, wanted.base, tokens, widest)
    noise = NOISE * floor.mean + HAIR
    full = _gap(1.0, served, wanted.full, wanted.base, tokens, noise, OWN_NOISE)
    return Agreement(
        positions=len(served),
        tokens=tokens * len(served),
        base=floor,
        served=full,
        probe=full if wanted.scale == 1 else _gap(wanted.scale, probe, wanted.probe, wanted.base, tokens, noise),
    )


def difference(found: Agreement) -> str | None:
    """The verdict: what is wrong with an export, or None when it computes what was trained."""
    if not found.base.mean <= found.base.limit:
        return "the engine's base model is not the one that the adapter was trained on"
    if not found.served.mean <= found.served.limit:
        return "with its adapter the engine computes something else than PEFT"
    if not found.probe.mean <= found.probe.limit:
        return "probed at another scale its adapter is not the one that was trained"
    return None


def effect(moved: LogProbs, plain: LogProbs) -> float:
    """By how much log-probabilities moved: mean absolute change over the tokens that are likeliest now, in nats."""
    import numpy as np

    top = np.argsort(-moved, axis=1)[:, :TOKENS]
    return float(np.abs(np.take_along_axis(moved, top, 1) - np.take_along_axis(plain, top, 1)).mean())


def _gap(
    scale: float, served: Tables, wanted: LogProbs, plain: LogProbs, tokens: int, limit: float, own: float = 0.0
) -> Gap:
    sizes = apart(served, wanted, tokens)
    moved = effect(wanted, plain)
    return Gap(scale, float(sizes.mean()), float(sizes.max()), moved, limit + own * moved)


def _compare_setup(engine: RunningEngine, gguf: Path) -> None:
    """Raise `NotServable` unless the engine has this one adapter, at scale 1."""
    listed = engine.get("/lora-adapters")
    if [entry["scale"] for entry in listed] != [1.0]:
        scales = ", ".join(str(entry["scale"]) for entry in listed) or "none"
        raise NotServable(
            f"{gguf} must not serve: the engine has adapters at these scales: {scales}; expected one at 1."
        )
