"""Where a training step's time goes, and how far that is from the processor's peak.

    python -m tests.bench.profile                          # a DPO step on multi-turn rows
    python -m tests.bench.profile --stage sft --rows short --share_prefixes false

Runs the stage's command on rows of `tests.bench.training`, and uses torch's profiler on the second batch that is
computed together (rows of a step; see `SHAPES` there): the layers with their adapters, attention, the head, and
everything else. The peak is that of a matrix product of the base's size, in bf16 if the machine multiplies it, else
in float32, measured in the same run with as many threads. The profiler itself slows small operations down; the
seconds of later batches without it are printed below the table.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from data.errors import BadInput, run
from tests.bench import training
from tests.bench.ran_on import dtype

# The group of an operation, by the step of autograd that it is part of.
GROUPS = {
    "FusedLora": "layers with adapters",
    "FusedLoraBackward": "layers with adapters",
    "FusedGate": "layers with adapters",
    "FusedGateBackward": "layers with adapters",
    "TreeAttention": "attention",
    "TreeAttentionBackward": "attention",
    "LogProbs": "head",
    "LogProbsBackward": "head",
    "ChunkedLogProbFunction": "head",
    "ChunkedLogProbFunctionBackward": "head",
    "aten::linear": "layers of PEFT",
    "aten::scaled_dot_product_attention": "attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu_backward": "attention",
    "Optimizer.step#AdamW.step": "optimizer",
}
REST = "norms, rotations, activations, sums"
PRODUCTS = ("aten::mm", "aten::bmm", "aten::addmm", "aten::addmm_", "aten::baddbmm")


def group(event: Any) -> str:
    """The group of an operation."""
    at = event
    while at is not None:
        if at.name in GROUPS:
            return GROUPS[at.name]
        at = at.cpu_parent
    return REST


def multiplications(event: Any) -> float:
    """Floating point operations of a product of matrices (a multiplication and an addition count two), else 0."""
    if event.name not in PRODUCTS:
        return 0.0
    shapes = [shape for shape in event.input_shapes if len(shape) > 1]
    one, other = shapes[-2:]
    found = 2.0 * one[-2] * one[-1] * other[-1]
    return found * (one[0] if len(one) == 3 else 1)


def peak(seconds: float = 0.5) -> float:
    """Operations a second of a large matrix product in this machine's fastest dtype; the best of many."""
    import torch

    kind = getattr(torch, dtype())
    one, other = torch.randn(2048, 576, dtype=kind), torch.randn(576, 1536, dtype=kind)
    best, began = float("inf"), time.monotonic()
    while time.monotonic() < began + seconds:
        at = time.perf_counter()
        one @ other
        best = min(best, time.perf_counter() - at)
    return 2.0 * 2048 * 576 * 1536 / best


def profiled(stage: str, kind: str, base: str, flags: list[str]) -> tuple[Any, list[float]]:
    """The events of a stage's second batch, and the seconds of the batches after it."""
    from torch.profiler import ProfilerActivity, profile
    from transformers import Trainer

    usual = Trainer.training_step
    seconds: list[float] = []
    kept: list[Any] = []

    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        began = time.monotonic()
        if len(seconds) == 1:
            with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as watch:
                found = usual(self, *args, **kwargs)
            kept.append(watch)
        else:
            found = usual(self, *args, **kwargs)
        seconds.append(time.monotonic() - began)
        return found

    Trainer.training_step = step
    try:
        with tempfile.TemporaryDirectory() as folder:
            training._by_parley(stage, kind, base, Path(folder), "parley", training.BATCH, flags)
    finally:
        Trainer.training_step = usual
    if not kept:
        raise BadInput("There was only one batch; choose another kind of rows.")
    return kept[0].events(), seconds[2:]


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", choices=("sft", "reward", "dpo", "kto"), default="dpo")
    parser.add_argument("--rows", choices=list(training.KINDS), default="multi")
    parser.add_argument("--base", default="smollm2-135m")
    options, flags = parser.parse_known_args()
    from alignment.quiet import quiet

    quiet()
    import torch

    events, plain = profiled(options.stage, options.rows, options.base, flags)
    most = peak()
    spent: dict[str, float] = defaultdict(float)
    done: dict[str, float] = defaultdict(float)
    for event in events:
        spent[group(event)] += event.self_cpu_time_total / 1e6
        done[group(event)] += multiplications(event)
    total, flops = sum(spent.values()), sum(done.values())
    title = f"{options.stage} on {options.rows} rows: the second computation, {torch.get_num_threads()} threads"
    table = Table(title=title)
    for column in ("piece", "seconds", "share", "GFLOP", "of the peak"):
        table.add_column(column)
    for name, time_ in sorted(spent.items(), key=lambda item: -item[1]):
        table.add_row(name, *_cells(time_, time_ / total, done[name], most))
    table.add_row("together", *_cells(total, 1.0, flops, most))
    console = Console(width=110)
    console.print(table)
    console.print(f"Peak: {most / 1e9:.0f} GFLOP/s; at the peak the products alone would take {flops / most:.2f} s.")
    if plain:
        console.print("The next ones, without the profiler: " + ", ".join(f"{one:.2f}" for one in plain) + " s.")
    return 0


def _cells(seconds: float, share: float, flops: float, most: float) -> list[str]:
    near = f"{flops / seconds / most:.0%}" if seconds and flops else ""
    return [f"{seconds:.3f}", f"{share:.0%}", f"{flops / 1e9:.1f}" if flops else "", near]


if __name__ == "__main__":
    run(main)
